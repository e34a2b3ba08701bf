"""The fenced code blocks of our Markdown pages, as CommonMark defines them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Block:
    """One fenced block. `language` is the first word after the fence, `name` the others.

    `page` is the path of the page in the repository, `line` the line of the opening fence, from 1.
    """

    page: str
    line: int
    language: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.name}".rstrip()


def fenced(page: str, language: str = "") -> list[Block]:
    """The blocks of a page, in order; with `language`, only those."""
    found = blocks_of((ROOT / page).read_text(encoding="utf-8"), page)
    return [each for each in found if not language or each.language == language]


def blocks_of(text: str, page: str = "page") -> list[Block]:
    """The blocks of the text of a page, in order."""
    return [
        Block(page, first + 1, *_words(token.info), token.content)
        for token, first, _ in _fences(text)
    ]


def outside(text: str) -> str:
    """The text of a page without its blocks."""
    lines = text.splitlines(keepends=True)
    for _, first, end in _fences(text):
        lines[first:end] = [""] * (end - first)
    return "".join(lines)


def _fences(text: str) -> Iterator[tuple[Token, int, int]]:
    """Each fenced block with its first line, from 0, and the line after its last one."""
    for token in MarkdownIt().parse(text):
        if token.type == "fence" and token.map:
            first, end = token.map
            yield token, first, end


def _words(info: str) -> tuple[str, str]:
    language, _, name = info.strip().partition(" ")
    return language, name.strip()
