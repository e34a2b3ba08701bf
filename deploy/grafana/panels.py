"""The panels of the dashboard: rows of graphs, each with PromQL queries and legends. Pure data."""

from __future__ import annotations

from typing import NamedTuple


class Panel(NamedTuple):
    """One graph. `unit` is a unit's name in Grafana. `queries` are pairs of PromQL and legend."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""


def shown(
    title: str, unit: str, query: str, legend: str = "{{instance}}", about: str = ""
) -> Panel:
    """A graph of one query."""
    return Panel(title, unit, ((query, legend),), about)


def rate(title: str, metric: str, by: str = "", unit: str = "cps", about: str = "") -> Panel:
    """A graph of a counter's rate, in total or by labels."""
    labels = [label.strip() for label in by.split(",") if label]
    sums = f"sum{f' by ({by})' if by else ''} (rate({metric}[$__rate_interval]))"
    legend = " ".join(f"{{{{{label}}}}}" for label in labels) or "all"
    return shown(title, unit, sums, legend, about)


def _quantile(percent: int, histogram: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    buckets = f"sum by ({labels}) (rate({histogram}_bucket[$__rate_interval]))"
    return f"histogram_quantile({percent / 100}, {buckets})"


def quantiles(title: str, histogram: str) -> Panel:
    """A graph of the median and the 99th percentile of a histogram in seconds."""
    return Panel(title, "s", tuple((_quantile(p, histogram), f"p{p}") for p in (50, 95, 99)))


_OURS = '{job=~"headrace-.*"}'
_ONE = "{{job}} {{instance}}"

ROWS: dict[str, tuple[Panel, ...]] = {
    "Connections": (
        shown("Connections", "short", "headrace_fanout_connections"),
        shown("Subscribed topics", "short", "headrace_fanout_subscriptions"),
        rate("Disconnected", "headrace_fanout_disconnects_total", "reason"),
        rate("Refused", "headrace_fanout_turned_away_total", "reason"),
    ),
    "Deliveries": (
        rate("Events", "headrace_fanout_events_total", "via"),
        rate("Deliveries", "headrace_fanout_deliveries_total"),
        rate("Bytes before compression", "headrace_fanout_bytes_total", unit="Bps"),
        shown("Buffered for slow subscribers", "bytes", "headrace_fanout_backlog_bytes"),
    ),
    "Latency": (
        quantiles("Close of the ledger → last client", "headrace_fanout_close_to_write_seconds"),
        quantiles("Commit → last client", "headrace_fanout_publish_to_write_seconds"),
        shown("Lag of the journal", "s", "headrace_fanout_lag_seconds"),
        shown(
            "Event loop lag",
            "s",
            "headrace_fanout_loop_lag_seconds",
            about="above half a second a fanout is overloaded: add replicas",
        ),
        shown(
            "Lag of Redis' replicas",
            "s",
            "headrace_fanout_replica_lag_seconds",
            about="how long the replica that a fanout reads has lacked events (FEED_REDIS_URL)",
        ),
    ),
    "Replays": (
        rate("Resumes", "headrace_fanout_replays_total", "outcome"),
        rate("Events sent by resumes", "headrace_fanout_replayed_events_total"),
        shown(
            "Events per resume",
            "short",
            _quantile(95, "headrace_fanout_replay_events"),
            legend="p95",
        ),
    ),
    "Indexer": (
        shown("Ledgers behind", "short", "max(headrace_indexer_lag_ledgers)", "all"),
        shown(
            "Age of the last ledger",
            "s",
            "time() - max(headrace_indexer_ledger_closed_seconds)",
            "all",
        ),
        rate("Events committed", "headrace_indexer_events_total", "type"),
        Panel(
            "Active, dead letters, alarms",
            "short",
            (
                ("sum(headrace_indexer_active)", "active"),
                ("sum(headrace_indexer_dead_letters_total)", "dead letters"),
                ("max by (kind) (headrace_indexer_alarm)", "alarm: {{kind}}"),
            ),
        ),
        rate("Source errors", "headrace_indexer_source_errors_total", "kind"),
        shown("Source", "short", "max by (source) (headrace_indexer_source)", "{{source}}"),
        rate("Comparisons of sources", "headrace_indexer_reconciliations_total", "outcome"),
        rate("Events without proof", "headrace_indexer_unproved_total"),
    ),
    "Archive": (
        shown(
            "Age of the oldest event that is not archived",
            "s",
            "max(headrace_archiver_lag_seconds)",
            "all",
        ),
        rate("Events archived", "headrace_archiver_events_total"),
        rate("Bytes written to the store", "headrace_archiver_bytes_total", unit="Bps"),
        rate("Segments written", "headrace_archiver_segments_total"),
        rate("Errors of the store", "headrace_archiver_store_errors_total"),
        Panel(
            "Active, alarms",
            "short",
            (
                ("sum(headrace_archiver_active)", "active"),
                ("max by (kind) (headrace_archiver_alarm)", "alarm: {{kind}}"),
            ),
        ),
    ),
    "Webhooks": (
        shown(
            "Lag of receivers that answer",
            "s",
            "headrace_webhook_lag_seconds",
            about="age of the oldest event that a receiver which answers has not got yet",
        ),
        rate("Events acknowledged", "headrace_webhook_events_total"),
        rate("Attempts", "headrace_webhook_attempts_total", "outcome"),
        quantiles("Time of an attempt", "headrace_webhook_attempt_seconds"),
        shown(
            "Webhooks",
            "short",
            "sum by (state) (headrace_webhook_endpoints)",
            "{{state}}",
        ),
        rate("Disabled", "headrace_webhook_disabled_total", "reason"),
        shown(
            "Deliveries that wait for an answer",
            "short",
            "sum by (lane) (headrace_webhook_in_flight)",
            "{{lane}}",
            about="slow: receivers that failed or were slow; they delay no others",
        ),
        shown("Partitions", "short", "headrace_webhook_partitions", about="64 in all"),
    ),
    "API": (
        rate("Requests", "headrace_api_requests_total", "status", unit="reqps"),
        shown(
            "Response time",
            "s",
            _quantile(99, "headrace_api_request_seconds", "route"),
            "p99 {{route}}",
        ),
        rate("Notices before stream ends", "headrace_api_notices_total", "type"),
    ),
    "Redis, as the services see it": (
        rate("Commits", "headrace_commits_total", "outcome"),
        rate(
            "Channel messages lost",
            "headrace_fanout_fill_ins_total",
            "instance",
            about="each was read from the journal instead",
        ),
        shown("Ready", "short", "min by (job, part) (headrace_ready)", "{{job}} {{part}}"),
    ),
    "Memory and disk of Redis": (
        Panel(
            "Memory",
            "bytes",
            (
                ("max(headrace_redis_memory_used_bytes)", "used"),
                ("max(headrace_redis_memory_rss_bytes)", "of the process"),
                ("max(headrace_redis_memory_max_bytes)", "maxmemory"),
                ("max(headrace_journal_bytes)", "journal"),
            ),
            about="the process has more than Redis uses when its memory is fragmented",
        ),
        Panel(
            "Growth in an hour",
            "bytes",
            (
                ("3600 * max(deriv(headrace_redis_memory_used_bytes[1h]))", "memory"),
                ("3600 * max(deriv(headrace_journal_written_bytes[1h]))", "written to the journal"),
            ),
        ),
        shown(
            "Time until changes are refused",
            "s",
            "clamp_max(min("
            "(0.8 * headrace_redis_memory_max_bytes - headrace_redis_memory_used_bytes)"
            " / (deriv(headrace_redis_memory_used_bytes[1h]) > 0)), 30 * 86400)",
            "at this speed",
            about="at 80 % of maxmemory the API changes no streams; at most 30 days are shown",
        ),
        shown("Append-only file", "bytes", "max(headrace_redis_aof_bytes)", "on disk"),
    ),
    "Processes": (
        rate("CPU", f"process_cpu_seconds_total{_OURS}", "job, instance", unit="percentunit"),
        shown("Memory", "bytes", f"process_resident_memory_bytes{_OURS}", _ONE),
        shown(
            "Descriptors", "percentunit", f"process_open_fds{_OURS} / process_max_fds{_OURS}", _ONE
        ),
        rate("Failed tasks", "headrace_task_failures_total", "job, task"),
    ),
}
