"""Horizon's own errors, told apart from those of a proxy before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

_TYPE = "https://stellar.org/horizon-errors/"
_MEDIA = "application/problem+json"


def problem(content_type: str, body: bytes) -> str | None:
    """The last part of the error's `type`, such as `not_found`; None unless it is Horizon's error.

    Both the media type and the `type` must be Horizon's. While Horizon restarts, a proxy before it
    answers 404 too, in HTML, in JSON or with no body; that tells nothing about the ledger.
    """
    if content_type.partition(";")[0].strip().lower() != _MEDIA:
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return slug(document) if isinstance(document, dict) else None


def slug(document: Mapping[str, Any]) -> str | None:
    """The last part of a problem's `type`, None when it is not one of Horizon's."""
    kind = document.get("type")
    if not isinstance(kind, str) or not kind.startswith(_TYPE):
        return None
    return kind.removeprefix(_TYPE) or None
