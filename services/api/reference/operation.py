"""What the OpenAPI document says about one route."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

STREAMS, EVENTS, TRANSACTIONS, LOGIN = "Streams", "Events", "Transactions", "Login"
WEBHOOKS, ADMIN, SERVICE = "Webhooks", "Admin", "Service"
TAGS = STREAMS, EVENTS, WEBHOOKS, TRANSACTIONS, LOGIN, ADMIN, SERVICE
"""The tags, in the order of the page /docs."""


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One route.

    * `body`: the model of the body; EmptyBody if the route needs no body.
    * `changes`: True if the route accepts Idempotency-Key.
    * `versioned`: True if the route accepts If-Match.
    * `media`: the content types of its responses besides JSON.
    * `problems`: the statuses of the errors that this route can have in addition to the common
      ones.
    * `open`: True if the route needs no token.
    """

    summary: str
    tag: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    changes: bool = False
    versioned: bool = False
    media: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    problems: tuple[int, ...] = ()
    open: bool = False
