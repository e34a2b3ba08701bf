"""The pages of docs/operations and their blocks of commands."""

from __future__ import annotations

import re

from tests.support.fenced import ROOT, Block, fenced

FOLDER = ROOT / "docs/operations"
PAGES = sorted(path.name for path in FOLDER.glob("*.md"))
ELSEWHERE = {
    "helm.md": "tests/deploy/test_helm_docs.py",
    "images.md": "tests/deploy/engine/test_upgrade.py",
}
"""Pages whose commands need Helm, an engine or a registry: the tests about them."""


def blocks(page: str, language: str = "sh") -> list[Block]:
    """The blocks of a page in this language, in order: the commands, if it is not given."""
    return fenced(f"docs/operations/{page}", language)


def block(page: str, name: str) -> Block:
    """The block of commands with this name."""
    (found,) = [each for each in blocks(page) if each.name == name]
    return found


def compose_blocks(page: str) -> list[Block]:
    """The blocks of a page that use compose, in order."""
    return [each for each in blocks(page) if _uses(each, "docker compose")]


def _uses(block: Block, program: str) -> bool:
    """Whether a command of the block is this program. Comments do not count."""
    joined = block.text.replace("\\\n", " ")
    commands = re.sub(r"(?:^|(?<=\s))#.*$", "", joined, flags=re.M)
    return re.search(rf"(?:^|[|&;(]|\bdo\b)\s*{program}\s", commands, re.M) is not None
