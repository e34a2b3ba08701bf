"""The benchmarks by name, in the order of docs/benchmarks.md."""

from __future__ import annotations

from tests.bench.deliveries import deliveries
from tests.bench.encodings import encodings
from tests.bench.environment import Case
from tests.bench.holding import memory_and_idle, memory_with_tokens
from tests.bench.indexer import decode, freshness, idle, ingest
from tests.bench.moving import latency, replicas, routed, storm

CASES: dict[str, Case] = {
    "deliveries": deliveries,
    "encodings": encodings,
    "memory": memory_and_idle,
    "tokens": memory_with_tokens,
    "routed": routed,
    "latency": latency,
    "storm": storm,
    "replicas": replicas,
    "decode": decode,
    "ingest": ingest,
    "fresh": freshness,
    "idle": idle,
}
