"""Sends one delivery to one endpoint, and says how it ended.

See docs/decisions/0129-a-receiver-holds-up-no-other.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import aiohttp

from services.webhooks.metrics import ATTEMPTS, SECONDS, Outcome
from services.webhooks.sending.answer import explanation, outcome_of, read_head, retry_after
from services.webhooks.sending.connecting import Sessions
from services.webhooks.sending.failures import failure
from services.webhooks.sending.lanes import Lanes
from services.webhooks.sending.signing import NotSignedError, Signer
from services.webhooks.sending.target import Target, target_cache
from services.webhooks.settings import DispatcherSettings
from shared.domain.errors import HeadraceError
from shared.webhooks.attempts import Attempt, AttemptKind
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.secrets import SecretBox


class Message(NamedTuple):
    """What is delivered. `id` is the header `webhook-id`, `events` is how many the body has."""

    id: str
    body: bytes
    events: int
    kind: AttemptKind


class NotBegunError(HeadraceError):
    """The delivery must not begin any more, because its turn came too late."""


class SendResult(NamedTuple):
    """How an attempt ended. `retry_after` is in seconds, from the header of that name."""

    attempt: Attempt
    outcome: Outcome
    retry_after: float | None


class _Ending(NamedTuple):
    """What one request came to."""

    outcome: Outcome
    error: str
    status: int | None = None
    answer: str = ""
    retry_after: float | None = None


class Sender:
    """Sends deliveries. `clock` returns Unix seconds, as Redis has them.

    It counts attempts, their duration and those in flight (services.webhooks.metrics).
    """

    def __init__(self, settings: DispatcherSettings, clock: Callable[[], float]) -> None:
        self._seconds = settings.webhook_seconds
        self._clock = clock
        self._signer = Signer(SecretBox(settings.secret_keys))
        self._target = target_cache(settings.webhook_allowed_networks)
        self._lanes = Lanes(settings)
        self._sessions = Sessions(settings)
        self._attempts = {each: ATTEMPTS.labels(each) for each in Outcome}

    async def aclose(self) -> None:
        """Close all connections."""
        await self._sessions.aclose()

    async def send(
        self, endpoint: Endpoint, message: Message, *, may_begin: Callable[[], bool] | None = None
    ) -> SendResult:
        """Send once. Waits for a place in the lane of the endpoint; that time is not counted.

        Every failure is a result. Raises NotBegunError if `may_begin` returns False after the wait:
        then the lease ended meanwhile, or the endpoint was changed.
        """
        try:
            target = self._target(endpoint.url)
        except ValueError as error:
            at = self._clock()
            return self._result(at, 0.0, message, _Ending(Outcome.FORBIDDEN, str(error)))
        places = self._lanes.places(self._lanes.lane(endpoint.id))
        await places.acquire(target.server)
        try:
            if may_begin is not None and not may_begin():
                raise NotBegunError("the delivery must not begin any more")
            at, began = self._clock(), time.monotonic()
            ending = await self._attempt(endpoint, target, message, at)
            seconds = time.monotonic() - began
        finally:
            places.release(target.server)
        taken = ending.outcome is Outcome.TAKEN
        self._lanes.ended(endpoint.id, taken=taken, seconds=seconds)
        return self._result(at, seconds, message, ending)

    async def _attempt(
        self, endpoint: Endpoint, target: Target, message: Message, at: float
    ) -> _Ending:
        try:
            signature = self._signer.headers(endpoint, message.id, message.body, at)
            return await self._request(target, message.body, signature)
        except NotSignedError as error:
            return _Ending(Outcome.UNSIGNED, str(error))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _Ending(*failure(error, target.host, self._seconds))

    async def _request(self, target: Target, body: bytes, signature: dict[str, str]) -> _Ending:
        session = await self._sessions.session_for(target)
        async with session.post(
            target.url, data=body, headers=signature, allow_redirects=False
        ) as response:
            status, answer = response.status, await read_head(response)
            outcome = outcome_of(status)
            if outcome is Outcome.TAKEN:
                return _Ending(outcome, "", status, answer)
            wait = retry_after(response.headers.get("Retry-After"), self._clock())
            return _Ending(outcome, explanation(status, target.host), status, answer, wait)

    def _result(self, at: float, seconds: float, message: Message, ending: _Ending) -> SendResult:
        self._attempts[ending.outcome].inc()
        SECONDS.observe(seconds)
        attempt = Attempt(
            at,
            message.kind,
            message.id,
            message.events,
            seconds,
            ending.status,
            ending.answer,
            ending.error,
        )
        return SendResult(attempt, ending.outcome, ending.retry_after)
