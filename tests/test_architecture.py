"""The architecture: what may import what, and what may stand where; read from the source."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("shared", "services", "deploy")
SERVICES = ("api", "fanout", "indexer")
NOT_OURS = {".git", ".venv", ".run", "node_modules", "build", "dist", ".hypothesis", "__pycache__"}
NOT_OURS |= {".mypy_cache", ".ruff_cache", ".pytest_cache"}
LONGEST = 250

# No socket, no clock, no chance: all that these do follows from their arguments.
PURE = (
    *(f"shared.domain.{name}" for name in ("commands", "contracts", "events", "position")),
    *(f"shared.domain.{name}" for name in ("stream", "strkeys", "topics")),
    *(f"shared.journal.{name}" for name in ("indexes", "keys", "plan", "wire")),
    *(f"shared.{name}" for name in ("runtime.urls", "web.horizon_errors")),
    "services.fanout.connections.hub",
    "services.fanout.feed.recent",
    "services.fanout.sse",
    "services.indexer.commands.verification",
    *(f"services.indexer.decode.{name}" for name in ("contracts", "dead_letters", "proof")),
    *(f"services.indexer.decode.{name}" for name in ("records", "stream_contract")),
    *(f"services.indexer.decode.{name}" for name in ("token_contract", "transactions")),
    "services.indexer.ingest.gap",
    *(f"services.indexer.sources.{name}" for name in ("base", "ledger_range")),
    "services.indexer.sources.failover.policy",
    "services.indexer.sources.horizon.counting",
    *(f"services.indexer.sources.rpc.{name}" for name in ("pages", "span", "transactions")),
    "services.indexer.xdr",
    *(f"services.indexer.xdr.{name}" for name in ("address", "event", "ledger", "meta", "natives")),
    *(f"services.indexer.xdr.{name}" for name in ("reader", "result", "scval", "shapes")),
)
WORDS = ("shared.web.problems.Goodbye",)
"""Mere names in modules that do more: what they say is the same everywhere."""
IMPURE = {"asyncio", "aiohttp", "redis", "time", "random", "socket", "uvloop", "secrets", "os"}


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, none of what tools made."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name for name in folders if name not in NOT_OURS and not name.endswith(".egg-info")
        ]
        found += [Path(folder, name) for name in names if name not in NOT_OURS]  # a worktree's .git
    return tuple(sorted(found))


def modules(*parts: str) -> list[Path]:
    return [
        path
        for path in files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in parts
    ]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports anywhere in it."""
    package = name_of(path).split(".")[: None if path.name == "__init__.py" else -1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def offences(paths: list[Path], *forbidden: str, but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name_of(path)} imports {module}"
        for path in paths
        for module in imports(path)
        if within(module, *forbidden) and not within(module, *but)
    ]


def test_shared_imports_no_service_no_deployment_and_no_test():
    assert offences(modules("shared"), "services", "deploy", "tests") == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_shared_and_itself_alone(service: str):
    own = f"services.{service}"
    paths = [path for path in modules("services") if within(name_of(path), own)]
    assert paths
    assert offences(paths, "services", "deploy", "tests", but=(own,)) == []


def test_there_is_no_service_that_these_tests_do_not_know():
    found = {
        name_of(path).split(".")[1]
        for path in modules("services")
        if path.parent.name != "services"
    }
    assert found == set(SERVICES)


def test_the_deployment_imports_no_service_and_no_test():
    assert offences(modules("deploy"), "services", "tests") == []


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_has_no_socket_no_clock_and_no_chance(module: str):
    place = ROOT / module.replace(".", "/")
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    assert path.is_file(), f"{module} is declared pure but is not there: mend PURE"
    assert offences([path], *IMPURE) == []
    ours = {name for name in imports(path) if within(name, "shared", "services", "deploy")}
    assert {name for name in ours if not within(name, *PURE, *WORDS)} == set(), (
        "leans on impure modules"
    )


def test_all_of_the_decoder_is_declared_pure():
    decoder = [path for path in modules("services") if path.parent.name == "xdr"]
    assert decoder
    assert {name_of(path) for path in decoder} <= set(PURE)


@pytest.mark.parametrize("path", modules(*PARTS), ids=name_of)
def test_every_module_says_what_lives_in_it(path: Path):
    docstring = ast.get_docstring(tree(path))
    assert docstring, f"{path.relative_to(ROOT)} needs a docstring"
    assert len(docstring) > 15


def test_no_file_of_python_is_longer_than_can_be_read_at_once():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files()
        if path.suffix == ".py"
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert long == {}


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of the code itself, docstrings left out."""
    told = {
        id(node.value)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def test_names_in_redis_stand_in_one_module():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path in modules(*PARTS)
        if name_of(path) != "shared.journal.keys"
        for line, text in strings(path)
        if text.startswith("headrace:") or text == "stream-events"
    ]
    assert found == []


# Put together here, so that this file does not hold what it looks for.
ELSEWHERE = ["../" + ".library", "/" + "work/", "pypi" + ".org", "files.python" + "hosted"]
ELSEWHERE += ["registry.np" + "mjs", "np" + "mjs.org", "proxy.golang" + ".org"]


def test_nothing_points_to_a_registry_or_out_of_the_project():
    found = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {word}" for word in ELSEWHERE if word in text]
    assert found == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name
)
def test_requirements_are_pinned_by_hash_and_name_no_place(path: Path):
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash=", ""), re.MULTILINE), "no options"
    for requirement in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,_-]+\])?==\S+", requirement), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", requirement), requirement


def sleeps(path: Path) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr == "sleep"
        and isinstance(node.value, ast.Name)
        and node.value.id in {"time", "asyncio"}
    ]


def test_no_test_sleeps_to_wait():
    """They poll a condition with a deadline: tests/support/waiting.py."""
    allowed = {ROOT / "tests/support", ROOT / "tests/bench"}  # a benchmark keeps a rate
    paths = [path for path in modules("tests") if path.parent not in allowed]
    assert [where for path in paths for where in sleeps(path)] == []
    renamed = [*offences(paths, "asyncio.sleep", "time.sleep")]
    assert renamed == []
