"""The state of the whole system: selected metrics of all other services, in one response.

Through the gateway, a browser can reach no indexer and cannot choose the fanout. So the API reads
the metrics of the services in READY_URLS and FANOUT_URLS. A counter is the total since the start of
its process. A client computes a rate from two responses.

See docs/decisions/0030-system-view-reads-metrics.md.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Annotated

import aiohttp
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families
from pydantic import Field

from services.api.auth.authentication import require_admin
from services.api.auth.routes import CLOCK
from services.api.http.requests import json_response
from services.api.models.responses import ResponseModel
from services.api.settings import SETTINGS
from shared.runtime.urls import host_of, metrics_of
from shared.web import client as http

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_SESSION = web.AppKey("system_session", aiohttp.ClientSession)

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
_VERSION, _PROTOCOL = "headrace_indexer_upstream_info", "headrace_indexer_protocol"
_KINDS = {"fanout": _FANOUT, "indexer": _INDEXER}


class VersionDocument(ResponseModel):
    """What a server that an indexer reads last reported of itself. All texts are the server's."""

    version: Annotated[str, Field(description='"" if the server does not report it')]
    core: Annotated[str, Field(description="version of the server's stellar-core")]
    protocol: Annotated[int, Field(description="protocol of the network, 0 if not reported")]


class PartDocument(ResponseModel):
    """One process. `measures` are its gauges now, and its counters since its start."""

    url: str
    kind: Annotated[str, Field(examples=["fanout", "indexer", "other"])]
    trouble: Annotated[str | None, Field(description="why the metrics cannot be read, else null")]
    measures: dict[str, float]
    versions: Annotated[
        dict[str, VersionDocument],
        Field(description="of an indexer: versions of the servers that it reads, horizon and rpc"),
    ]


class SystemDocument(ResponseModel):
    """All services that this API knows."""

    as_of: Annotated[float, Field(description="Unix seconds")]
    parts: list[PartDocument]


def add_system_routes(app: web.Application) -> None:
    """Add the route, with and without /v1."""
    app.cleanup_ctx.append(_session)
    for prefix in ("/v1", ""):
        app.router.add_get(f"{prefix}/system", system)


async def _session(app: web.Application) -> AsyncIterator[None]:
    async with http.session(timeout=_TIMEOUT) as session:
        app[_SESSION] = session
        yield


async def system(request: web.Request) -> web.Response:
    """GET /v1/system, for admins. All services are asked in parallel."""
    require_admin(request)
    settings, session = request.app[SETTINGS], request.app[_SESSION]
    urls = metrics_urls([*settings.fanout_urls, *settings.ready_urls])
    parts = await asyncio.gather(*(_ask(session, url) for url in urls))
    return json_response({"asOf": round(request.app[CLOCK](), 3), "parts": parts}, headers=_FRESH)


_FRESH = {"Cache-Control": "no-store"}


def metrics_urls(urls: Iterable[str]) -> list[str]:
    """The URLs of the metrics, without duplicates."""
    return list(dict.fromkeys(map(metrics_of, urls)))


async def _ask(session: aiohttp.ClientSession, url: str) -> dict[str, object]:
    name = host_of(url)
    try:
        async with session.get(url, allow_redirects=False) as response:
            response.raise_for_status()
            text = await response.text()
            kind, measures = parse_metrics(text)
            versions = parse_versions(text) if kind == "indexer" else {}
            trouble = None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        kind, measures, versions = "other", {}, {}
        trouble = f"does not answer ({type(error).__name__})"
    known = {"measures": measures, "versions": versions}
    return {"url": name, "kind": kind, "trouble": trouble, **known}


def parse_metrics(text: str) -> tuple[str, Mapping[str, float]]:
    """Kind and measures of a service. Adds up all series of a metric. Raises ValueError."""
    sums: defaultdict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] += sample.value
    for kind, names in _KINDS.items():
        if any(name in sums for name in names.values()):
            return kind, {name: sums[metric] for name, metric in names.items()}
    return "other", {}


def parse_versions(text: str) -> Mapping[str, Mapping[str, object]]:
    """The versions that an indexer has read, by server. Raises ValueError."""
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    protocols = {s.labels["server"]: int(s.value) for s in samples if s.name == _PROTOCOL}
    return {
        server: {**{n: s.labels[n] for n in ("version", "core")}, "protocol": protocols[server]}
        for s in samples
        if s.name == _VERSION and (server := s.labels["server"]) in protocols
    }
