"""The optional arguments of the calls of the API. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict

from headrace_client.model.stream import Acceptance, Origin, Status


class StreamFilters(TypedDict, total=False):
    """The filters of a list of streams: see "Lists" in docs/api.md."""

    user: str | None
    sender: str | None
    recipient: str | None
    status: Status | None
    token: str | None
    origin: Origin | None
    acceptance: Acceptance | None
    sort: Literal["created", "updated"]
    order: Literal["asc", "desc"]


class EventFilters(TypedDict, total=False):
    """The filters of past events. Events at the positions `after` and `before` are left out."""

    streams: Iterable[str | int]
    users: Iterable[str]
    all: bool
    types: Iterable[str]
    after: str | None
    before: str | None
    order: Literal["asc", "desc"]


class ChangeOptions(TypedDict, total=False):
    """Options of a call that changes a stream.

    With `version`, the call fails with StaleVersionError if the stream has another version. Without
    `idempotency_key`, the client makes one, so that a repeated call changes the stream once.
    """

    version: int | None
    idempotency_key: str | None
