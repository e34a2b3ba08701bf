"""The event `webhook.disabled`: tells the owner of an endpoint that it gets nothing any more.

It is committed exactly once for each generation of an endpoint. The commit also stores a key, as
for a request with an Idempotency-Key, so a repeated commit writes nothing.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit, urlunsplit

from services.webhooks.metrics import DISABLED
from shared.domain.events import Event, EventType
from shared.domain.position import Position
from shared.journal.commit import Committer
from shared.journal.plan import StoredResponse
from shared.webhooks.endpoint import Endpoint

_KEPT_SECONDS = 30 * 86_400
"""For so long a repeated commit is noticed. It follows within seconds, or at a restart."""


class DisabledAnnouncer:
    """Commits the event. Raises CommitError, and redis-py's errors."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer

    def stay_above(self, position: Position) -> None:
        """Give the event only positions above this one."""
        self._committer.stay_above(position)

    async def announce(self, endpoint: Endpoint, reason: str, since: float, now: float) -> None:
        """Commit the event. `since` is when the receiver began to fail, in Unix seconds."""
        event = _event(endpoint, reason, since, now)
        name = f"webhook.disabled {endpoint.id} {endpoint.generation}"
        key = self._committer.keys.stored_response(hashlib.sha256(name.encode()).hexdigest())
        response = StoredResponse(key, b"", _KEPT_SECONDS)
        done = await self._committer.change((), lambda _: [event], response)
        if done.writes:
            DISABLED.labels(reason).inc()


def _event(endpoint: Endpoint, reason: str, since: float, now: float) -> Event:
    facts = {
        "account": endpoint.account,
        "webhookId": endpoint.id,
        "url": without_query(endpoint.url),
        "reason": reason,
        "since": int(since),
    }
    return Event(EventType.WEBHOOK_DISABLED, None, int(now), facts)


def without_query(url: str) -> str:
    """A URL as others may see it. A query often has a secret."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
