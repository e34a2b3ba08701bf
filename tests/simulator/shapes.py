"""The shape of JSON: each member's path and type, so that answers with other data compare."""

from __future__ import annotations

from collections.abc import Iterator

Shape = dict[str, str]
"""`.a.b[]` to the name of a type."""


def shape(document: object) -> Shape:
    """Every leaf of the document; the members of lists count as one."""
    return dict(_leaves(document, ""))


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for member in value:
            yield from _leaves(member, f"{path}[]")
    else:
        yield path, type(value).__name__


def members(text: str, kind: str = "str", under: str = "") -> Shape:
    """A shape from names in a row, all of one type."""
    return {f"{under}.{name}": kind for name in text.split()}


def links(names: str, templated: str) -> Shape:
    """Of `_links`: plain ones and those with a template."""
    every = [*names.split(), *templated.split()]
    found = {f"._links.{name}.href": "str" for name in every}
    return found | {f"._links.{name}.templated": "bool" for name in templated.split()}


def of_records(record: Shape) -> Shape:
    """Of a page of such records."""
    page = {f"._links.{name}.href": "str" for name in ("self", "next", "prev")}
    return page | {f"._embedded.records[]{path}": kind for path, kind in record.items()}
