"""Sends one delivery to one endpoint, and says how it ended.

See docs/decisions/0129-a-receiver-holds-up-no-other.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import aiohttp
import structlog

from services.webhooks.metrics import ATTEMPTS, SECONDS, Lane, Outcome
from services.webhooks.sending.answer import explanation, outcome_of, read_head, retry_after
from services.webhooks.sending.connecting import Sessions
from services.webhooks.sending.connector import StaleConnectionError
from services.webhooks.sending.delivery_body import DeliveryBody, MayBegin, NotBegunError
from services.webhooks.sending.failures import failure
from services.webhooks.sending.lanes import LaneMemory, Places
from services.webhooks.sending.signing import NotSignedError, Signer
from services.webhooks.sending.target import Target, target_cache
from services.webhooks.settings import DispatcherSettings
from shared.webhooks.attempts import Attempt, AttemptKind
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.secrets import SecretBox

log = structlog.get_logger()

_EXPECTED_ERRORS = (aiohttp.ClientError, aiohttp.EofStream, OSError, ValueError)
"""What a receiver that fails causes."""

_STALE_CONNECTIONS = 2
"""So many kept connections may turn out to be closed."""


def _always() -> bool:
    return True


class Message(NamedTuple):
    """What is delivered. `id` is the header `webhook-id`, `events` is how many the body has.

    `may_begin` is asked before a request is written. It returns False if the lease has ended, or if
    the endpoint was changed.
    """

    id: str
    body: bytes
    events: int
    kind: AttemptKind
    may_begin: MayBegin = _always


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


class _Lane:
    """The places and the connections of a lane."""

    def __init__(self, lane: Lane, settings: DispatcherSettings, most: int) -> None:
        self.places = Places(lane, most)
        self.sessions = Sessions(settings, most)


class Sender:
    """Sends deliveries. `clock` returns Unix seconds, as Redis has them.

    It counts attempts, their duration and those in flight (services.webhooks.metrics).
    """

    def __init__(self, settings: DispatcherSettings, clock: Callable[[], float]) -> None:
        self._seconds = settings.webhook_seconds
        self._clock = clock
        self._signer = Signer(SecretBox(settings.secret_keys))
        self._target = target_cache(settings.webhook_allowed_networks)
        self._memory = LaneMemory()
        self._lanes = {
            Lane.HEALTHY: _Lane(Lane.HEALTHY, settings, settings.webhook_connections),
            Lane.SLOW: _Lane(Lane.SLOW, settings, settings.webhook_slow_connections),
        }
        self._attempts = {each: ATTEMPTS.labels(each) for each in Outcome}

    async def aclose(self) -> None:
        """Close all connections."""
        for each in self._lanes.values():
            await each.sessions.aclose()

    async def send(self, endpoint: Endpoint, message: Message) -> SendResult:
        """Send once. Waits for a place in the lane of the endpoint; that time is not counted.

        Every failure is a result. Raises NotBegunError if `message.may_begin` returned False.
        """
        try:
            target = self._target(endpoint.url)
        except ValueError as error:
            ending = _Ending(Outcome.FORBIDDEN, str(error))
            return self._result(self._clock(), 0.0, message, ending)
        lane = self._lanes[self._memory.lane(endpoint.id)]
        await lane.places.acquire(target.server)
        try:
            if not message.may_begin():
                raise NotBegunError
            at, began = self._clock(), time.monotonic()
            ending = await self._attempt(lane.sessions, endpoint, target, message, at)
            seconds = time.monotonic() - began
        finally:
            lane.places.release(target.server)
        taken = ending.outcome is Outcome.TAKEN
        self._memory.ended(endpoint.id, taken=taken, seconds=seconds)
        return self._result(at, seconds, message, ending)

    async def _attempt(
        self, sessions: Sessions, endpoint: Endpoint, target: Target, message: Message, at: float
    ) -> _Ending:
        try:
            signature = self._signer.headers(endpoint, message.id, message.body, at)
        except NotSignedError as error:
            return _Ending(Outcome.UNSIGNED, str(error))
        try:
            return await self._requests(sessions, target, message, signature)
        except NotBegunError:
            raise
        except Exception as error:
            if not isinstance(error, _EXPECTED_ERRORS):
                # Our defect, but this receiver caused it. It counts as a failure, so that there
                # are pauses between the attempts, and an end.
                log.exception("webhook_attempt_failed", webhook=endpoint.id)
            return _Ending(*failure(error, target.host, self._seconds))

    async def _requests(
        self, sessions: Sessions, target: Target, message: Message, signature: Mapping[str, str]
    ) -> _Ending:
        for _ in range(_STALE_CONNECTIONS):
            with suppress(StaleConnectionError):  # the receiver is not to blame for it
                return await self._request(sessions, target, message, signature)
        return await self._request(sessions, target, message, signature)

    async def _request(
        self, sessions: Sessions, target: Target, message: Message, signature: Mapping[str, str]
    ) -> _Ending:
        session, proxy = await sessions.route(target)
        body = DeliveryBody(message.body, message.may_begin)
        try:
            response = await session.post(
                target.url, data=body, headers=signature, proxy=proxy, allow_redirects=False
            )
        except aiohttp.ClientConnectionError:
            if body.withheld:
                raise NotBegunError from None
            raise
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
