"""The indexer's metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

ACTIVE = Gauge("headrace_indexer_active", "1 while this indexer holds the lease")
CURSOR_LEDGER = Gauge("headrace_indexer_cursor_ledger", "Last ledger committed")
NETWORK_LEDGER = Gauge("headrace_indexer_network_ledger", "Last ledger the source knows")
LEDGER_CLOSED = Gauge("headrace_indexer_ledger_closed_seconds", "Close of the last ledger, Unix")
EVENTS = Counter("headrace_indexer_events_total", "Events committed, by type", ["type"])
SEEN = Counter("headrace_indexer_events_seen_total", "Events that the journal had already")
DEAD_LETTERS = Counter("headrace_indexer_dead_letters_total", "Undecodable events kept raw")
SOURCE_ERRORS = Counter("headrace_indexer_source_errors_total", "Failures of the source", ["kind"])
ALARM = Gauge("headrace_indexer_alarm", "1 when the indexer stopped for an operator", ["kind"])
"""Kinds of stops are few and named in docs/operations.md; an alert rule fires on any of them."""
