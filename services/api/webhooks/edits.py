"""Changes of a webhook. Pure: each function returns the changed endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.api.errors import InvalidFieldError
from services.api.events.ranges import just_before
from services.api.webhooks.schemas import PatchWebhook, WebhookSelection
from shared.domain.commands import CommandRefusedError
from shared.domain.position import START, Position
from shared.domain.topics import ALL, Subscription, is_stream_id, own_topics, user_topic
from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.progress import Progress
from shared.webhooks.state import current_progress

MOST_SECRETS = 10
"""A delivery is signed with so many secrets at most."""

_COPIED = ("url", "description", "batch", "order", "enabled")


def topics_of_body(body: WebhookSelection, account: str) -> tuple[str, ...]:
    """The topics of a request, or those of the account. Raises InvalidFieldError without any."""
    everything = [ALL] if body.all else []
    topics = (*everything, *body.streams, *map(user_topic, body.users)) or own_topics(account)
    if not topics:
        raise InvalidFieldError("", "give at least one of streams, users, all: true")
    return tuple(dict.fromkeys(topics))


def edited(endpoint: Endpoint, body: PatchWebhook) -> Endpoint:
    """The endpoint with the fields that the body has."""
    given = {name: getattr(body, name) for name in _COPIED if name in body.model_fields_set}
    return replace(endpoint, subscription=_subscription(endpoint, body), **given)


def _subscription(endpoint: Endpoint, body: PatchWebhook) -> Subscription:
    known, sent = endpoint.subscription, body.model_fields_set
    types = frozenset(body.types) if "types" in sent else known.types
    if not sent & {"streams", "users", "all"}:
        return Subscription(known.topics, types)
    users = [topic for topic in known.topics if topic.startswith("user:")]
    parts: list[Sequence[str]] = [
        [ALL] if (body.all if "all" in sent else ALL in known.topics) else [],
        body.streams if "streams" in sent else [t for t in known.topics if is_stream_id(t)],
        [*map(user_topic, body.users)] if "users" in sent else users,
    ]
    topics = tuple(dict.fromkeys(topic for part in parts for topic in part))
    return Subscription(topics or topics_of_body(WebhookSelection(), endpoint.account), types)


def position_before(first: Position, top: Position) -> Position:
    """The position just before the field `from`. Raises InvalidFieldError if it is above `top`."""
    if first > top:
        raise InvalidFieldError("/from", f"is above the newest event, which is at {top}")
    return just_before(first) if first > START else START


def begun_again(
    endpoint: Endpoint, progress: Progress | None, begins_after: Position | None
) -> Endpoint:
    """The endpoint, so that its delivery begins anew; where it stopped if `begins_after` is None.

    If no dispatcher has begun the present generation yet, it stays as it is: a new one would not
    know where the delivery begins.
    """
    if begins_after is None and not current_progress(endpoint, progress):
        return endpoint
    return replace(endpoint, generation=endpoint.generation + 1, begins_after=begins_after)


def with_secret(endpoint: Endpoint, sealed: str, *, now: int, overlap: int) -> Endpoint:
    """The endpoint with a new secret. Each older one signs for `overlap` seconds at most.

    Raises CommandRefusedError if too many secrets still sign.
    """
    until = now + overlap
    older = [
        SealedSecret(each.sealed, until if each.expires is None else min(each.expires, until))
        for each in endpoint.secrets
    ]
    valid = [each for each in older if each.signs(now)]
    if len(valid) >= MOST_SECRETS:
        raise CommandRefusedError(
            f"the webhook has {MOST_SECRETS} secrets that still sign: rotate with seconds: 0 "
            "to end the old ones"
        )
    return replace(endpoint, secrets=(SealedSecret(sealed), *valid))
