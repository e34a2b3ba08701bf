"""Prepared ledgers, served as Horizon and as Stellar RPC: `python -m tests.bench.ledger`.

The transactions come from the simulated network. They are renumbered to fill a chain of any length.
All answers are prepared, so the server needs little CPU while an indexer is measured.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson
from aiohttp import web

from deploy.simulator.chain import accounts
from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.horizon import documents as horizon
from deploy.simulator.horizon.transaction_stream import BYEBYE, HELLO
from deploy.simulator.network import start
from deploy.simulator.rpc.event_query import padded
from deploy.simulator.settings import SimulatorSettings
from shared.domain.instant import utc_text
from shared.domain.position import toid

FIRST = 4_000_000
PASSPHRASE = SimulatorSettings().network_passphrase
_CLOSED = 1_770_000_000
_PER_LEDGER = 40
_PAGE = 200


class PreparedLedger:
    """Prepared answers of both servers. `frames` has one SSE event for each transaction."""

    def __init__(self, count: int) -> None:
        self.transactions = transactions(count)
        self.latest = self.transactions[-1].ledger
        self.frames = [
            b"id: %d\ndata: %s\n\n" % (t.toid, _dump(horizon.record(t, "")))
            for t in self.transactions
        ]
        self.index_by_toid = {t.toid: n for n, t in enumerate(self.transactions)}
        self.details = {t.hash: _details(t) for t in self.transactions}
        self.events = [
            _event(t, p, e) for t in self.transactions for p, e in t.events() if _is_ours(e)
        ]

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """A page of Horizon's transaction stream. After the last one the stream stays open."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        cursor = int(request.query["cursor"])
        start = next(
            (n for n, t in enumerate(self.transactions) if t.toid > cursor), len(self.transactions)
        )
        if cursor in self.index_by_toid:
            start = self.index_by_toid[cursor] + 1
        await response.write(HELLO + b"".join(self.frames[start : start + _PAGE]))
        if start + _PAGE >= len(self.transactions):
            await asyncio.sleep(3600)
        await response.write(BYEBYE)
        return response

    async def root(self, _: web.Request) -> web.Response:
        """The root document of Horizon."""
        known = {"history_elder_ledger": FIRST, "history_latest_ledger": self.latest}
        return web.json_response(known | {"network_passphrase": PASSPHRASE})

    async def ledger(self, request: web.Request) -> web.Response:
        """A ledger with any valid hash. The indexer reads it to know that the ledger exists."""
        digest = sha256(request.match_info["n"].encode()).hexdigest()
        return web.json_response({"hash": digest})

    async def ledgers(self, request: web.Request) -> web.Response:
        """A page of ledgers with their number of transactions."""
        first = max(FIRST, (int(request.query["cursor"]) + 1) >> 32)
        numbers = range(first, min(first + _PAGE, self.latest + 1))
        last = len(self.transactions) - (self.latest - FIRST) * _PER_LEDGER
        counts = {n: _PER_LEDGER if n < self.latest else last for n in numbers}
        records = [{"sequence": n, "successful_transaction_count": counts[n]} for n in numbers]
        return web.json_response({"_embedded": {"records": records}})

    async def rpc(self, request: web.Request) -> web.Response:
        """The answer to one JSON-RPC call."""
        call = orjson.loads(await request.read())
        params = call.get("params", {})
        if call["method"] == "getTransaction":
            result = self.details[params["hash"]]
        else:
            result = _dump(self._small(call["method"], params))
        body = b'{"jsonrpc":"2.0","id":1,"result":%s}' % result
        return web.Response(body=body, content_type="application/json")

    def _small(self, method: str, params: Any) -> dict[str, object]:
        if method == "getNetwork":
            return {"passphrase": PASSPHRASE}
        if method == "getHealth":
            return {"status": "healthy", "oldestLedger": FIRST, "latestLedger": self.latest}
        if method == "getLatestLedger":
            return {"sequence": self.latest, "id": sha256(b"tip").hexdigest()}
        after = params["pagination"].get("cursor") or padded_toid(params["startLedger"])
        limit = params["pagination"]["limit"]
        start = next(
            (n for n, e in enumerate(self.events) if str(e["id"]) > after), len(self.events)
        )
        page = self.events[start : start + limit]
        end = f"{toid(self.latest + 1) - 1:019}-{0:010}"
        cursor = page[-1]["id"] if len(page) == limit else end
        known = {"oldestLedger": FIRST, "latestLedger": self.latest}
        return {"events": page, "cursor": cursor, "latestLedgerCloseTime": str(_CLOSED)} | known


def transactions_end(count: int) -> int:
    """The TOID of the last of this many transactions."""
    return toid(FIRST + (count - 1) // _PER_LEDGER, (count - 1) % _PER_LEDGER + 1)


def padded_toid(ledger: int) -> str:
    """The first part of event ids in this ledger. It sorts before all of them."""
    return f"{toid(ledger):019}-"


def transactions(count: int) -> list[Transaction]:
    """Transactions of the contract, forty in each ledger."""
    network = start(SimulatorSettings(close_seconds=0, streams=60), _CLOSED)
    while len(network.events) < 2_500:
        network.close(network.chain.latest.closed_at + 5)
    made = [t for t in network.chain.after(0) if any(_is_ours(e) for _, e in t.events())]
    return [_numbered(made[n % len(made)], n) for n in range(count)]


def _numbered(template: Transaction, n: int) -> Transaction:
    digest = sha256(b"%d" % n).hexdigest()
    return replace(
        template,
        ledger=FIRST + n // _PER_LEDGER,
        order=n % _PER_LEDGER + 1,
        signed=replace(template.signed, hash=digest),
    )


def _is_ours(event: Any) -> bool:
    return bool(event.contract_id == accounts.STREAMS)


def _details(t: Transaction) -> bytes:
    texts = {"envelopeXdr": t.signed.envelope, "resultXdr": t.result, "resultMetaXdr": t.meta}
    return _dump({"status": "SUCCESS", "ledger": t.ledger, "latestLedger": t.ledger, **texts})


def _event(t: Transaction, position: Any, event: Any) -> dict[str, object]:
    return {
        "type": event.type,
        "ledger": t.ledger,
        "ledgerClosedAt": utc_text(t.closed_at),
        "contractId": event.contract_id,
        "id": padded(position),
        "transactionIndex": t.order,
        "operationIndex": position.toid & 0xFFF,
        "topic": list(event.topics),
        "value": event.value,
        "txHash": t.hash,
    }


def _dump(value: object) -> bytes:
    return orjson.dumps(value)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the process is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--transactions", type=int, required=True)
    arguments = parser.parse_args(argv)
    ledger = PreparedLedger(arguments.transactions)
    app = web.Application()
    app.router.add_get("/", ledger.root)
    app.router.add_get("/transactions", ledger.stream)
    app.router.add_get("/ledgers", ledger.ledgers)
    app.router.add_get("/ledgers/{n}", ledger.ledger)
    app.router.add_post("/rpc", ledger.rpc)
    web.run_app(app, host="127.0.0.1", port=arguments.port, print=None)


if __name__ == "__main__":
    main()
