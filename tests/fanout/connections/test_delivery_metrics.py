"""Metrics of sent events: every event is counted and observed once, some time after its writes."""

from __future__ import annotations

import time
from collections.abc import Mapping

import orjson
import pytest
from prometheus_client import REGISTRY

from services.fanout import metrics
from services.fanout.connections import delivery_metrics
from services.fanout.connections.delivery_metrics import DeliveryMetrics
from shared.journal.wire import JournalEntry
from shared.redis.clock import ClockReading, RedisClock
from shared.runtime import tracing
from tests.support.waiting import until

NAMES = {
    "deliveries": "headrace_fanout_deliveries_total",
    "bytes": "headrace_fanout_bytes_total",
    "writes": "headrace_fanout_publish_to_write_seconds_count",
    "seconds": "headrace_fanout_publish_to_write_seconds_sum",
    "closes": "headrace_fanout_close_to_write_seconds_count",
}


def values() -> Mapping[str, float]:
    return {name: REGISTRY.get_sample_value(full) or 0.0 for name, full in NAMES.items()}


def growth(before: Mapping[str, float]) -> Mapping[str, float]:
    return {name: value - before[name] for name, value in values().items()}


def entry(published_at: float, closed_at: str | None = "2026-07-21T18:01:10Z") -> JournalEntry:
    body = {"publishedAt": round(published_at * 1e6), "ledgerClosedAt": closed_at}
    return JournalEntry("1-1", "1-0", "stream.created", ("7",), orjson.dumps(body))


@pytest.fixture
def clock() -> RedisClock:
    clock, now = RedisClock(), ClockReading.now()
    clock.set(now.wall, now, now)
    return clock


async def test_each_event_is_observed_once_after_a_short_time(clock: RedisClock) -> None:
    before, sent = values(), DeliveryMetrics(clock).sent
    began = time.time()
    sent(entry(began - 2.0), 3, 100)
    sent(entry(began - 1.0, None), 0, 50)
    most = 3.1 + 2 * (time.time() - began)  # the update comes 0.25 s later
    assert growth(before) == dict.fromkeys(NAMES, 0.0)
    await until(lambda: growth(before)["writes"])
    grown = growth(before)
    assert (grown["deliveries"], grown["bytes"]) == (3, 300)
    assert (grown["writes"], grown["closes"]) == (2, 1)
    assert 3.0 <= grown["seconds"] < most, "the time until the write, not until the update"


async def test_many_events_are_not_kept_until_the_timer_fires(clock: RedisClock) -> None:
    before, sent = values(), DeliveryMetrics(clock).sent
    for _ in range(delivery_metrics._MOST):
        sent(entry(time.time()), 1, 10)
    assert growth(before)["writes"] == delivery_metrics._MOST


async def test_without_the_time_of_redis_deliveries_are_counted_and_no_seconds() -> None:
    before, sent = values(), DeliveryMetrics(RedisClock())
    sent.sent(entry(time.time()), 2, 10)
    sent.update()
    assert (growth(before)["deliveries"], growth(before)["writes"]) == (2, 0)


async def test_a_trace_ends_at_the_write(
    clock: RedisClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: list[tuple[float, float]] = []

    class Recorder:
        def commit(self, *_: object) -> None: ...

        def delivery(self, position: str, kind: str, began: int, ended: int, reached: int) -> None:
            spans.append((began / 1e9, ended / 1e9))

    monkeypatch.setattr(tracing, "_recorder", Recorder())
    written = time.time()
    deliveries = DeliveryMetrics(clock)
    deliveries.sent(entry(written - 1), 1, 10)
    await until(lambda: spans)
    ((began, ended),) = spans
    assert began == pytest.approx(written - 1, abs=0.01)
    assert ended == pytest.approx(written, abs=0.1)


def test_published_events_are_added_to_the_counter_by_source() -> None:
    def count(via: str) -> float:
        return REGISTRY.get_sample_value("headrace_fanout_events_total", {"via": via}) or 0.0

    before = count("channel"), count("journal")
    published = {"channel": 5, "journal": 2}
    metrics.count_events(published)
    metrics.count_events(published)
    assert (count("channel") - before[0], count("journal") - before[1]) == (5, 2)
