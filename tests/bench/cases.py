"""The benchmarks by name, in the order of docs/benchmarks.md."""

from __future__ import annotations

from tests.bench.deliveries import deliveries
from tests.bench.holding import memory_and_idle, memory_with_tokens
from tests.bench.indexer import decode, fresh, idle, ingest
from tests.bench.moving import latency, replicas, routed, storm
from tests.bench.place import Case

CASES: dict[str, Case] = {
    "deliveries": deliveries,
    "memory": memory_and_idle,
    "tokens": memory_with_tokens,
    "routed": routed,
    "latency": latency,
    "storm": storm,
    "replicas": replicas,
    "decode": decode,
    "ingest": ingest,
    "fresh": fresh,
    "idle": idle,
}
