"""Requests that are repeated with the same Idempotency-Key (services.api.http.idempotency).

The script that makes a change also stores a reference to the response: the id of the webhook, and
a hash of the sealed secret that the response shows. No secret is stored with it.
"""

from __future__ import annotations

import hashlib

from services.api.errors import WebhookDeletedError
from services.api.http.idempotency import IdempotencyKey
from services.api.webhooks.documents import Document
from services.api.webhooks.reading import WebhookReader
from services.api.webhooks.rights import require_changeable
from shared.auth.principal import Principal
from shared.journal.commit import Committer
from shared.journal.plan import StoredResponse
from shared.redis.clock import Clock
from shared.webhooks.secrets import SecretBox
from shared.webhooks.store import AlreadyAnsweredError, EndpointStore


class RepeatedRequests:
    """The responses with the secret of a webhook, and whether a request is repeated."""

    def __init__(
        self,
        committer: Committer,
        store: EndpointStore,
        reader: WebhookReader,
        box: SecretBox,
        clock: Clock,
    ) -> None:
        self._committer = committer
        self._store = store
        self._reader = reader
        self._box = box
        self._clock = clock

    def response(
        self, key: IdempotencyKey | None, endpoint_id: str, sealed: str = ""
    ) -> StoredResponse | None:
        """What the script stores for a repetition; None without a key. `sealed` is the secret."""
        name = f"{endpoint_id}\n{_digest(sealed)}" if sealed else endpoint_id
        return key.to_store(self._committer.keys, name) if key else None

    async def require_new(self, response: StoredResponse | None) -> None:
        """Raise AlreadyAnsweredError for a repeated request.

        The script looks too. But a repeated request may be refused before: the first one has
        changed what is allowed.
        """
        if response and (stored := await self._committer.stored_response(response.key)):
            raise AlreadyAnsweredError(stored)

    async def document(
        self, key: IdempotencyKey | None, earlier: AlreadyAnsweredError, by: Principal
    ) -> Document:
        """The response to a repeated request: the webhook now, with the secret of the first one.

        If this secret was replaced and signs no more, `secret` is null. Another login of the same
        account can repeat the request, so showing the secret needs the rights of a change. Raises
        WebhookDeletedError, PermissionDeniedError.
        """
        assert key  # only a request with a key has a stored response
        endpoint_id, digest = key.stored_text(earlier.stored).split("\n")[:2]
        if not await self._store.load([endpoint_id]):
            raise WebhookDeletedError(endpoint_id)
        endpoint, progress = await self._reader.find(endpoint_id, by)
        require_changeable(by, endpoint)
        valid = [each.sealed for each in endpoint.secrets if each.signs(self._clock())]
        sealed = next((each for each in valid if _digest(each) == digest), None)
        secret = None if sealed is None else self._box.open(sealed)
        return self._reader.document(endpoint, progress) | {"secret": secret}


def _digest(sealed: str) -> str:
    """Tells sealed secrets apart, without a secret."""
    return hashlib.sha256(sealed.encode()).hexdigest()
