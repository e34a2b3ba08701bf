"""Reads webhooks: one, a page of them, the last attempts to deliver, and redeliveries."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.api.errors import WebhookNotFoundError
from services.api.webhooks.documents import (
    Document,
    attempt_document,
    redelivery_document,
    webhook_document,
)
from services.api.webhooks.rights import (
    listed_account,
    may_read,
    require_changeable,
    require_readable,
)
from services.api.webhooks.schemas import WebhooksQuery
from shared.auth.principal import Principal
from shared.redis.clock import Clock
from shared.webhooks.attempts import AttemptStore
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress, ProgressStore
from shared.webhooks.redeliveries import RedeliveryStore
from shared.webhooks.store import EndpointStore, is_endpoint_id


class WebhookReader:
    """The webhooks of one namespace, as a caller may see them.

    `require_writable` raises WritesSuspendedError while nothing may be written.
    """

    def __init__(
        self,
        store: EndpointStore,
        progress: ProgressStore,
        attempts: AttemptStore,
        redeliveries: RedeliveryStore,
        *,
        require_writable: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._progress = progress
        self._attempts = attempts
        self._redeliveries = redeliveries
        self._require_writable = require_writable
        self._clock = clock

    def document(self, endpoint: Endpoint, progress: Progress | None) -> Document:
        """What a client sees of a webhook now."""
        return webhook_document(endpoint, progress, self._clock())

    async def find(self, endpoint_id: str, by: Principal) -> tuple[Endpoint, Progress | None]:
        """One webhook, and its stored progress if there is one. Raises WebhookNotFoundError."""
        if not is_endpoint_id(endpoint_id):
            raise WebhookNotFoundError(endpoint_id)
        found = (await self._store.load([endpoint_id])).get(endpoint_id)
        endpoint = require_readable(by, endpoint_id, found)
        return endpoint, (await self._progress.load([endpoint_id])).get(endpoint_id)

    async def changeable(self, endpoint_id: str, by: Principal) -> tuple[Endpoint, Progress | None]:
        """The same, for a change. Raises PermissionDeniedError and WritesSuspendedError too."""
        endpoint, progress = await self.find(endpoint_id, by)
        require_changeable(by, endpoint)
        self._require_writable()
        return endpoint, progress

    async def page(self, query: WebhooksQuery, by: Principal) -> Document:
        """A page of webhooks, the oldest first. Raises PermissionDeniedError."""
        rows = await self._readable(listed_account(by, query.account), by)
        if query.cursor:
            rows = [each for each in rows if _place(each) > _parse_cursor(query.cursor)]
        page, rest = rows[: query.limit], rows[query.limit :]
        progress = await self._progress.load([each.id for each in page])
        return {
            "items": [self.document(each, progress.get(each.id)) for each in page],
            "next": "{}.{}".format(*_place(page[-1])) if rest else None,
        }

    async def _readable(self, account: str | None, by: Principal) -> Sequence[Endpoint]:
        if account is not None:
            return [e for e in await self._store.of_account(account) if may_read(by, e)]
        found = {each.id: each async for each in self._store.all() if may_read(by, each)}
        return sorted(found.values(), key=_place)

    async def deliveries(self, endpoint_id: str, by: Principal) -> Document:
        """The last attempts, the newest first. Raises WebhookNotFoundError."""
        await self.find(endpoint_id, by)
        attempts = await self._attempts.newest(endpoint_id)
        return {"items": [attempt_document(each) for each in attempts], "next": None}

    async def redeliveries(self, endpoint_id: str, by: Principal) -> Document:
        """The redeliveries that have not ended. Raises WebhookNotFoundError."""
        await self.find(endpoint_id, by)
        rows = sorted(
            await self._redeliveries.of_endpoint(endpoint_id),
            key=lambda each: (each.after, each.to, each.id),
        )
        return {"items": [redelivery_document(each) for each in rows], "next": None}


def _place(endpoint: Endpoint) -> tuple[int, str]:
    return endpoint.created, endpoint.id


def _parse_cursor(text: str) -> tuple[int, str]:
    created, _, endpoint_id = text.partition(".")
    return int(created), endpoint_id
