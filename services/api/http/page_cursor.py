"""Cursors of list pages. A cursor is the last index member of a page, as URL-safe text. Pure."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from shared.domain.topics import is_stream_id
from shared.journal.indexes import stream_id_of

NOT_A_CURSOR = "must be the `next` of a page, unchanged"
"""What a client reads if its cursor cannot be one."""

_TIME = 12


def encode_cursor(member: str) -> str:
    """The cursor of the page after `member`, which is an index member (shared.journal.indexes)."""
    return urlsafe_b64encode(member.encode()).decode().rstrip("=")


def decode_cursor(text: str) -> str:
    """The index member in a cursor. Raises ValueError if the text cannot be a cursor."""
    try:
        member = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except ValueError:
        member = ""
    time, _, padded = member.partition(":")
    is_member = len(time) == _TIME and len(padded) >= 20 and is_stream_id(stream_id_of(member))
    if not is_member or not (time.isascii() and time.isdigit()) or encode_cursor(member) != text:
        raise ValueError(NOT_A_CURSOR)
    return member
