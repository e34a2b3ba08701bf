"""Reads fields of JSON objects. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace_client.errors import ProtocolError

Json = Mapping[str, Any]
"""A JSON object."""


def required(document: Json, name: str) -> Any:
    """The value of a field. Raises ProtocolError if the field is missing."""
    try:
        return document[name]
    except (KeyError, TypeError):
        raise ProtocolError(f"the server's answer has no field {name!r}: check the URL") from None


def whole(value: object) -> int:
    """An amount: JSON carries it as a string of digits. Raises ProtocolError for other values."""
    try:
        if isinstance(value, str | int):
            return int(value)
    except ValueError:
        pass
    raise ProtocolError(f"expected a whole number, got {str(value)[:64]!r}")


def whole_or_none(value: object) -> int | None:
    """An amount, or None for null."""
    return None if value is None else whole(value)
