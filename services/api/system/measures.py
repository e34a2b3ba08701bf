"""What /v1/system takes from the metrics of a service, and the totals of several. Pure.

See docs/decisions/0101-every-replica-is-asked.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

_FANOUT = {
    "connections": "headrace_fanout_connections",
    "subscriptions": "headrace_fanout_subscriptions",
    "backlogBytes": "headrace_fanout_backlog_bytes",
    "events": "headrace_fanout_events_total",
    "deliveries": "headrace_fanout_deliveries_total",
    "disconnects": "headrace_fanout_disconnects_total",
    "lagSeconds": "headrace_fanout_lag_seconds",
    "loopLagSeconds": "headrace_fanout_loop_lag_seconds",
    "writes": "headrace_fanout_publish_to_write_seconds_count",
    "writeSeconds": "headrace_fanout_publish_to_write_seconds_sum",
}
_INDEXER = {
    "active": "headrace_indexer_active",
    "ledger": "headrace_indexer_cursor_ledger",
    "networkLedger": "headrace_indexer_network_ledger",
    "ledgerClosedAt": "headrace_indexer_ledger_closed_seconds",
    "events": "headrace_indexer_events_total",
    "deadLetters": "headrace_indexer_dead_letters_total",
    "contractStreams": "headrace_indexer_contract_streams",
    "equalStreams": "headrace_indexer_equal_streams",
    "archivedStreams": "headrace_indexer_archived_streams",
    "auditLedger": "headrace_indexer_audit_ledger",
    "alarms": "headrace_indexer_alarm",
}
ARCHIVER = {
    "active": "headrace_archiver_active",
    "ledger": "headrace_archiver_ledger",
    "lagSeconds": "headrace_archiver_lag_seconds",
    "writtenAt": "headrace_archiver_written_seconds",
    "events": "headrace_archiver_events_total",
    "segments": "headrace_archiver_segments_total",
    "bytes": "headrace_archiver_bytes_total",
    "storeErrors": "headrace_archiver_store_errors_total",
    "alarms": "headrace_archiver_alarm",
}
WEBHOOKS = {
    "partitions": "headrace_webhook_partitions",
    "endpoints": "headrace_webhook_endpoints",
    "failing": "headrace_webhook_endpoints:failing",
    "disabled": "headrace_webhook_endpoints:disabled",
    "inFlight": "headrace_webhook_in_flight",
    "events": "headrace_webhook_events_total",
    "attempts": "headrace_webhook_attempts_total",
    "lagSeconds": "headrace_webhook_lag_seconds",
}
"""A name with a colon stands for the series of a metric that have this label `state`."""
_API = {
    "requests": "headrace_api_requests_total",
    "requestSeconds": "headrace_api_request_seconds_sum",
    "notices": "headrace_api_notices_total",
    "redisMemory": "headrace_redis_memory_ratio",
    "journalBytes": "headrace_journal_bytes",
}
_VERSION, _PROTOCOL = "headrace_indexer_upstream_info", "headrace_indexer_protocol"
_KINDS = {
    "fanout": _FANOUT,
    "indexer": _INDEXER,
    "archiver": ARCHIVER,
    "webhooks": WEBHOOKS,
    "api": _API,
}
_WANTED = (*(metric for kind in _KINDS.values() for metric in kind.values()), _VERSION, _PROTOCOL)
_KIND_PREFIX = tuple(f"headrace_{kind.removesuffix('s')}_" for kind in _KINDS)
_SUMMED = {
    "fanout": tuple(name for name in _FANOUT if name not in ("lagSeconds", "loopLagSeconds")),
    "indexer": ("active", "events", "deadLetters", "alarms"),
    "archiver": ("active", "events", "segments", "bytes", "storeErrors", "alarms"),
    "webhooks": tuple(name for name in WEBHOOKS if name != "lagSeconds"),
    "api": ("requests", "requestSeconds", "notices"),
}
"""Measures whose sum over all replicas means something."""


def parse_metrics(text: str) -> tuple[str, Mapping[str, float]]:
    """Kind and measures of a service. Adds up all series of a metric. Raises ValueError."""
    sums: defaultdict[str, float] = defaultdict(float)
    for sample in _samples(text):
        sums[sample.name] += sample.value
        if state := sample.labels.get("state"):
            sums[f"{sample.name}:{state}"] += sample.value
    for kind, prefix in zip(_KINDS, _KIND_PREFIX, strict=True):
        if any(name.startswith(prefix) for name in sums):
            return kind, {name: sums[metric] for name, metric in _KINDS[kind].items()}
    return "other", {}


def _samples(text: str) -> Iterator[Sample]:
    """The samples that are wanted. Only their lines are parsed, which is most of the work.

    If there is none, all of the text is parsed: it may be no list of metrics at all.
    """
    wanted = [line for line in text.splitlines() if line.startswith(_WANTED)]
    for family in text_string_to_metric_families("\n".join(wanted) + "\n" if wanted else text):
        yield from family.samples


def parse_versions(text: str) -> Mapping[str, Mapping[str, object]]:
    """The versions that an indexer has read, by server. Raises ValueError."""
    samples = list(_samples(text))
    protocols = {s.labels["server"]: int(s.value) for s in samples if s.name == _PROTOCOL}
    return {
        server: {**{n: s.labels[n] for n in ("version", "core")}, "protocol": protocols[server]}
        for s in samples
        if s.name == _VERSION and (server := s.labels["server"]) in protocols
    }


def totals(parts: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    """The replicas of each kind, how many of them answer, and the sums of their measures."""
    by_kind: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for part in parts:
        by_kind[part["kind"]].append(part)
    return [_total(kind, by_kind[kind]) for kind in _KINDS if kind in by_kind]


def _total(kind: str, parts: list[Mapping[str, Any]]) -> dict[str, object]:
    answers = [part["measures"] for part in parts if not part["trouble"]]
    sums = {name: sum(each[name] for each in answers) for name in _SUMMED[kind]}
    return {
        "kind": kind,
        "replicas": len(parts),
        "answering": len(answers),
        "measures": sums,
    }
