"""Changes that the site makes to the pages of docs/, which are written for GitHub.

mkdocs calls the functions `on_…` (mkdocs.yml names this file). They import nothing of mkdocs, so
that the tests of every day can use them without it. A link that leads out of docs/ would be broken
on the site. It becomes a link to the repository if REPOSITORY_URL is set, else the name of the
file.

See docs/decisions/0110-documentation-is-a-site.md.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SETTINGS_PAGE = "settings.md"
"""The page to which the site adds the section "Settings" of the README."""

_README_SETTINGS = "README.md#settings"
_LINK = re.compile(r"(?<!!)\[([^\]\[]*)\]\(([^)\s]+)\)")
_NAMED_FENCE = re.compile(r"^( *)```(\w+) +([^`\n]+)$", re.M)

Config = MutableMapping[str, Any]


def on_config(config: Config) -> Config:
    """Complete the navigation, and make the anchors of headings as GitHub makes them."""
    config["nav"] = complete_navigation(config["nav"], pages_of(Path(config["docs_dir"])))
    config["mdx_configs"].setdefault("toc", {})["slugify"] = anchor_of
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The text of a page as the site shows it."""
    name: str = page.file.src_uri
    text = markdown
    if name == SETTINGS_PAGE:
        text += _relinked(settings_of_readme(), "", name)
    return titled_blocks(_relinked(text, posixpath.join("docs", posixpath.dirname(name)), name))


def pages_of(docs: Path) -> list[str]:
    """All pages, as paths in docs/, sorted by name."""
    return sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))


def complete_navigation(entries: list[Any], pages: Iterable[str]) -> list[Any]:
    """Replace each pattern such as `guides/*.md` by the pages that no other entry names."""
    named = set(_files(entries))
    free = [page for page in pages if page not in named]
    return _completed(entries, free)


def _completed(entries: list[Any], free: list[str]) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            ((title, inside),) = entry.items()
            inside = _completed(inside, free) if isinstance(inside, list) else inside
            found.append({title: inside})
        elif entry.endswith("*.md"):
            folder = posixpath.dirname(entry)
            found += [page for page in free if posixpath.dirname(page) == folder]
        else:
            found.append(entry)
    return found


def _files(entries: Iterable[Any]) -> Iterable[str]:
    for entry in entries:
        if isinstance(entry, dict):
            for inside in entry.values():
                yield from _files([inside] if isinstance(inside, str) else inside)
        else:
            yield entry


def anchor_of(heading: str, _separator: str = "-") -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def titled_blocks(text: str) -> str:
    """Give each block of commands its name as a title: ```sh title="start with compose"."""
    return _NAMED_FENCE.sub(r'\1```\2 title="\3"', text)


def settings_of_readme() -> str:
    """The section "Settings" of the README, without its heading."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## Settings\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, "the README has no section Settings"
    return found[1]


def _relinked(text: str, folder: str, page: str) -> str:
    """Replace the links of a text that stands in `folder` by links of the site's page `page`."""

    def link(match: re.Match[str]) -> str:
        label, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if path == _README_SETTINGS:
            path = f"docs/{SETTINGS_PAGE}"
        if path.startswith("docs/"):
            inside = posixpath.relpath(path.removeprefix("docs/"), posixpath.dirname(page) or ".")
            return f"[{label}]({inside})"
        return _outside(label, path)

    return _LINK.sub(link, text)


def _outside(label: str, path: str) -> str:
    if repository := os.environ.get("REPOSITORY_URL"):
        return f"[{label}]({repository.rstrip('/')}/blob/main/{path})"
    file = path.partition("#")[0]
    return f"`{file}`" if label.strip("`") == file else f"{label} (`{file}`)"
