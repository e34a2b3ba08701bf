"""A subscription request, parsed once: what it asks for, in which encoding, from which position.

See docs/decisions/0090-frames-are-compressed-once.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from services.fanout.frame import Encoding
from services.fanout.settings import FanoutSettings
from services.fanout.subscribe.last_event_id import resume_position
from shared.domain.position import Position
from shared.domain.topics import Subscription, parse_subscription
from shared.web.problems import Problem, Slug

_VIEWS = {"full": Encoding.PLAIN, "compact": Encoding.COMPACT}
_NO_WEIGHT = re.compile(r"q\s*=\s*0(\.0*)?")


@dataclass(frozen=True, slots=True)
class SubscribeRequest:
    """The parsed parameters of the request.

    With AUTH_MODE=required, the subscription may have no topics: then the token's account counts.
    `resume_from` is the position of the last event that the client has; None without a valid id.
    `invalid_id` says why the client's id is invalid; "" if the id is valid or was not sent.
    `overload_by_status` asks for an HTTP status instead of an in-band `overload`.
    """

    subscription: Subscription
    resume_from: Position | None
    invalid_id: str
    overload_by_status: bool
    encoding: Encoding


def parse_subscribe_request(request: web.Request, settings: FanoutSettings) -> SubscribeRequest:
    """Parse a request. Raises Problem 400 with the name of each malformed parameter."""
    subscription, mistakes = _subscription(request, settings)
    view = request.query.get("view", "full")
    if view not in _VIEWS:
        mistakes.append(("view", f"{view[:64]!r} is neither 'full' nor 'compact'"))
    if mistakes:
        raise invalid_subscription(mistakes)
    resume_from, invalid_id = resume_position(request)
    by_status = request.query.get("on_overload") == "status"
    encoding = _encoding(request, _VIEWS[view], gzip=settings.gzip)
    return SubscribeRequest(subscription, resume_from, invalid_id, by_status, encoding)


def invalid_subscription(mistakes: Sequence[tuple[str, str]]) -> Problem:
    """Problem 400 about these mistakes, each with its parameter and an explanation."""
    errors = [{"parameter": name, "detail": detail} for name, detail in mistakes]
    detail = "; ".join(f"{name}: {detail}" for name, detail in mistakes[:5])
    return Problem(400, Slug.INVALID_SUBSCRIPTION, detail, errors=errors)


def _encoding(request: web.Request, view: Encoding, *, gzip: bool) -> Encoding:
    if gzip and accepts_gzip(request.headers.getall("Accept-Encoding", ())):
        return view | Encoding.GZIP
    return view


def accepts_gzip(fields: Iterable[str]) -> bool:
    """True if these values of Accept-Encoding name gzip with a weight above 0 (RFC 9110, 12.5.3).

    `*` does not count: a client that reads events names gzip if it can read them compressed.
    """
    for coding in ",".join(fields).lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return not _NO_WEIGHT.fullmatch(weight.strip())
    return False


def _subscription(
    request: web.Request, settings: FanoutSettings
) -> tuple[Subscription, list[tuple[str, str]]]:
    """The subscription, and mistakes as (parameter, explanation)."""
    query = request.query
    subscription, mistakes = parse_subscription(
        streams=query.getall("streams", ()),
        users=query.getall("users", ()),
        everything=query.get("all"),
        types=query.getall("types", ()),
        topics_required=settings.auth_mode == "open",
    )
    count, most = len(subscription.topics), settings.max_topics
    if count > most:
        mistakes = [("streams", f"{count} topics in one subscription; at most {most}")]
    return subscription, mistakes
