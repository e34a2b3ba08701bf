"""The JSON documents of webhooks. Pure."""

from __future__ import annotations

from services.api.events.ranges import just_after
from shared.domain.position import START
from shared.domain.topics import ALL, is_stream_id
from shared.webhooks.attempts import Attempt
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress
from shared.webhooks.redeliveries import Redelivery
from shared.webhooks.state import current_progress, state_of

_USER = "user:"

Document = dict[str, object]


def webhook_document(endpoint: Endpoint, progress: Progress | None, now: float) -> Document:
    """What a client sees of a webhook. It contains no secret."""
    topics, position = endpoint.subscription.topics, position_of(endpoint, progress)
    ends = [each.expires for each in endpoint.secrets if each.expires and each.signs(now)]
    return {
        "id": endpoint.id,
        "version": endpoint.revision,
        "account": endpoint.account or None,
        "url": endpoint.url,
        "streams": [topic for topic in topics if is_stream_id(topic)],
        "users": [t.removeprefix(_USER) for t in topics if t.startswith(_USER)],
        "all": ALL in topics,
        "types": sorted(endpoint.subscription.types),
        "description": endpoint.description,
        "batch": endpoint.batch,
        "order": endpoint.order,
        "enabled": endpoint.enabled,
        "createdAt": endpoint.created,
        "position": position,
        **_state(endpoint, progress),
        "oldSecretExpiresAt": max(ends, default=None),
    }


def position_of(endpoint: Endpoint, progress: Progress | None) -> str | None:
    """All events up to this position were acknowledged, or do not match the filter."""
    if endpoint.begins_after and not current_progress(endpoint, progress):
        return str(endpoint.begins_after)
    return str(progress.position) if progress else None


def _state(endpoint: Endpoint, progress: Progress | None) -> Document:
    current = current_progress(endpoint, progress)
    return {
        "state": state_of(endpoint, progress),
        "disabledReason": current.disabled or None if current else None,
        "disabledAt": _seconds(current.disabled_at) if current else None,
        "failures": current.failures if current else 0,
        "failingSince": _seconds(current.failing_since) if current else None,
        "retryAt": _seconds(current.retry_at) if current else None,
    }


def _seconds(time: float | None) -> int | None:
    return None if time is None else int(time)


def redelivery_document(redelivery: Redelivery) -> Document:
    """What a client sees of a redelivery: the range that is left, both positions inclusive."""
    first = just_after(redelivery.after) if redelivery.after > START else START
    return {"id": redelivery.id, "from": str(first), "to": str(redelivery.to)}


def attempt_document(attempt: Attempt) -> Document:
    """What a client sees of an attempt."""
    return {
        "at": attempt.at,
        "kind": attempt.kind,
        "messageId": attempt.message_id,
        "events": attempt.events,
        "seconds": attempt.seconds,
        "taken": attempt.was_taken,
        "status": attempt.status,
        "answer": attempt.answer,
        "error": attempt.error,
    }
