"""What an owner asks of the dispatchers: tests and redeliveries."""

from __future__ import annotations

import secrets

from services.api.errors import (
    InvalidFieldError,
    RedeliveryNotFoundError,
    WebhookNotFoundError,
)
from services.api.http.idempotency import IdempotencyKey
from services.api.webhooks.documents import Document, redelivery_document
from services.api.webhooks.edits import position_before
from services.api.webhooks.reading import WebhookReader
from services.api.webhooks.repeating import RepeatedRequests
from services.api.webhooks.schemas import RedeliverEvents
from shared.auth.principal import Principal
from shared.domain.commands import CommandRefusedError
from shared.domain.position import Position
from shared.journal.reader import Journal
from shared.webhooks.changes import Change, ChangeKind, ChangeLog
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress
from shared.webhooks.redeliveries import RedeliveryStore, stored_redelivery
from shared.webhooks.state import EndpointState, state_of
from shared.webhooks.store import AlreadyAnsweredError, EndpointDeletedError


class WebhookJobs:
    """Tests and redeliveries of the webhooks of one namespace."""

    def __init__(
        self,
        reader: WebhookReader,
        repeated: RepeatedRequests,
        redeliveries: RedeliveryStore,
        changes: ChangeLog,
        journal: Journal,
    ) -> None:
        self._reader = reader
        self._repeated = repeated
        self._redeliveries = redeliveries
        self._changes = changes
        self._journal = journal

    async def test(self, endpoint: Endpoint) -> str:
        """Ask for a test delivery of a webhook that the caller may change.

        Returns the id of its message, `webhook-id`.
        """
        message_id = f"test_{secrets.token_hex(12)}"
        await self._changes.add(Change(endpoint.id, ChangeKind.TEST, message_id))
        return message_id

    async def redeliver(
        self, endpoint_id: str, body: RedeliverEvents, by: Principal, key: IdempotencyKey | None
    ) -> Document:
        """Ask that events are delivered once more.

        Raises CommandRefusedError if the webhook is disabled, and TooManyRedeliveriesError.
        """
        endpoint, progress = await self._reader.changeable(endpoint_id, by)
        response = self._repeated.response(key, endpoint_id)
        try:
            await self._repeated.require_new(response)
            _require_enabled(endpoint, progress)
            after, to = await self._range(body)
            added = await self._redeliveries.add(endpoint_id, after, to, response=response)
        except AlreadyAnsweredError as earlier:
            assert key  # only a request with a key has a stored response
            _, _, stored = key.stored_text(earlier.stored).partition("\n")
            added = stored_redelivery(stored)
        except EndpointDeletedError:
            raise WebhookNotFoundError(endpoint_id) from None
        return redelivery_document(added)

    async def _range(self, body: RedeliverEvents) -> tuple[Position, Position]:
        """The positions before the first event, and of the last one. Raises InvalidFieldError."""
        top = (await self._journal.tip()).top
        after, to = position_before(body.from_, top), body.to or top
        if to < body.from_:
            raise InvalidFieldError("/to", "must not be below `from`")
        if to > top:
            raise InvalidFieldError("/to", f"is above the newest event, which is at {top}")
        return after, to

    async def stop_redelivery(self, endpoint_id: str, redelivery_id: str, by: Principal) -> None:
        """End a redelivery. Raises WebhookNotFoundError, RedeliveryNotFoundError."""
        await self._reader.changeable(endpoint_id, by)
        if not await self._redeliveries.stop(endpoint_id, redelivery_id):
            raise RedeliveryNotFoundError(redelivery_id)


def _require_enabled(endpoint: Endpoint, progress: Progress | None) -> None:
    if state_of(endpoint, progress) is EndpointState.DISABLED:
        raise CommandRefusedError(
            "the webhook is disabled: enable it first, with PATCH and enabled: true"
        )
