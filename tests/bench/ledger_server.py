"""Serve a prepared chain as Horizon and as Stellar RPC: `python -m tests.bench.ledger_server`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from deploy.simulator.horizon.transaction_stream import BYEBYE, HELLO
from shared.domain.position import parse_position, toid, transaction_of
from tests.bench.ledger import (
    CLOSED,
    FIRST,
    PASSPHRASE,
    PER_LEDGER,
    PreparedLedger,
    number_after,
    toid_of,
)

_PAGE = 200


class LedgerServer:
    """The answers of both servers that an indexer needs for a backfill."""

    def __init__(self, ledger: PreparedLedger) -> None:
        self.ledger = ledger

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """A page of Horizon's transaction stream. After the last one the stream stays open."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        start = number_after(int(request.query["cursor"]))
        end = min(start + _PAGE, self.ledger.count)
        await response.write(HELLO + b"".join(map(self.ledger.frame, range(start, end))))
        if end == self.ledger.count:
            await asyncio.sleep(3600)
        await response.write(BYEBYE)
        return response

    async def root(self, _: web.Request) -> web.Response:
        """The root document of Horizon."""
        known = {"history_elder_ledger": FIRST, "history_latest_ledger": self.ledger.latest}
        return web.json_response(known | {"network_passphrase": PASSPHRASE})

    async def one_ledger(self, request: web.Request) -> web.Response:
        """A ledger with any valid hash. The indexer reads it to know that the ledger exists."""
        digest = sha256(request.match_info["n"].encode()).hexdigest()
        return web.json_response({"hash": digest})

    async def ledgers(self, request: web.Request) -> web.Response:
        """A page of ledgers with their number of transactions."""
        first, latest = max(FIRST, (int(request.query["cursor"]) + 1) >> 32), self.ledger.latest
        last = self.ledger.count - (latest - FIRST) * PER_LEDGER
        records = [
            {"sequence": n, "successful_transaction_count": PER_LEDGER if n < latest else last}
            for n in range(first, min(first + _PAGE, latest + 1))
        ]
        return web.json_response({"_embedded": {"records": records}})

    async def rpc(self, request: web.Request) -> web.Response:
        """The answer to one JSON-RPC call."""
        call = orjson.loads(await request.read())
        result = self._result(call["method"], call.get("params", {}))
        answer = b'"result":%s' % result if result else b'"error":{"code":-32601}'
        body = b'{"jsonrpc":"2.0","id":1,%s}' % answer
        return web.Response(body=body, content_type="application/json")

    def _result(self, method: str, params: Any) -> bytes:
        latest = self.ledger.latest
        match method:
            case "getNetwork":
                return orjson.dumps({"passphrase": PASSPHRASE})
            case "getVersionInfo":
                return orjson.dumps({"version": "30.0.0"})
            case "getLatestLedger":
                return orjson.dumps({"sequence": latest, "id": sha256(b"tip").hexdigest()})
            case "getTransaction":
                return self.ledger.details(int(params["hash"], 16))
            case "getTransactions":
                return self._transactions(params["pagination"])
            case "getEvents":
                return self._events(params)
        return b""  # the indexer's other jobs find a server without their methods

    def _transactions(self, pagination: Any) -> bytes:
        start = number_after(int(pagination["cursor"]))
        end = min(start + pagination["limit"], self.ledger.count)
        return b'{"transactions":[%s],"latestLedger":%d,"cursor":"%d"}' % (
            b",".join(map(self.ledger.details, range(start, end))),
            self.ledger.latest,
            toid_of(end - 1) + 1,
        )

    def _events(self, params: Any) -> bytes:
        limit = params["pagination"]["limit"]
        if cursor := params["pagination"].get("cursor"):
            after = parse_position(cursor)
            start = number_after(transaction_of(after.toid) - 1)
        else:
            after, start = None, number_after(toid(params["startLedger"]))
        texts = (
            each
            for each in self.ledger.events_from(start)
            if after is None or parse_position(orjson.loads(each)["id"]) > after
        )
        page = list(islice(texts, limit))
        end = f"{toid(self.ledger.latest + 1) - 1:019}-{0:010}"
        told = {
            "cursor": orjson.loads(page[-1])["id"] if len(page) == limit else end,
            "latestLedgerCloseTime": str(CLOSED),
            "oldestLedger": FIRST,
            "latestLedger": self.ledger.latest,
        }
        return b'{"events":[%s],%s' % (b",".join(page), orjson.dumps(told)[1:])


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the process is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--transactions", type=int, required=True)
    arguments = parser.parse_args(argv)
    server = LedgerServer(PreparedLedger(arguments.transactions))
    app = web.Application()
    app.router.add_get("/", server.root)
    app.router.add_get("/transactions", server.stream)
    app.router.add_get("/ledgers", server.ledgers)
    app.router.add_get("/ledgers/{n}", server.one_ledger)
    app.router.add_post("/rpc", server.rpc)
    web.run_app(app, host="127.0.0.1", port=arguments.port, print=None)


if __name__ == "__main__":
    main()
