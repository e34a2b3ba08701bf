"""From an HTTP request to a subscriber whose socket has left aiohttp.

See docs/decisions/0028-gateway-answers-in-band.md,
docs/decisions/0064-errors-are-translated-at-the-edge.md.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import structlog
from aiohttp import web

from services.fanout import metrics, sse
from services.fanout.connections.expiry import ConnectionExpiry
from services.fanout.connections.limits import ConnectionLease, ConnectionLimits
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.feed import Feed
from services.fanout.frame import Frame
from services.fanout.jitter import jittered
from services.fanout.reasons import EndReason, RefusalReason
from services.fanout.settings import FanoutSettings
from services.fanout.subscribe.authorization import Authorizer, Credentials
from services.fanout.subscribe.detach import DetachedResponse, duplicate_socket
from services.fanout.subscribe.replay import Replay, ResumeLimitError
from services.fanout.subscribe.request import SubscribeRequest, parse_subscribe_request
from services.fanout.subscribe.turn import Turn
from shared.archive.errors import ArchiveError
from shared.auth.principal import Principal
from shared.domain.strkeys import account_of_login
from shared.redis.client import REDIS_UNAVAILABLE
from shared.redis.clock import RedisClock
from shared.runtime.token_bucket import TokenBucket
from shared.web.client_ip import UNKNOWN, client_address, limit_key_of
from shared.web.cors import Cors
from shared.web.problems import Goodbye, Problem, Slug

log = structlog.get_logger()

_HOLDERS = {"user": "account", "ip": "address"}
_AUTHORIZATION_UNAVAILABLE = (
    RefusalReason.UNAVAILABLE,
    "Authorization is temporarily unavailable; retry later.",
)


@dataclass(frozen=True, slots=True)
class Components:
    """The parts of the service that the handler needs."""

    settings: FanoutSettings
    feed: Feed
    registry: SubscriberRegistry
    cors: Cors
    authorizer: Authorizer
    limits: ConnectionLimits
    expiry: ConnectionExpiry
    clock: RedisClock


class SubscribeHandler:
    """The handler of /v1/events/subscribe."""

    def __init__(self, components: Components) -> None:
        self._settings = components.settings
        self._feed = components.feed
        self._registry = components.registry
        self._cors = components.cors
        self._authorizer = components.authorizer
        self._limits = components.limits
        self._expiry = components.expiry
        self._rate = TokenBucket(components.settings.handshakes_per_second)
        self._replay_turn = Turn()
        self.draining = False

    async def subscribe(self, request: web.Request) -> web.StreamResponse:
        """Check the request, take its socket from aiohttp, and start to send events.

        Raises Problem 400 for a malformed subscription, 401 without a valid token, and 403 for a
        token without the permission. Temporary refusals are sent in-band (`overload`).
        """
        parsed = parse_subscribe_request(request, self._settings)
        if refusal := self._unavailable_reason() or self._rate_limited():
            return self._reject(parsed, *refusal)
        credentials: Credentials | None = None
        try:
            credentials = await self._authorizer.credentials(request)
            principal, allowed = await self._authorizer.admit(credentials, parsed.subscription)
            if allowed is not parsed.subscription:  # it named no topic, and gets the account's own
                parsed = replace(parsed, subscription=allowed)
            account = account_of_login(principal.account)
            lease = await self._limits.take(account, self._address(request))
        except REDIS_UNAVAILABLE:
            return self._reject(parsed, *_AUTHORIZATION_UNAVAILABLE, credentials=credentials)
        except Problem as problem:
            if problem.slug != Slug.UNAVAILABLE:
                raise
            return self._reject(parsed, *_AUTHORIZATION_UNAVAILABLE, credentials=credentials)
        if isinstance(lease, str):
            detail = f"this {_HOLDERS[lease]} has reached its limit of connections"
            return self._reject(
                parsed, RefusalReason(f"per_{lease}"), detail, status=429, credentials=credentials
            )
        if refusal := self._unavailable_reason():  # may have changed during the calls above
            self._limits.release(lease)
            return self._reject(parsed, *refusal, credentials=credentials)
        try:
            subscriber = self._detach(request, parsed, principal, lease)
        except OSError as error:  # no descriptor left
            detail = f"this replica cannot take more connections: {error.strerror}"
            return self._reject(parsed, RefusalReason.FULL, detail, credentials=credentials)
        cookie = credentials.cookie if credentials else None
        return await self._start(request, subscriber, parsed, cookie)

    def _address(self, request: web.Request) -> str:
        if not self._settings.connections_per_ip:
            return UNKNOWN  # no limit needs the address, and parsing it is slow
        forwarded = request.headers.getall("X-Forwarded-For", [])
        trusted = self._settings.trusted_proxies
        return limit_key_of(client_address(request.remote, forwarded, trusted))

    async def _start(
        self,
        request: web.Request,
        subscriber: Subscriber,
        parsed: SubscribeRequest,
        cookie: str | None,
    ) -> web.StreamResponse:
        try:
            await self._start_events(request, subscriber, parsed, cookie)
        except ConnectionError:
            self._registry.disconnect(subscriber, EndReason.GONE)
        except ResumeLimitError:
            self._expiry.end(subscriber, Goodbye.RESUME_LIMIT)
        except (*REDIS_UNAVAILABLE, ArchiveError):
            why = "past events cannot be read at the moment; retry later"
            self._registry.send(subscriber, sse.overload(why, self._retry_later()))
            self._registry.disconnect(subscriber, EndReason.UNAVAILABLE)
        except Exception:
            # aiohttp must not send an error page: the head of the response was sent already.
            log.exception("greeting_failed", path=request.path)
            self._registry.disconnect(subscriber, EndReason.FAILED)
        except BaseException:
            self._registry.disconnect(subscriber, EndReason.UNFINISHED)
            raise
        return DetachedResponse()

    def _unavailable_reason(self) -> tuple[RefusalReason, str] | None:
        """Why no subscription is accepted now: a label for the metric, and a sentence."""
        if self.draining:
            return RefusalReason.DRAINING, "this replica is shutting down"
        if not self._feed.started.is_set():
            return RefusalReason.NOT_READY, "this replica has just started and reads no events yet"
        if self._feed.server.reason:
            return RefusalReason.BEHIND, "this replica cannot read new events at the moment"
        if self._registry.count >= self._settings.max_connections:
            return RefusalReason.FULL, "this replica has reached its limit of connections"
        return None

    def _rate_limited(self) -> tuple[RefusalReason, str] | None:
        if self._rate.take(time.monotonic()):
            return None
        return RefusalReason.HANDSHAKE_RATE, "too many new connections; retry later"

    def _reject(
        self,
        parsed: SubscribeRequest,
        reason: RefusalReason,
        detail: str,
        *,
        status: int = 503,
        credentials: Credentials | None = None,
    ) -> web.StreamResponse:
        """Refuse the request.

        By default the refusal is an in-band `overload`, because an EventSource does not reconnect
        after a status other than 200 (WHATWG HTML, 9.2.3). With `on_overload=status` the refusal
        is a Problem with Retry-After.
        """
        metrics.REFUSALS.labels(reason).inc()
        retry = self._retry_later()
        cookie = credentials.cookie if credentials else None
        headers = {"Set-Cookie": cookie} if cookie else {}
        if parsed.overload_by_status:
            headers["Retry-After"] = str(-(-retry // 1000))
            raise Problem(status, Slug.OVERLOADED, detail, headers=headers)
        headers["Cache-Control"] = "no-store, no-transform"
        response = web.Response(
            body=sse.overload(detail, retry, parsed.resume_from),
            headers=headers,
            content_type="text/event-stream",
        )
        response.force_close()
        return response

    def _retry_later(self) -> int:
        return jittered(max(self._settings.retry_ms, 4000))

    def _detach(
        self,
        request: web.Request,
        parsed: SubscribeRequest,
        principal: Principal,
        lease: ConnectionLease,
    ) -> Subscriber:
        try:
            sock = duplicate_socket(request)
        except BaseException:
            self._limits.release(lease)
            raise
        subscriber = Subscriber(sock, parsed.subscription.types, principal, parsed.encoding)
        subscriber.lease = lease
        self._registry.register(subscriber)
        self._expiry.start(subscriber)
        return subscriber

    async def _start_events(
        self,
        request: web.Request,
        subscriber: Subscriber,
        parsed: SubscribeRequest,
        cookie: str | None,
    ) -> None:
        here, topics = self._feed.position, parsed.subscription.topics
        start = here if parsed.resume_from is None else parsed.resume_from
        subscriber.since = start
        retry = jittered(self._settings.retry_ms)
        headers = [*self._cors.headers(request).items(), *parsed.encoding.headers]
        if cookie:
            headers.append(("Set-Cookie", cookie))
        greeting = sse.connected(self._registry.id_of(subscriber), topics, start, retry)
        if parsed.invalid_id:
            greeting += sse.reset(here, parsed.invalid_id)
        first = sse.response_head(headers) + parsed.encoding.start
        first += Frame(greeting).encoded(parsed.encoding)
        if parsed.resume_from is None:  # no await since `here` was read, so no event is missed
            if self._registry.write(subscriber, first):
                self._registry.go_live(subscriber, topics, self._feed.failover.epoch)
            return
        await Replay(
            self._feed,
            self._registry,
            subscriber,
            parsed.subscription,
            self._replay_turn,
            settings=self._settings,
        ).run(parsed.resume_from, first)
