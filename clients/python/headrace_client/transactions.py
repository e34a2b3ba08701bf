"""The calls that change streams on the chain: prepare, submit and follow a transaction."""

from __future__ import annotations

import asyncio
from typing import Unpack
from urllib.parse import quote

from headrace_client.errors import HeadraceError, ProblemError
from headrace_client.http import Http, can_come_later
from headrace_client.model.transaction import (
    PreparedTransaction,
    Transaction,
    TransactionAction,
    TransactionArguments,
)

_PATH = "/v1/transactions"
_SOONEST = 1.0
_LATEST = 5.0
"""Seconds between two questions about a transaction. They grow: a ledger takes about 5 seconds."""

_NAMES = {"stream_id": "streamId"}


class Transactions:
    """The calls of one server. Each raises HeadraceError. The server never has your key."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def prepare_transaction(
        self, action: TransactionAction, **arguments: Unpack[TransactionArguments]
    ) -> PreparedTransaction:
        """POST /v1/transactions: a transaction to sign. Nothing is sent to the network.

        prepared = await client.prepare_transaction("top_up", stream_id="7", amount=5_000_000)
        """
        body: dict[str, object] = {"action": action}
        for name, value in arguments.items():
            if value is not None:
                sent = str(value) if name in ("amount", "stream_id") else value
                body[_NAMES.get(name, name)] = sent
        answer = await self._http.call("POST", _PATH, body=body)
        return PreparedTransaction.from_json(answer.document)

    async def submit_transaction(self, xdr: str) -> Transaction:
        """POST /v1/transactions/submit: send a signed envelope.

        The server sends each transaction once, so the call is repeated if its answer was lost.
        """
        answer = await self._http.call("POST", f"{_PATH}/submit", body={"xdr": xdr})
        return Transaction.from_json(answer.document)

    async def transaction(self, hash: str) -> Transaction:  # noqa: A002 - its name everywhere
        """GET /v1/transactions/{hash}: what became of a transaction that was sent."""
        answer = await self._http.get(f"{_PATH}/{quote(hash, safe='')}")
        return Transaction.from_json(answer.document)

    async def follow_transaction(self, hash: str) -> Transaction:  # noqa: A002
        """Wait until a transaction is settled. While the server is away, ask it again.

        It always ends: a transaction is in a ledger before its `max_time`, or it expires.
        """
        wait = _SOONEST
        while True:
            at_least = 0.0
            try:
                if (now := await self.transaction(hash)).is_settled:
                    return now
            except HeadraceError as error:
                if not can_come_later(error):
                    raise
                at_least = (isinstance(error, ProblemError) and error.retry_after) or 0.0
            await asyncio.sleep(max(wait, at_least))
            wait = min(_LATEST, 1.5 * wait)
