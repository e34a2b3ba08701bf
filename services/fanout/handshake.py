"""The handshake: from an HTTP request to a subscriber whose socket has left aiohttp."""

from __future__ import annotations

import asyncio
import os
import secrets

import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from services.fanout import metrics, sse
from services.fanout.crowd import Crowd
from services.fanout.feed import Feed
from services.fanout.jitter import jittered
from services.fanout.replay import Replay
from services.fanout.settings import Settings
from services.fanout.subscriber import Subscriber
from shared.cors import Cors
from shared.positions import Position, parse_position
from shared.problems import Problem, Slug
from shared.store import Unreachable
from shared.topics import Subscription, parse_subscription

log = structlog.get_logger()

RESUME_PARAMETERS = ("last_event_id", "lastEventId", "lastEventID", "since", "cursor")
"""Where clients that cannot set the header put it; the header wins (docs/events.md)."""


class Left(web.StreamResponse):
    """What aiohttp is told when its connection has been taken over: write nothing, close yours."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """The head has been written already."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """The body goes on without aiohttp."""


class Handshake:
    """The handler of /v1/events/subscribe."""

    def __init__(self, settings: Settings, feed: Feed, crowd: Crowd, cors: Cors) -> None:
        self._settings = settings
        self._feed = feed
        self._crowd = crowd
        self._cors = cors
        self.draining = False

    async def subscribe(self, request: web.Request) -> web.StreamResponse:
        """Answer with events until one of both sides ends it; 400 for a malformed subscription."""
        subscription = self._subscription(request)
        resume = _resume_position(request)
        if trouble := self._trouble():
            return self._turn_away(request, *trouble)
        subscriber = self._detach(request, subscription)
        try:
            await self._greet(request, subscriber, subscription, resume)
        except Unreachable:  # the client, unless it is still there: then it was Redis
            farewell = sse.overload("the history cannot be read now", self._retry_later())
            self._crowd.send(subscriber, farewell)
            self._crowd.leave(subscriber, "unavailable")
        except Exception:  # never aiohttp's error page: the head of the answer is out already
            log.exception("greeting_failed", path=request.path)
            self._crowd.leave(subscriber, "failed")
        except BaseException:
            self._crowd.leave(subscriber, "unfinished")
            raise
        return Left()

    def _subscription(self, request: web.Request) -> Subscription:
        query = request.query
        subscription, mistakes = parse_subscription(
            streams=query.getall("streams", ()),
            users=query.getall("users", ()),
            everything=query.get("all"),
            types=query.getall("types", ()),
        )
        most = self._settings.max_topics
        if len(subscription.topics) > most:
            count = len(subscription.topics)
            mistakes = [("streams", f"{count} topics in one subscription; at most {most}")]
        if mistakes:
            errors = [{"parameter": name, "detail": detail} for name, detail in mistakes]
            detail = "; ".join(f"{name}: {detail}" for name, detail in mistakes[:5])
            raise Problem(400, Slug.INVALID_SUBSCRIPTION, detail, errors=errors)
        return subscription

    def _trouble(self) -> tuple[str, str] | None:
        """Why nobody can be let in now: a slug for the metric and a sentence."""
        if self.draining:
            return "draining", "this replica is shutting down"
        if not self._feed.started.is_set():
            return "not_ready", "events cannot be read yet"
        if self._crowd.count >= self._settings.max_connections:
            return "full", "this replica holds as many connections as it may"
        return None

    def _turn_away(self, request: web.Request, reason: str, why: str) -> web.StreamResponse:
        """In-band, as any status but 200 is final for a native EventSource; or by status."""
        metrics.TURNED_AWAY.labels(reason).inc()
        retry = self._retry_later()
        if request.query.get("on_overload") == "status":
            headers = {"Retry-After": str(-(-retry // 1000))}
            raise Problem(503, Slug.OVERLOADED, why, headers=headers)
        response = web.Response(body=sse.overload(why, retry), content_type="text/event-stream")
        response.headers["Cache-Control"] = "no-store, no-transform"
        response.force_close()
        return response

    def _retry_later(self) -> int:
        return jittered(max(self._settings.retry_ms, 4000))

    def _detach(self, request: web.Request, subscription: Subscription) -> Subscriber:
        """A descriptor of our own for the connection; aiohttp closes its one after the handler."""
        transport = request.transport
        if transport is None:
            raise asyncio.CancelledError  # the client left before we looked
        fd = os.dup(transport.get_extra_info("socket").fileno())
        subscriber = Subscriber(fd, subscription.types)
        self._crowd.enter(subscriber)
        return subscriber

    async def _greet(
        self,
        request: web.Request,
        subscriber: Subscriber,
        subscription: Subscription,
        resume: Position | str | None,
    ) -> None:
        here = self._feed.position
        start = resume if isinstance(resume, Position) else here
        retry = jittered(self._settings.retry_ms)
        first = sse.head(list(self._cors.headers(request).items()))
        first += sse.connected(secrets.token_hex(8), subscription.topics, start, retry)
        if isinstance(resume, str):
            first += sse.reset(here, resume)
        if not self._crowd.send(subscriber, first):
            return
        if not isinstance(resume, Position):  # in the same step as `here` was read: gapless
            self._crowd.join(subscriber, subscription.topics, self._feed.epoch)
            return
        await Replay(
            self._feed,
            self._crowd,
            subscriber,
            subscription,
            max_events=self._settings.replay_events,
            max_seconds=self._settings.replay_seconds,
        ).run(resume)


def _resume_position(request: web.Request) -> Position | str | None:
    """Where to go on, a sentence when what was given is no position, None when nothing was."""
    given = request.headers.get("Last-Event-ID")
    for name in RESUME_PARAMETERS:
        given = given or request.query.get(name)
    if not given:
        return None
    try:
        return parse_position(given)
    except ValueError as error:
        return str(error)
