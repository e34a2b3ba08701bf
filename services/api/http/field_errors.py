"""The words for a field of a request that is wrong. Pure.

pydantic's words name types of Python, such as a tuple. A client sends JSON, so its words are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "model_type": "must be a JSON object",
    "bool_type": "must be true or false",
    "string_type": "must be a JSON string",
    "int_type": "must be a whole number",
}
_LISTS = frozenset({"tuple_type", "list_type"})
_CHOICES = frozenset({"enum", "literal_error"})
_SUBJECT = re.compile(r"^(Value error, |(Input|String|Tuple|List|Value) should (?=be|have|match))")
_MOST_SHOWN = 64


def field_error(error: Mapping[str, Any], location: str) -> dict[str, str]:
    """One error of pydantic, as an entry of `errors`.

    `location` is "pointer" for a body and "parameter" for a query.
    """
    parts = [str(part) for part in error["loc"]]
    if location == "pointer":  # a JSON pointer (RFC 6901)
        where = "".join("/" + p.replace("~", "~0").replace("/", "~1") for p in parts)
    else:
        where = ".".join(parts)
    return {location: where, "detail": _words(error["type"], str(error["msg"]), error["input"])}


def _words(kind: str, message: str, given: object) -> str:
    shown = str(given)[:_MOST_SHOWN] if isinstance(given, str | int | float) else ""
    if kind in _LISTS:
        return "must be a list" + (f", such as {orjson.dumps([shown]).decode()}" if shown else "")
    expected = _MESSAGES.get(kind) or _SUBJECT.sub(_must, message)
    return f"{shown!r} is not known: {expected}" if kind in _CHOICES and shown else expected


def _must(subject: re.Match[str]) -> str:
    """What replaces "Input should": the client reads this after the name of the field."""
    return "" if subject[0].startswith("Value error") else "must "
