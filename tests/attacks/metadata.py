"""The largest metadata of a stream. Pure."""

from __future__ import annotations

_EMOJI = "🌊"
_LABEL, _NOTE, _TAGS, _TAG = 200, 2000, 20, 50


def largest(emoji: int = _LABEL + _NOTE + _TAGS * _TAG) -> dict[str, object]:
    """Metadata with this many emoji of four bytes each. Without an argument: the most characters.

    Label, note and tags are filled in this order.
    """
    label = min(emoji, _LABEL)
    note = min(emoji - label, _NOTE)
    tags = min(emoji - label - note, _TAGS * _TAG) // _TAG
    made: dict[str, object] = {"label": _EMOJI * label}
    if note:
        made["note"] = _EMOJI * note
    if tags:
        made["tags"] = [_EMOJI * _TAG for _ in range(tags)]
    return made
