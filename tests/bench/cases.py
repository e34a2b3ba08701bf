"""The benchmarks by name, in the order of docs/benchmarks.md."""

from __future__ import annotations

from typing import NamedTuple

from tests.bench import api_load
from tests.bench.archive import archive, archive_large
from tests.bench.big import big
from tests.bench.deliveries import deliveries
from tests.bench.encodings import encodings
from tests.bench.environment import Measure
from tests.bench.holding import memory_and_idle, memory_with_tokens
from tests.bench.indexer import decode, freshness, idle, ingest
from tests.bench.moving import latency, many, most, replicas, storm
from tests.bench.restore import restore
from tests.bench.routed import routed
from tests.bench.startup import startup
from tests.bench.webhooks import webhooks


class Case(NamedTuple):
    """A benchmark, and the seconds after which it is stopped with an error.

    `by_name`: it takes long, so it runs only if it is named.
    """

    measure: Measure
    limit: float
    by_name: bool = False


CASES = {
    "deliveries": Case(deliveries, 600),
    "encodings": Case(encodings, 420),
    "memory": Case(memory_and_idle, 600),
    "tokens": Case(memory_with_tokens, 180),
    "big": Case(big, 600),
    "routed": Case(routed, 420),
    "latency": Case(latency, 240),
    "many": Case(many, 240),
    "most": Case(most, 240),
    "storm": Case(storm, 240),
    "replicas": Case(replicas, 240),
    "startup": Case(startup, 60),
    "decode": Case(decode, 120),
    "ingest": Case(ingest, 240),
    "fresh": Case(freshness, 240),
    "idle": Case(idle, 240),
    "creates": Case(api_load.creates, 120),
    "reads": Case(api_load.reads, 120),
    "event": Case(api_load.events, 120),
    "list": Case(api_load.lists, 600),
    "archive": Case(archive, 240),
    "archive-large": Case(archive_large, 3_600, by_name=True),
    "restore": Case(restore, 1_200),
    "webhooks": Case(webhooks, 900),
}
