"""How far the design carries: a small simulation of the way from the commit to the last client.

`python -m tests.bench.scaling` prints the table of docs/scaling.md; with `--measure` it first takes
what a listener costs Redis from a real one. Stages are queues with one server each: an event leaves
when the stage has finished everything that came before it. Pure, but for `--measure`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from redis.asyncio import Redis

from tests.support.redis_server import redis_server
from tests.support.waiting import until

_BURST_SECONDS = 5.0
"""A ledger closes that often, and all its events come at once."""
_MESSAGE_BYTES = 1300
_LINE_BYTES = 1.25e9 / 2
"""What a network card of 10 Gbit/s carries when it is half full, bytes a second."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one core; docs/benchmarks.md and `--measure` say where they come from."""

    commit: float = 26e-6  # one event through the commit's script, without its listeners
    publish: float = 7e-6  # one message to one listener of Redis
    read: float = 60e-6  # one message taken and routed by a fanout
    write: float = 5e-6  # one delivery


@dataclass(frozen=True, slots=True)
class Plan:
    """An installation. `replicas` of Redis carry the channel on; 0: fanouts hear Redis itself.

    `shards` are channels by stream: a fanout hears the share of them that its subscribers need.
    """

    name: str
    subscribers: int
    events: float  # a second, on average
    everything: float = 0.0  # share of the subscribers that get every event
    each: float = 2.0  # subscribers of the others that an event is for
    per_fanout: int = 7_500
    replicas: int = 0
    shards: int = 1
    heard: float = 1.0  # share of the shards that one fanout needs to hear

    @property
    def fanouts(self) -> int:
        """How many there must be."""
        return -(-self.subscribers // self.per_fanout)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of it: shares of a core, bytes a second, seconds from commit to last client."""

    redis: float
    replica: float
    fanout: float
    line: float
    last: float

    @property
    def holds(self) -> bool:
        """Nothing is above 70 % and a ledger is through before the next one."""
        busiest = max(self.redis, self.replica, self.fanout, 0.7 * self.line / _LINE_BYTES)
        return busiest <= 0.7 and self.last < _BURST_SECONDS


def through(arrivals: Sequence[float], cost: float) -> list[float]:
    """When each event leaves a stage that spends `cost` on one after the other."""
    left, departures = 0.0, []
    for at in arrivals:
        left = max(at, left) + cost
        departures.append(left)
    return departures


def simulate(plan: Plan, costs: Costs) -> Outcome:
    """One ledger's events on their way; the busiest of each stage."""
    burst = max(1, round(plan.events * _BURST_SECONDS))
    listeners = plan.replicas or plan.fanouts * plan.heard
    at_redis = costs.commit + costs.publish * listeners
    below = plan.fanouts * plan.heard / plan.replicas if plan.replicas else 0.0
    at_replica = costs.publish * (1 + below) if plan.replicas else 0.0
    share = plan.heard
    deliveries = (plan.everything * plan.subscribers + plan.each) / plan.fanouts / share
    at_fanout = costs.read + costs.write * deliveries
    heard = through(through([0.0] * burst, at_redis), at_replica)
    own = heard[:: max(1, round(1 / share))]
    last = through(own, at_fanout)[-1]
    rate = plan.events
    senders = below if plan.replicas else listeners
    return Outcome(
        rate * at_redis,
        rate * at_replica,
        rate * share * at_fanout,
        rate * _MESSAGE_BYTES * senders,
        last,
    )


def most_events(plan: Plan, costs: Costs) -> int:
    """The highest average rate, in events a second, that the plan holds."""
    low, high = 0, 1 << 15  # above what the commit itself allows
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
    Plan("and 64 shards", 10_000_000, 1_000, replicas=32, shards=64, heard=1 / 16),
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
            f"| {most_events(plan, costs):,}{'' if out.holds else ' (too much)'} |"
        )


# ── measuring ──


async def measure(folder: Path) -> Costs:
    """Redis' CPU a message, from the slope between few and many listeners."""
    with redis_server(folder) as url:
        few, many = [await _cpu_a_message(url, count) for count in (10, 110)]
    return replace(Costs(), publish=(many - few) / 100)


async def _cpu_a_message(url: str, listeners: int, messages: int = 3000) -> float:
    redis = Redis.from_url(url)
    port = int(url.rpartition(":")[2].partition("/")[0])
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(listeners)]
    for _, writer in streams:
        writer.write(b"SUBSCRIBE channel\r\n")
    swallowers = [asyncio.create_task(_swallow(reader)) for reader, _ in streams]

    async def all_listen() -> bool:
        return bool((await redis.pubsub_numsub("channel"))[0][1] == listeners)

    await until(all_listen)
    before = await _cpu(redis)
    for _ in range(messages):  # one by one, as commits come: each is a write to every listener
        await redis.publish("channel", b"x" * _MESSAGE_BYTES)
    spent = await _cpu(redis) - before
    for _, writer in streams:
        writer.close()
    await asyncio.gather(*swallowers)
    await redis.aclose()
    return spent / messages


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 20):
        pass


async def _cpu(redis: Redis) -> float:
    info = await redis.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--measure", action="store_true", help="take Redis' costs from this machine"
    )
    costs = Costs()
    if parser.parse_args().measure:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            costs = asyncio.run(measure(Path(folder)))
        print(
            f"measured in {time.monotonic() - began:.0f} s: {costs.publish * 1e6:.1f} µs a message"
        )
    print("\n".join(table(costs)))


if __name__ == "__main__":
    main()
