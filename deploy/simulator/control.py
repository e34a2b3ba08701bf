"""The control API under `/sim/`: close ledgers, submit operations, add faults, read the state."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from deploy.simulator.app_keys import FAULTS, NETWORK, VERSIONS
from deploy.simulator.chain import accounts
from deploy.simulator.chain.envelopes import BASE_FEE
from deploy.simulator.chain.operations import Proposal, read_operation
from deploy.simulator.chain.server_view import ServerViews
from deploy.simulator.contracts.record import CallRefusedError, Record
from deploy.simulator.control_requests import answer, bad_request, number, read_body
from deploy.simulator.faults.faults import AT_ONCE, SERVERS, Fault, FaultKind, read_fault
from deploy.simulator.future_protocol import CHANGES
from deploy.simulator.network import Network, RecordedEvent
from shared.domain.instant import utc_text
from shared.domain.position import parse_position

routes = web.RouteTableDef()


@routes.post("/sim/close")
async def close(request: web.Request) -> web.Response:
    """{"ledgers": 1, "now": Unix seconds, "step": 0}: close ledgers, `step` seconds apart."""
    body = await read_body(request)
    network = request.app[NETWORK]
    now, step = number(body, "now", int(time.time())), number(body, "step", 0)
    for n in range(number(body, "ledgers", 1)):
        network.close(now + n * step)
        await asyncio.sleep(0)  # let the open streams send each ledger before the next one
    return _tip(network)


@routes.post("/sim/pause")
async def pause(request: web.Request) -> web.Response:
    """{"seconds": 10}: let the clock close no ledger for this time."""
    seconds = number(await read_body(request), "seconds", 10)
    request.app[NETWORK].paused_until = asyncio.get_running_loop().time() + seconds
    return _tip(request.app[NETWORK])


@routes.post("/sim/operations")
async def submit(request: web.Request) -> web.Response:
    """{"operations": […], "feeBump": false, "meta": 4, "future": null}: add one transaction.

    The operations succeed or fail together, in the next ledger. Without operations, the transaction
    is a payment. `future` is a key of `future_protocol.CHANGES`. The answer has the number of
    transactions that wait for the next ledger.
    """
    body = await read_body(request)
    operations = body.get("operations")
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise bad_request("operations must be a list of objects")
    try:
        proposal = Proposal(
            operations=tuple(read_operation(each) for each in operations),
            fee_bump=body.get("feeBump") is True,
            meta=number(body, "meta", 4),
            future=_future(body.get("future")),
        )
    except ValueError as error:
        raise bad_request(str(error)) from None
    return answer({"waiting": request.app[NETWORK].submit(proposal)})


def _future(name: object) -> str | None:
    if name is not None and name not in CHANGES:
        raise ValueError(f"future must be one of {', '.join(CHANGES)}, not {name!r}")
    return None if name is None else str(name)


@routes.post("/sim/faults")
async def arm(request: web.Request) -> web.Response:
    """Add a fault: {"kind": …} and, if needed, the other fields of `faults.Fault` in camelCase."""
    try:
        fault = read_fault(await read_body(request))
    except ValueError as error:
        raise bad_request(str(error)) from None
    if not _at_once(request.app[NETWORK], request.app[FAULTS].views, fault):
        request.app[FAULTS].arm(fault)
    return answer({"armed": request.app[FAULTS].armed()})


def _at_once(network: Network, views: ServerViews, fault: Fault) -> bool:
    one = fault.surface if fault.surface in SERVERS else None
    match fault.kind:
        case FaultKind.TRIM:
            _trim(network, views, one, fault)
        case FaultKind.HOLE:
            views.lose(one or "horizon", (fault.first, fault.last))
        case FaultKind.LAG:
            for server in (one,) if one else SERVERS:
                views.lag(server, fault.after)
        case FaultKind.FEE_SURGE:
            network.submissions.inclusion_fee = fault.fee
        case FaultKind.ARCHIVED:
            network.archive(fault.stream_id)
        case FaultKind.RESET:
            views.forget()
            network.reset(int(time.time()))
    return fault.kind in AT_ONCE


def _trim(network: Network, views: ServerViews, server: str | None, fault: Fault) -> None:
    if fault.seconds and server != "rpc":
        views.look(network.chain, fault.seconds)
    if server:
        views.trim(server, network.chain, fault.after)
    else:
        network.chain.trim(fault.after)


@routes.get("/sim/faults")
async def armed(request: web.Request) -> web.Response:
    """The faults that can still apply."""
    return answer({"armed": request.app[FAULTS].armed()})


@routes.delete("/sim/faults")
async def behave(request: web.Request) -> web.Response:
    """Remove all faults."""
    request.app[FAULTS].clear()
    request.app[NETWORK].submissions.inclusion_fee = BASE_FEE
    return answer({"armed": []})


@routes.post("/sim/versions")
async def report(request: web.Request) -> web.Response:
    """{"server": "rpc", "version": "22.1.3-…", "core": "…", "protocol": 22}: an upgrade."""
    try:
        request.app[VERSIONS].change(await read_body(request))
    except ValueError as error:
        raise bad_request(str(error)) from None
    return answer({})


@routes.get("/sim/events")
async def events(request: web.Request) -> web.Response:
    """All events since the chain began, in order. With `?after=`, only events above this position.

    `?contractId=` selects another contract than the stream contract; `*` selects all contracts.
    """
    wanted = request.query.get("contractId", accounts.STREAMS)
    try:
        after = parse_position(request.query.get("after", "0-0"))
    except ValueError as error:
        raise bad_request(str(error)) from None
    found = (each for each in request.app[NETWORK].events if each.position > after)
    return answer({"events": [_event(r) for r in found if wanted in ("*", r.event.contract_id)]})


def _event(recorded: RecordedEvent) -> dict[str, object]:
    event = recorded.event
    return {
        "id": str(recorded.position),
        "ledger": recorded.position.ledger,
        "closedAt": utc_text(recorded.closed_at),
        "txHash": recorded.tx_hash,
        "contractId": event.contract_id,
        "name": event.name,
        "streamId": event.stream_id,
        "data": event.data,
    }


@routes.get("/sim/streams")
async def streams(request: web.Request) -> web.Response:
    """The state of the contract: all streams, and its balance of the token."""
    return _state(request)


def _state(request: web.Request) -> web.Response:
    state = request.app[NETWORK].contract.state
    return answer(
        {"streams": [_stream(each) for each in state.streams.values()], "held": str(state.held)}
    )


def _stream(stream: Record) -> dict[str, object]:
    return {
        "id": stream.id,
        "sender": stream.sender,
        "recipient": stream.recipient,
        "tokenAddress": stream.token,
        "ratePerSecond": str(stream.rate),
        "depositedAmount": str(stream.deposited),
        "withdrawnAmount": str(stream.withdrawn),
        "startTime": stream.start,
        "lastUpdateTime": stream.anchor,
        "pausedAt": stream.paused_at,
        "active": stream.active,
        "status": stream.status,
    }


@routes.post("/sim/entries")
async def alter(request: web.Request) -> web.Response:
    """{"streamId": "7", "withdrawn": 5}: change a stream's record in the storage without an event.

    The fields are those of `contracts.record.Record` that are numbers.
    """
    body = dict(await read_body(request))
    stream_id = str(body.pop("streamId", ""))
    try:
        request.app[NETWORK].alter(stream_id, **{name: int(str(v)) for name, v in body.items()})
    except (CallRefusedError, TypeError, ValueError) as error:
        raise bad_request(str(error)) from None
    return _state(request)


def _tip(network: Network) -> web.Response:
    latest = network.chain.latest
    return answer(
        {
            "ledger": latest.sequence,
            "closedAt": latest.closed_at,
            "hash": latest.hash,
            "transactions": [
                {"hash": each.hash, "successful": each.successful} for each in latest.transactions
            ],
        }
    )
