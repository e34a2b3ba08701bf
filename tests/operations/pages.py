"""The pages of docs/operations and their blocks of commands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.deploy.dockerfile import ROOT

FOLDER = ROOT / "docs/operations"
PAGES = sorted(path.name for path in FOLDER.glob("*.md"))
ELSEWHERE = {
    "helm.md": "tests/deploy/test_helm_docs.py",
    "images.md": "tests/deploy/engine/test_upgrade.py",
}
"""Pages whose commands need Helm, an engine or a registry: the tests about them."""
_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One fenced block. `language` and `name` are the words after the fence."""

    page: str
    line: int
    language: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"docs/operations/{self.page}:{self.line} {self.name}".rstrip()

    @property
    def commands(self) -> str:
        """The text with continued lines joined, without comments."""
        joined = self.text.replace("\\\n", " ")
        return re.sub(r"(?:^|(?<=\s))#.*$", "", joined, flags=re.M)

    def uses(self, program: str) -> bool:
        """Whether a command of the block is this program."""
        return re.search(rf"(?:^|[|&;(]|\bdo\b)\s*{program}\s", self.commands, re.M) is not None


def fenced(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        language, _, name = match[2].strip().partition(" ")
        line = text.count("\n", 0, match.start()) + 1
        body = re.sub(rf"^{match[1]}", "", match[3], flags=re.M)
        found.append(Block(page, line, language, name, body))
    return found


def blocks(page: str) -> list[Block]:
    """The blocks of commands of a page, in order: those with the language `sh`."""
    return [each for each in fenced(page) if each.language == "sh"]


def block(page: str, name: str) -> Block:
    """The block of commands with this name."""
    (found,) = [each for each in blocks(page) if each.name == name]
    return found


def compose_blocks(page: str) -> list[Block]:
    """The blocks of a page that use compose, in order."""
    return [each for each in blocks(page) if each.uses("docker compose")]
