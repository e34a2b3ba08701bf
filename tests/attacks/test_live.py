"""The summary of delivery times."""

from __future__ import annotations

from tests.attacks.live import LiveResult, Times


def test_percentiles_are_found_without_keeping_every_time() -> None:
    times = Times()
    for n in range(10_000):
        times.add(0.001 if n < 9_800 else 0.05)
    assert times.result() == LiveResult(10_000, 1.0, 50.0, 50.0)
    assert len(times.steps) == 2


def test_without_a_delivery_all_is_zero() -> None:
    assert Times().result() == LiveResult(0, 0.0, 0.0, 0.0)
