"""A simulated network for the tests of transactions, and a journal that is filled from it."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from stellar_sdk import Keypair, TransactionEnvelope

from deploy.simulator.chain import accounts
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.indexer.simulated import Read, Sim
from tests.support.web_client import WebClient

ALICE, BOB, CAROL = (accounts.keypair(name) for name in ("alice", "bob", "carol"))
CREATE: dict[str, Any] = {
    "action": "create",
    "source": ALICE.public_key,
    "recipient": BOB.public_key,
    "token": accounts.TOKEN,
    "amount": "1000000",
    "duration": 1000,
}
"""Alice pays Bob 995 base units a second. The fee of the contract is 0.5 %."""


def of_stream(action: str, signer: Keypair, stream_id: str = "1") -> dict[str, Any]:
    """The body for an action on a stream."""
    return {"action": action, "source": signer.public_key, "streamId": stream_id}


class Journal:
    """Reads the network's ledgers into Redis, as the indexer does."""

    def __init__(self, sim: Sim, redis: Redis, keys: Keys) -> None:
        self._sim = sim
        self._committer = Committer(redis, keys)
        self._cursor = (sim.network.settings.start_ledger << 32) - 1

    async def read(self) -> None:
        """Read up to the last ledger."""
        target = (self._sim.network.chain.latest.sequence + 1 << 32) - 1
        read = await Read(self._cursor).up_to(target, self._sim.rpc())
        assert read.errors == []
        for batch in read.batches:
            await self._committer.record(batch.events, progress={"cursor": str(batch.cursor)})
        self._cursor = read.cursor


def signed(document: dict[str, Any], *signers: Keypair) -> str:
    """The envelope of a prepared transaction, signed like a wallet does it."""
    envelope = TransactionEnvelope.from_xdr(document["xdr"], document["networkPassphrase"])
    assert envelope.hash_hex() == document["hash"]
    for signer in signers:
        envelope.sign(signer)
    return envelope.to_xdr()


async def ask(client: WebClient, path: str, status: int = 200, **request: Any) -> Any:
    """POST with `json`, else GET. Returns the document, whose status must be the expected one."""
    method = "POST" if "json" in request else "GET"
    async with client.request(method, f"/v1/transactions{path}", **request) as response:
        document = await response.json()
        assert response.status == status, document
        return document


async def prepared(client: WebClient, **body: Any) -> Any:
    """Prepare a transaction."""
    return await ask(client, "", json=body)


async def refused(client: WebClient, status: int = 422, **body: Any) -> Any:
    """Prepare a transaction that is refused. Returns the problem."""
    return await ask(client, "", status, json=body)


async def submitted(client: WebClient, envelope: str, status: int = 202) -> Any:
    """Submit an envelope."""
    return await ask(client, "/submit", status, json={"xdr": envelope})


async def settled(
    client: WebClient, sim: Sim, journal: Journal, document: dict[str, Any], *signers: Keypair
) -> Any:
    """Sign, submit, close a ledger, and read it into the journal. Returns the status after that."""
    await submitted(client, signed(document, *signers))
    sim.close()
    await journal.read()
    return await ask(client, f"/{document['hash']}")
