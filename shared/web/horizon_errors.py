"""Recognizes errors of Horizon itself, as opposed to errors of a proxy in front of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

_TYPE = "https://stellar.org/horizon-errors/"
_MEDIA = "application/problem+json"


def problem(content_type: str, body: bytes) -> str | None:
    """The last part of the error's `type`, such as `not_found`. None for any other response.

    Both the media type and the `type` must be those of Horizon. While Horizon restarts, its proxy
    may also answer 404, as HTML, as JSON or without a body. Such a 404 says nothing about a ledger.
    """
    if content_type.partition(";")[0].strip().lower() != _MEDIA:
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return slug(document) if isinstance(document, dict) else None


def slug(document: Mapping[str, Any]) -> str | None:
    """The last part of a problem's `type`. None when the problem does not come from Horizon."""
    kind = document.get("type")
    if not isinstance(kind, str) or not kind.startswith(_TYPE):
        return None
    return kind.removeprefix(_TYPE) or None
