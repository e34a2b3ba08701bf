"""A small simulation of how many subscribers and events the design supports.

`python -m tests.bench.scaling` prints the table of docs/scaling.md. With `--measure` it first
measures what one listener costs a real Redis (tests.bench.listeners). Each stage is a queue with
one server: an event leaves the stage when all earlier events are done. Pure, except for `main`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.listeners import MESSAGE_BYTES, ListenerCost, measure

_BURST_SECONDS = 5.0
"""The time between two ledgers. All events of a ledger arrive at once."""
_NETWORK_BYTES = 1.25e9 / 2
"""Half the capacity of a network card with 10 Gbit/s, in bytes a second."""


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of one core. Sources: docs/benchmarks.md and `--measure`."""

    commit: float = 26e-6  # one event in the commit script, without its listeners
    publish: float = 5e-6  # one message from the primary to one listener
    forward: float = 2e-6  # one message from a replica to one listener
    read: float = 60e-6  # one message that a fanout reads and routes
    write: float = 5e-6  # one delivery to a client


@dataclass(frozen=True, slots=True)
class Plan:
    """An installation. With 0 `replicas`, fanouts subscribe to the primary, else to the replicas.

    `shards` are channels that divide the streams. A fanout subscribes to the shards that its
    clients need.
    """

    name: str
    subscribers: int
    events: float  # a second, on average
    everything: float = 0.0  # share of the subscribers that get every event
    matches: float = 2.0  # number of the other subscribers that one event matches
    per_fanout: int = 7_500
    replicas: int = 0
    shards: int = 1
    shard_share: float = 1.0  # share of the shards that one fanout needs

    @property
    def fanouts(self) -> int:
        """The number of fanouts that the plan needs."""
        return -(-self.subscribers // self.per_fanout)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The load: shares of a core, network bytes a second, and seconds from commit to client."""

    redis: float
    replica: float
    fanout: float
    network: float
    last: float

    @property
    def holds(self) -> bool:
        """True if no part is above 70 % and a ledger is delivered before the next one closes."""
        busiest = max(self.redis, self.replica, self.fanout, 0.7 * self.network / _NETWORK_BYTES)
        return busiest <= 0.7 and self.last < _BURST_SECONDS


def departure_times(arrivals: Sequence[float], cost: float) -> list[float]:
    """When events leave a stage that handles them one by one, each at this cost."""
    left, departures = 0.0, []
    for at in arrivals:
        left = max(at, left) + cost
        departures.append(left)
    return departures


def simulate(plan: Plan, costs: Costs) -> Outcome:
    """Send the events of one ledger through the busiest server of each stage."""
    burst = max(1, round(plan.events * _BURST_SECONDS))
    listeners = plan.replicas or plan.fanouts * plan.shard_share
    at_redis = costs.commit + costs.publish * listeners
    below = plan.fanouts * plan.shard_share / plan.replicas if plan.replicas else 0.0
    # A replica repeats the writes of a commit, which costs it at most as much as the commit.
    at_replica = costs.commit + costs.forward * below if plan.replicas else 0.0
    share = plan.shard_share
    deliveries = (plan.everything * plan.subscribers + plan.matches) / plan.fanouts / share
    at_fanout = costs.read + costs.write * deliveries
    received = departure_times(departure_times([0.0] * burst, at_redis), at_replica)
    own = received[:: max(1, round(1 / share))]
    last = departure_times(own, at_fanout)[-1]
    rate = plan.events
    senders = below if plan.replicas else listeners
    return Outcome(
        rate * at_redis,
        rate * at_replica,
        rate * share * at_fanout,
        rate * MESSAGE_BYTES * senders,
        last,
    )


def highest_rate(plan: Plan, costs: Costs) -> int:
    """The highest average rate, in events a second, at which the plan is sustainable."""
    low, high = 0, 1 << 15  # more than one commit script can reach
    while high - low > 1:
        middle = (low + high) // 2
        holds = simulate(replace(plan, events=middle), costs).holds
        low, high = (middle, high) if holds else (low, middle)
    return low


PLANS = (
    Plan("one machine", 10_000, 100),
    Plan("a cluster", 100_000, 100),
    Plan("a large one", 1_000_000, 100),
    Plan("the same, busy", 1_000_000, 1_000),
    Plan("with 8 replicas", 1_000_000, 1_000, replicas=8),
    Plan("ten million", 10_000_000, 1_000),
    Plan("with 32 replicas", 10_000_000, 1_000, replicas=32),
    Plan("and 64 shards", 10_000_000, 1_000, replicas=32, shards=64, shard_share=1 / 16),
    Plan("all to 1 %", 1_000_000, 100, everything=0.01),
    Plan("all to everyone", 100_000, 100, everything=1.0),
    Plan("with 1,000 a fanout", 100_000, 100, everything=1.0, per_fanout=1_000),
)


def table(costs: Costs) -> Iterator[str]:
    """The plans as a table in Markdown."""
    yield "| plan | subscribers | fanouts | events/s | Redis | replica | fanout | last | most |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for plan in PLANS:
        out = simulate(plan, costs)
        yield (
            f"| {plan.name} | {plan.subscribers:,} | {plan.fanouts:,} | {plan.events:,.0f} "
            f"| {out.redis:.0%} | {out.replica:.0%} | {out.fanout:.0%} | {out.last:.2f} s "
            f"| {highest_rate(plan, costs):,}{'' if out.holds else ' (too much)'} |"
        )


def measured(costs: dict[str, ListenerCost]) -> Iterator[str]:
    """The measured costs as lines of text, in microseconds."""
    for name, cost in costs.items():
        yield f"{name}: {cost.listener * 1e6:.1f} µs for each listener"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--measure", action="store_true", help="take Redis' costs from this machine"
    )
    costs = Costs()
    if parser.parse_args().measure:
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(measure(Path(folder)))
        print("\n".join(measured(found)), end="\n\n")
        single = [found[f"{name}, one by one"].listener for name in ("primary", "replica")]
        costs = replace(costs, publish=single[0], forward=single[1])
    print("\n".join(table(costs)))


if __name__ == "__main__":
    main()
