"""Each threat of docs/security.md names the tests that hold it off, and those are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/security.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|")
][2:]


def defined_in(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_there_are_threats() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_threat_is_held_off_by_tests_that_are_there(row: list[str]) -> None:
    _, _, held = row
    named = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", held)
    assert named, "no test is named"
    assert held.count("`") == 2 * len(named), "something here is no test"
    for file, name in named:
        assert name in defined_in(ROOT / file), f"{file} has no {name}"
