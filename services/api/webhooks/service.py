"""Webhooks are created, changed and deleted. Times are Unix seconds of Redis' clock.

See docs/decisions/0130-a-webhook-keeps-the-rights-of-its-creation.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from services.api.errors import (
    InvalidFieldError,
    PermissionDeniedError,
    StaleVersionError,
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
from services.api.webhooks.repeating import RepeatedRequests
from services.api.webhooks.rights import require_writer, rights_of, too_wide
from services.api.webhooks.schemas import CreateWebhook, PatchWebhook
from shared.auth.principal import Principal
from shared.domain.position import Position
from shared.domain.topics import Subscription
from shared.journal.commit_errors import ContentionError
from shared.journal.plan import StoredResponse
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
        store: EndpointStore,
        reader: WebhookReader,
        repeated: RepeatedRequests,
        *,
        journal: Journal,
        streams: StreamService,
        box: SecretBox,
        clock: Clock,
    ) -> None:
        self._store = store
        self._reader = reader
        self._repeated = repeated
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
        response = self._repeated.response(key, endpoint.id, sealed)
        try:
            await self._store.create(endpoint, most=most, response=response)
        except TooManyEndpointsError:
            raise WebhookQuotaError(most) from None
        except AlreadyAnsweredError as earlier:
            return await self._repeated.document(key, earlier, by)
        return self._reader.document(endpoint, None) | {"secret": secret}

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

    async def rotate(
        self, endpoint_id: str, overlap: int, by: Principal, key: IdempotencyKey | None
    ) -> Document:
        """Give a webhook a new secret, which only this document shows.

        The old one signs too, for `overlap` seconds. Raises CommandRefusedError.
        """
        sealed = self._box.seal(secret := new_secret())
        response = self._repeated.response(key, endpoint_id, sealed)

        async def edit(endpoint: Endpoint, _: Progress | None) -> Endpoint:
            return with_secret(endpoint, sealed, now=int(self._clock()), overlap=overlap)

        try:
            await self._repeated.require_new(response)
            changed = await self._change(endpoint_id, edit, by, response=response)
        except AlreadyAnsweredError as earlier:
            return await self._repeated.document(key, earlier, by)
        return self._reader.document(*changed) | {"secret": secret}

    async def _change(
        self,
        endpoint_id: str,
        edit: Edit,
        by: Principal,
        versions: Versions = None,
        response: StoredResponse | None = None,
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
                await self._store.replace(changed, response=response)
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
