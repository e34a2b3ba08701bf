"""Write the tables of docs/benchmarks.md from the committed results.

`python -m tests.bench.report` writes them.

A table stands between `<!-- results: CASE … -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench import results, table

PAGE = results.ROOT / "docs/benchmarks.md"
_TABLE = re.compile(r"(<!-- results: ([a-z- ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rendered(page: str, folder: Path) -> str:
    """The page with tables of the results in this folder."""

    def replace(match: re.Match[str]) -> str:
        lines = "\n".join(_lines(folder, match[2].split()))
        return f"{match[1]}\n{lines}\n\n{match[3]}"

    return _TABLE.sub(replace, page)


def cases(page: str) -> list[str]:
    """The cases whose tables the page has, in its order."""
    return [name for match in _TABLE.finditer(page) for name in match[2].split()]


def _lines(folder: Path, names: Sequence[str]) -> Iterator[str]:
    yield "| what | median (range) | goal | |\n|---|---|---|---|"
    for name in names:
        rows = results.read(folder, name)
        if not rows:
            yield f"| `{name}` is not measured yet | | | |"
        for row in rows:
            values = (row.what, table.measured(row), table.goal(row), table.verdict(row))
            yield f"| {' | '.join(values)} |"
    yield ""
    yield " ".join(_origins(folder, names)) or "No results yet."


def _origins(folder: Path, names: Sequence[str]) -> Iterator[str]:
    """When, where and from which commit, once for all cases that have this in common."""
    found: dict[str, list[str]] = {}
    for name in names:
        if origin := results.document(folder, name):
            text = (
                f"{origin['date']}, commit {origin['commit']}, {origin['machine']}, "
                f"Linux {origin['kernel']}, Python {origin['python']}"
            )
            found.setdefault(text, []).append(f"`{name}`")
    for text, measured in found.items():
        yield f"{', '.join(measured)}: {text}."


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8"), results.FOLDER), encoding="utf-8")
