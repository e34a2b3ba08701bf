"""The application: the routes of Horizon, RPC and the control API, and the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from deploy.simulator import control, control_accounts
from deploy.simulator.app_keys import FAULTS, NETWORK, VERSIONS
from deploy.simulator.chain.server_view import NOT_YET, HistoryBounds, ServerView, ServerViews
from deploy.simulator.faults.faults import FaultKind, Faults
from deploy.simulator.faults.wire_faults import misbehave, refuse
from deploy.simulator.horizon import documents as horizon
from deploy.simulator.horizon.paging import PageQuery, page_query
from deploy.simulator.horizon.transaction_stream import stream
from deploy.simulator.network import Network
from deploy.simulator.responses import (
    base_url,
    hal,
    head,
    pack,
    require_json,
    wants_stream,
)
from deploy.simulator.rpc import jsonrpc
from deploy.simulator.rpc.rpc import RpcServer
from deploy.simulator.versions import ServerVersions
from shared.runtime.tasks import cancel, supervise

routes = web.RouteTableDef()


def build_app(network: Network) -> web.Application:
    """The whole network on one port. If the settings say so, a clock closes the ledgers."""
    app = web.Application(middlewares=[pack, refuse, misbehave])
    app.on_response_prepare.append(head)
    app[NETWORK] = network
    app[VERSIONS] = ServerVersions.of(network.settings.protocol)
    app[FAULTS] = Faults(ServerViews(network.settings.root_cache_seconds))
    app.add_routes(routes)
    app.add_routes([*control.routes, *control_accounts.routes])
    app.cleanup_ctx.extend((_clock, _close_after_submission))
    return app


@asynccontextmanager
async def running(network: Network) -> AsyncIterator[str]:
    """Serve the network inside this process, for tests. Yields its base URL."""
    runner = web.AppRunner(
        build_app(network), access_log=None, handler_cancellation=True, shutdown_timeout=0.05
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, network.settings.host, network.settings.port).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _clock(app: web.Application) -> AsyncIterator[None]:
    network = app[NETWORK]
    if network.settings.close_seconds <= 0 or network.settings.vectors:
        yield
        return
    task = supervise("clock", lambda: _close_ledgers(network))
    yield
    await cancel(task)


async def _close_ledgers(network: Network) -> None:
    while True:
        await asyncio.sleep(network.settings.close_seconds)
        if asyncio.get_running_loop().time() >= network.paused_until:
            network.close(int(time.time()))


async def _close_after_submission(app: web.Application) -> AsyncIterator[None]:
    """Close a ledger soon after a client submitted a transaction, if the settings say so."""
    network, loop = app[NETWORK], asyncio.get_running_loop()
    waiting: list[asyncio.TimerHandle] = []

    def close() -> None:
        waiting.clear()
        if loop.time() >= network.paused_until:
            network.close(int(time.time()))

    def soon() -> None:
        if not waiting:
            waiting.append(loop.call_later(network.settings.submit_close_seconds, close))

    if network.settings.submit_close_seconds > 0:
        network.submission_listeners.add(soon)
    yield
    network.submission_listeners.discard(soon)
    for each in waiting:
        each.cancel()


@routes.get("/", allow_head=False)
async def root(request: web.Request) -> web.Response:
    """Horizon's root document."""
    require_json(request)
    status = _status(request)
    request.app[FAULTS].take("root", {FaultKind.STARTING})
    passphrase = request.app[NETWORK].settings.network_passphrase
    reported = request.app[VERSIONS].horizon
    return hal(horizon.root(status, passphrase, reported, base_url(request)))


def _status(request: web.Request) -> HistoryBounds:
    """The history bounds with which Horizon answers this request."""
    faults = request.app[FAULTS]
    starting = faults.waits("root", FaultKind.STARTING)
    return NOT_YET if starting else faults.views.status(request.app[NETWORK].chain)


def _view(request: web.Request, server: str) -> ServerView:
    return request.app[FAULTS].views.of(server, request.app[NETWORK].chain)


@routes.get("/ledgers/{sequence}", allow_head=False)
async def ledger(request: web.Request) -> web.Response:
    """A ledger by its number."""
    require_json(request)
    text = request.match_info["sequence"]
    found = horizon.find_ledger(_view(request, "horizon"), _status(request), text)
    return hal(horizon.record(found, base_url(request)))


@routes.get("/transactions/{hash}", allow_head=False)
async def transaction(request: web.Request) -> web.Response:
    """A transaction by its hash."""
    require_json(request)
    found = horizon.find_transaction(_view(request, "horizon"), request.match_info["hash"])
    shown = request.app[FAULTS].distort("transaction", found)
    return hal(horizon.record(shown, base_url(request)))


@routes.get("/transactions", allow_head=False)
async def transactions(request: web.Request) -> web.StreamResponse:
    """Transactions after a cursor, as a stream or as a page."""
    return await _collection(request, of_ledgers=False)


@routes.get("/ledgers", allow_head=False)
async def ledgers(request: web.Request) -> web.StreamResponse:
    """Ledgers after a cursor, as a stream or as a page."""
    return await _collection(request, of_ledgers=True)


async def _collection(request: web.Request, *, of_ledgers: bool) -> web.StreamResponse:
    streaming = wants_stream(request)
    if not streaming:
        require_json(request)
    last_event_id = request.headers.get("Last-Event-ID")
    status = _status(request)
    query = page_query(request.query, last_event_id, status, of_ledgers=of_ledgers)
    return await stream(request, query) if streaming else _page(request, query)


def _page(request: web.Request, query: PageQuery) -> web.Response:
    faults, base = request.app[FAULTS], base_url(request)
    surface = "ledgers" if query.of_ledgers else "page"
    found = query.page(_view(request, "horizon"))
    records = [horizon.record(faults.shown(surface, each), base) for each in found]
    return hal(horizon.page(query, records, base + request.path, request.query))


@routes.post("/rpc")
async def rpc(request: web.Request) -> web.Response:
    """A JSON-RPC 2.0 call, or a batch of calls."""
    network = request.app[NETWORK]
    server = RpcServer(
        chain=_view(request, "rpc"),
        network=network,
        reported=request.app[VERSIONS].rpc,
        faults=request.app[FAULTS],
        now=time.time(),
    )
    return await jsonrpc.respond(request, server.call)
