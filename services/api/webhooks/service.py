"""Webhooks are created, changed and deleted. Times are Unix seconds of Redis' clock.

See docs/decisions/0130-a-webhook-keeps-the-rights-of-its-creation.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from services.api.errors import (
    InvalidFieldError,
    PermissionDeniedError,
    StaleVersionError,
    WebhookDeletedError,
    WebhookNotFoundError,
    WebhookQuotaError,
)
from services.api.events.permissions import require_topics
from services.api.http.idempotency import IdempotencyKey
from services.api.streams.service import StreamService, Versions
from services.api.webhooks.documents import Document
from services.api.webhooks.edits import (
    begun_again,
    edited,
    position_before,
    topics_of_body,
    with_secret,
)
from services.api.webhooks.reading import WebhookReader
from services.api.webhooks.rights import require_changeable, require_writer, rights_of, too_wide
from services.api.webhooks.schemas import CreateWebhook, PatchWebhook
from shared.auth.principal import Principal
from shared.domain.position import Position
from shared.domain.topics import Subscription
from shared.journal.commit_errors import ContentionError
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from shared.redis.clock import Clock
from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.progress import Progress
from shared.webhooks.secrets import SecretBox, new_secret
from shared.webhooks.store import (
    AlreadyAnsweredError,
    EndpointConflictError,
    EndpointStore,
    TooManyEndpointsError,
)
from shared.webhooks.store import new_endpoint_id as new_id

_ATTEMPTS = 5

Edit = Callable[[Endpoint, Progress | None], Awaitable[Endpoint]]
"""Returns the changed endpoint, given the stored one and its progress."""


class WebhookService:
    """Changes the webhooks of one namespace. Who may do what: services.api.webhooks.rights."""

    def __init__(
        self,
        keys: Keys,
        store: EndpointStore,
        reader: WebhookReader,
        *,
        journal: Journal,
        streams: StreamService,
        box: SecretBox,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._store = store
        self._reader = reader
        self._journal = journal
        self._streams = streams
        self._box = box
        self._clock = clock

    async def create(
        self, body: CreateWebhook, by: Principal, key: IdempotencyKey | None, most: int
    ) -> Document:
        """Create a webhook. Only this document, and that of a rotation, shows the secret.

        Raises PermissionDeniedError, InvalidFieldError, WebhookQuotaError, and
        WritesSuspendedError.
        """
        require_writer(by)
        wanted = Subscription(topics_of_body(body, by.account), frozenset(body.types))
        await require_topics(by, wanted, self._streams, "pointer")
        self._streams.require_writable()
        top = await self._top()
        sealed = self._box.seal(secret := new_secret())
        endpoint = Endpoint(
            id=new_id(),
            account=by.account,
            url=body.url,
            subscription=wanted,
            secrets=(SealedSecret(sealed),),
            created=int(self._clock()),
            begins_after=position_before(body.from_, top) if body.from_ else top,
            sees_all=by.may_see_all(),
            description=body.description,
            batch=body.batch,
            order=body.order,
            enabled=body.enabled,
        )
        name = f"{endpoint.id}\n{_digest(sealed)}"
        response = key.to_store(self._keys, name) if key else None
        try:
            await self._store.create(endpoint, most=most, response=response)
        except TooManyEndpointsError:
            raise WebhookQuotaError(most) from None
        except AlreadyAnsweredError as earlier:
            assert key  # only a request with a key stores a response
            return await self._repeated(key.stored_text(earlier.stored), by)
        return self._reader.document(endpoint, None) | {"secret": secret}

    async def _repeated(self, stored: str, by: Principal) -> Document:
        """The response to a repeated request: the webhook now, with the secret it was made with.

        No secret is stored with the response. If the first secret was replaced and signs no more,
        `secret` is null. Another login of the same account can repeat the request, so showing the
        secret needs the rights of a change. Raises WebhookDeletedError, PermissionDeniedError.
        """
        endpoint_id, digest = stored.split("\n")[:2]
        if not await self._store.load([endpoint_id]):
            raise WebhookDeletedError(endpoint_id)
        endpoint, progress = await self._reader.find(endpoint_id, by)
        require_changeable(by, endpoint)
        sealed = next((s.sealed for s in endpoint.secrets if _digest(s.sealed) == digest), None)
        secret = None if sealed is None else self._box.open(sealed)
        return self._reader.document(endpoint, progress) | {"secret": secret}

    async def patch(
        self, endpoint_id: str, body: PatchWebhook, by: Principal, versions: Versions
    ) -> Document:
        """Change a webhook. Raises the errors of `create`, and StaleVersionError."""
        begins_again = body.enabled and "enabled" in body.model_fields_set
        if body.from_ and not begins_again:
            raise InvalidFieldError("/from", "is allowed only together with enabled: true")
        begin = position_before(body.from_, await self._top()) if body.from_ else None

        async def edit(endpoint: Endpoint, progress: Progress | None) -> Endpoint:
            changed = edited(endpoint, body)
            await self._require_topics(endpoint, changed.subscription, by)
            return begun_again(changed, progress, begin) if begins_again else changed

        return self._reader.document(*await self._change(endpoint_id, edit, by, versions))

    async def _require_topics(
        self, endpoint: Endpoint, wanted: Subscription, by: Principal
    ) -> None:
        """Check that caller and webhook may get the topics of a change."""
        if wanted.topics == endpoint.subscription.topics:
            return
        await require_topics(by, wanted, self._streams, "pointer")
        if endpoint.sees_all:
            return
        known, owner = endpoint.subscription.topics, rights_of(endpoint)
        added = Subscription(tuple(each for each in wanted.topics if each not in known))
        try:
            await require_topics(owner, added, self._streams, "pointer")
        except PermissionDeniedError as error:
            raise too_wide(error) from None

    async def rotate(self, endpoint_id: str, overlap: int, by: Principal) -> Document:
        """Give a webhook a new secret, which only this document shows.

        The old one signs too, for `overlap` seconds. Raises CommandRefusedError.
        """
        sealed = self._box.seal(secret := new_secret())

        async def edit(endpoint: Endpoint, _: Progress | None) -> Endpoint:
            return with_secret(endpoint, sealed, now=int(self._clock()), overlap=overlap)

        changed = await self._change(endpoint_id, edit, by, None)
        return self._reader.document(*changed) | {"secret": secret}

    async def _change(
        self, endpoint_id: str, edit: Edit, by: Principal, versions: Versions
    ) -> tuple[Endpoint, Progress | None]:
        for _ in range(_ATTEMPTS):
            endpoint, progress = await self._reader.changeable(endpoint_id, by)
            if versions is not None and endpoint.revision not in versions:
                raise StaleVersionError(f"Webhook {endpoint_id}", endpoint.revision)
            if (edited_one := await edit(endpoint, progress)) == endpoint:
                await self._store.confirm()
                return endpoint, progress
            changed = replace(edited_one, revision=endpoint.revision + 1)
            try:
                await self._store.replace(changed)
            except EndpointConflictError:
                continue
            return changed, progress
        raise ContentionError(
            f"other requests changed webhook {endpoint_id} at each of {_ATTEMPTS} attempts"
        )

    async def delete(self, endpoint_id: str, by: Principal) -> None:
        """Delete a webhook. Raises WebhookNotFoundError, PermissionDeniedError."""
        try:
            endpoint, _ = await self._reader.changeable(endpoint_id, by)
            if not await self._store.delete(endpoint):
                raise WebhookNotFoundError(endpoint_id)
        except WebhookNotFoundError:
            await self._store.confirm()  # an earlier request may have deleted it
            raise

    async def _top(self) -> Position:
        return (await self._journal.tip()).top


def _digest(sealed: str) -> str:
    """Tells sealed secrets apart, without a secret."""
    return hashlib.sha256(sealed.encode()).hexdigest()
