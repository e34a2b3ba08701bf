"""docs/clients/libraries.md has a row for each library that is tested, with its version."""

from __future__ import annotations

import json
import re
from importlib.metadata import version

from tests.clients.libraries import LIBRARIES
from tests.clients.test_libraries import DEFECTS
from tests.support.fenced import ROOT

PAGE = (ROOT / "docs/clients/libraries.md").read_text(encoding="utf-8")
ROWS = {
    name: rest
    for name, *rest in re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| (.+) \|$", PAGE, re.M)
}
VERDICTS = {"works as it is", "works with care", "needs a loop", "does not work"}
LOOPS = {"aiohttp_sse", "httpx_sse", "sseclient"}
"""The libraries whose driver in tests/clients/python has a loop around the library."""


def packages() -> dict[str, str]:
    """The versions of the packages of tests/clients/package.json."""
    file = ROOT / "tests/clients/package.json"
    found: dict[str, str] = json.loads(file.read_text("utf-8"))["dependencies"]
    return found


def test_the_table_has_the_libraries_that_are_tested() -> None:
    assert set(ROWS) == {*LIBRARIES, "curl"}, "curl is tested in tests/clients/test_curl.py"


def test_each_row_has_a_verdict() -> None:
    assert {verdict for _, _, verdict, _ in ROWS.values()} <= VERDICTS
    for name in LIBRARIES:
        assert (ROWS[name][2] == "needs a loop") is (name in LOOPS), name
        text = (ROOT / f"tests/clients/python/with_{name}.py") if name in LOOPS else None
        assert text is None or "while True" in text.read_text("utf-8")


def test_a_library_with_a_defect_is_not_said_to_work_as_it_is() -> None:
    for name, _ in DEFECTS:
        assert ROWS[name][2] != "works as it is", name


def test_the_rows_name_the_versions_that_are_tested() -> None:
    named = " ".join(library for library, *_ in ROWS.values())
    for name, number in packages().items():
        assert f"{name} {number}" in named, name
    for name in ("httpx-sse", "sseclient-py", "aiohttp-sse-client2"):
        assert f"{name} {version(name)}" in named, name
