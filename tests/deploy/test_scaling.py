"""The simulation behind docs/scaling.md: its arithmetic, and that the page shows its results."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.scaling import PLANS, Costs, Plan, departure_times, highest_rate, simulate, table
from tests.deploy.dockerfile import ROOT

COSTS = Costs()
plans = st.builds(
    Plan,
    name=st.just("any"),
    subscribers=st.integers(1, 10_000_000),
    events=st.floats(0.2, 5_000),
    everything=st.sampled_from([0.0, 0.01, 1.0]),
    replicas=st.integers(0, 50),
)


def test_the_page_shows_what_the_simulation_says() -> None:
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    assert "\n".join(table(COSTS)) in page


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.001, 1))
def test_a_stage_does_one_after_the_other(arrivals: list[float], cost: float) -> None:
    left = departure_times(sorted(arrivals), cost)
    assert all(b - a >= cost * 0.999 for a, b in itertools.pairwise(left))
    assert all(at + cost <= gone + 1e-9 for at, gone in zip(sorted(arrivals), left, strict=True))


@given(plans)
def test_a_burst_takes_at_least_its_slowest_stage_and_at_most_all_of_them(plan: Plan) -> None:
    out = simulate(plan, COSTS)
    burst = max(1, round(plan.events * 5)) / plan.events
    work = [share * burst for share in (out.redis, out.replica, out.fanout)]
    assert max(work) * 0.999 <= out.last <= sum(work) * 1.001


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_what_it_calls_the_most_holds_and_one_more_does_not(plan: Plan) -> None:
    most = highest_rate(plan, COSTS)
    assert simulate(replace(plan, events=most), COSTS).holds
    assert not simulate(replace(plan, events=most + 1), COSTS).holds
