"""The state of the whole system: selected metrics of all other services, in one response.

Through the gateway, a browser can reach no indexer and cannot choose the fanout. So the API reads
the metrics of the services in READY_URLS, FANOUT_URLS and SYSTEM_URLS, of each replica. A counter
is the total since the start of its process. A client computes a rate from two responses.

See docs/decisions/0030-system-view-reads-metrics.md,
docs/decisions/0101-every-replica-is-asked.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

import aiohttp
from aiohttp import web
from pydantic import Field

from services.api.auth.authentication import require_admin
from services.api.auth.routes import CLOCK
from services.api.http.requests import json_response
from services.api.models.responses import ResponseModel
from services.api.settings import SETTINGS
from services.api.system.asking import ASKING, Asking, asking_session, known_urls, look_up
from services.api.system.connections import end_connection, list_connections
from services.api.system.measures import parse_metrics, parse_versions, totals
from services.api.system.replicas import Replica
from shared.runtime.urls import host_of, metrics_of


class VersionDocument(ResponseModel):
    """What a server that an indexer reads last reported of itself. All texts are the server's."""

    version: Annotated[str, Field(description='"" if the server does not report it')]
    core: Annotated[str, Field(description="version of the server's stellar-core")]
    protocol: Annotated[int, Field(description="protocol of the network, 0 if not reported")]


class PartDocument(ResponseModel):
    """One process. `measures` are its gauges now, and its counters since its start."""

    url: Annotated[str, Field(description="host and port, as in the API's settings")]
    address: Annotated[
        str | None, Field(description="IP address of this replica; null if it is not known")
    ]
    kind: Annotated[
        str, Field(examples=["fanout", "indexer", "archiver", "webhooks", "api", "other"])
    ]
    trouble: Annotated[str | None, Field(description="why the metrics cannot be read, else null")]
    measures: dict[str, float]
    versions: Annotated[
        dict[str, VersionDocument],
        Field(description="of an indexer: versions of the servers that it reads, horizon and rpc"),
    ]


class TotalDocument(ResponseModel):
    """All replicas of one kind. `measures` are the sums of those that answer."""

    kind: str
    replicas: int
    answering: int
    measures: dict[str, float]


class SystemDocument(ResponseModel):
    """All services that this API knows."""

    as_of: Annotated[float, Field(description="Unix seconds")]
    totals: list[TotalDocument]
    parts: list[PartDocument]


def add_system_routes(app: web.Application) -> None:
    """Add the routes, with and without /v1."""
    app[ASKING] = Asking()
    app.cleanup_ctx.append(asking_session)
    for prefix in ("/v1", ""):
        app.router.add_get(f"{prefix}/system", system)
        app.router.add_get(f"{prefix}/system/connections", list_connections)
        app.router.add_delete(f"{prefix}/system/connections/{{replica}}/{{id}}", end_connection)


async def system(request: web.Request) -> web.Response:
    """GET /v1/system, for admins. All replicas are asked in parallel."""
    require_admin(request)
    asking = request.app[ASKING]
    urls = metrics_urls(known_urls(request.app[SETTINGS]))
    found = await asyncio.gather(*(_ask_all(asking, url) for url in urls))
    parts = [part for service in found for part in service]
    document = {"asOf": round(request.app[CLOCK](), 3), "totals": totals(parts), "parts": parts}
    return json_response(document, headers=_FRESH)


_FRESH = {"Cache-Control": "no-store"}


def metrics_urls(urls: Iterable[str]) -> list[str]:
    """The URLs of the metrics, without duplicates."""
    return list(dict.fromkeys(map(metrics_of, urls)))


async def _ask_all(asking: Asking, url: str) -> list[dict[str, Any]]:
    """The parts of one URL. A replica that does not answer has the kind of the others."""
    replicas, trouble = await look_up(asking, url)
    parts = await asyncio.gather(*(_ask(asking, each) for each in replicas))
    if trouble:
        parts.append(_part(host_of(url), None, trouble))
    kind = next((part["kind"] for part in parts if part["kind"] != "other"), "other")
    return [part | {"kind": kind} if part["address"] else part for part in parts]


async def _ask(asking: Asking, replica: Replica) -> dict[str, Any]:
    assert asking.session
    try:
        async with asking.session.get(
            replica.url,
            headers=replica.headers,
            server_hostname=replica.server_name,
            proxy=replica.proxy,
            allow_redirects=False,
        ) as response:
            response.raise_for_status()
            text = await response.text()
            kind, measures = parse_metrics(text)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        trouble = f"does not answer ({type(error).__name__})"
        return _part(replica.service, replica.address, trouble)
    part = _part(replica.service, replica.address, None)
    versions = parse_versions(text) if kind == "indexer" else {}
    return part | {"kind": kind, "measures": measures, "versions": versions}


def _part(service: str, address: str | None, trouble: str | None) -> dict[str, Any]:
    part = {"url": service, "address": address, "kind": "other", "trouble": trouble}
    return part | {"measures": {}, "versions": {}}
