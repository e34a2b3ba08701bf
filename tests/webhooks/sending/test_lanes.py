"""Lanes: who waits for whom."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from services.webhooks.metrics import IN_FLIGHT, Lane, Outcome
from services.webhooks.sending import lanes
from services.webhooks.sending.lanes import LaneMemory, Places
from shared.runtime.tasks import cancel
from tests.support.pace import last
from tests.support.waiting import until
from tests.support.web import serving
from tests.webhooks.receivers.hostile import HOSTILE, hostile
from tests.webhooks.sending.samples import endpoint, message, sending


def in_flight(lane: Lane) -> float:
    """The metric of a lane."""
    (metric,) = IN_FLIGHT.labels(lane).collect()
    return metric.samples[0].value


def test_an_endpoint_is_slow_after_it_failed_or_was_slow() -> None:
    memory = LaneMemory()
    assert memory.lane("a") is Lane.HEALTHY
    for taken, seconds, lane in (
        (False, 0.1, Lane.SLOW),
        (True, 0.1, Lane.HEALTHY),
        (True, 1.1, Lane.SLOW),
        (True, 1.0, Lane.HEALTHY),
    ):
        memory.ended("a", taken=taken, seconds=seconds)
        assert memory.lane("a") is lane
        assert memory.lane("b") is Lane.HEALTHY


def test_only_so_many_slow_endpoints_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MOST_SLOW_ENDPOINTS", 2)
    memory = LaneMemory()
    for name in "abca":
        memory.ended(name, taken=False, seconds=0)
    assert [memory.lane(name) for name in "abc"] == [Lane.SLOW, Lane.HEALTHY, Lane.SLOW]


async def test_one_server_has_a_fifth_of_the_places() -> None:
    places = Places(Lane.HEALTHY, 10)
    first = [asyncio.create_task(places.acquire("hog:443")) for _ in range(3)]
    other = asyncio.create_task(places.acquire("shop:443"))
    await last(0)
    await last(0)
    assert [task.done() for task in (*first, other)] == [True, True, False, True]
    places.release("hog:443")
    await first[2]


async def test_places_are_given_back_and_nothing_is_remembered() -> None:
    places = Places(Lane.HEALTHY, 5)
    await places.acquire("shop:443")
    waiting = asyncio.create_task(places.acquire("shop:443"))
    await last(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    places.release("shop:443")
    assert places._servers == {}
    for _ in range(5):
        async with asyncio.timeout(5):
            await places.acquire("other:443")
        places.release("other:443")


@pytest.mark.io
async def test_a_receiver_that_hangs_holds_a_healthy_place_once() -> None:
    """With one place in each lane: a good receiver waits for the first attempt only."""

    async def take(_: web.Request) -> web.Response:
        return web.Response()

    async with (
        hostile(HOSTILE["silent"]) as bad,
        serving(web.post("/", take)) as good,
        sending(webhook_connections=1, webhook_slow_connections=1, webhook_seconds=5) as sender,
    ):
        hangs, works = (endpoint(f"http://127.0.0.1:{port}/") for port in (bad, good))
        assert (await sender.send(hangs, message())).outcome is Outcome.TIMEOUT
        for number in range(3):
            again = asyncio.create_task(sender.send(hangs, message()))
            await until(lambda: in_flight(Lane.SLOW) == 1)
            result = await sender.send(works, message(number))
            assert (result.outcome, again.done()) == (Outcome.TAKEN, False)
            await cancel(again)
