"""The repository: what every file keeps to, and what may stand where; read from the source.

See docs/decisions/0062-standard-words-and-a-glossary.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_architecture import PARTS, ROOT, files, modules, name_of, offences, tree

LONGEST = 250


@pytest.mark.parametrize("path", modules(*PARTS, "clients"), ids=name_of)
def test_every_module_says_what_lives_in_it(path: Path) -> None:
    docstring = ast.get_docstring(tree(path))
    assert docstring, f"{path.relative_to(ROOT)} needs a docstring"
    assert len(docstring) > 15


def test_no_file_of_python_is_longer_than_can_be_read_at_once() -> None:
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


def test_names_in_redis_stand_in_one_module() -> None:
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


def test_nothing_points_to_a_registry_or_out_of_the_project() -> None:
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
def test_requirements_are_pinned_by_hash_and_name_no_place(path: Path) -> None:
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


def test_no_test_sleeps_to_wait() -> None:
    """They poll a condition with a deadline: tests/support/waiting.py."""
    allowed = {ROOT / "tests/support", ROOT / "tests/bench"}  # a benchmark keeps a rate
    others = [path for path in modules("tests") if path.parent not in allowed]
    paths = [path for path in others if "sleep" in path.read_text(encoding="utf-8")]
    assert [where for path in paths for where in sleeps(path)] == []
    renamed = [*offences(paths, "asyncio.sleep", "time.sleep")]
    assert renamed == []
