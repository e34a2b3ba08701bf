"""A subscription request, parsed once: what it asks for and from which position."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from services.fanout.subscribe.last_event_id import resume_position
from shared.domain.position import Position
from shared.domain.topics import Subscription, parse_subscription
from shared.web.problems import Problem, Slug


@dataclass(frozen=True, slots=True)
class SubscribeRequest:
    """The parsed parameters of the request.

    `resume_from` is the position of the last event that the client has; None without a valid id.
    `invalid_id` says why the client's id is invalid; "" if the id is valid or was not sent.
    `overload_by_status` asks for an HTTP status instead of an in-band `overload`.
    """

    subscription: Subscription
    resume_from: Position | None
    invalid_id: str
    overload_by_status: bool


def parse_subscribe_request(request: web.Request, max_topics: int) -> SubscribeRequest:
    """Parse a request. Raises Problem 400 with the name of each malformed parameter."""
    subscription = _subscription(request, max_topics)
    resume_from, invalid_id = resume_position(request)
    by_status = request.query.get("on_overload") == "status"
    return SubscribeRequest(subscription, resume_from, invalid_id, by_status)


def _subscription(request: web.Request, max_topics: int) -> Subscription:
    query = request.query
    subscription, mistakes = parse_subscription(
        streams=query.getall("streams", ()),
        users=query.getall("users", ()),
        everything=query.get("all"),
        types=query.getall("types", ()),
    )
    count = len(subscription.topics)
    if count > max_topics:
        mistakes = [("streams", f"{count} topics in one subscription; at most {max_topics}")]
    if mistakes:
        errors = [{"parameter": name, "detail": detail} for name, detail in mistakes]
        detail = "; ".join(f"{name}: {detail}" for name, detail in mistakes[:5])
        raise Problem(400, Slug.INVALID_SUBSCRIPTION, detail, errors=errors)
    return subscription
