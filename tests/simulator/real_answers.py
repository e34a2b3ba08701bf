"""A small network for comparison with a real one, and plain requests to it."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.network import Network
from tests.simulator.samples import NOW, aged

STREAM = {"Accept": "text/event-stream"}
GZIP = {"Accept-Encoding": "gzip, deflate"}
ORIGIN = {"Origin": "http://a.example"}
NO_STORE = "no-cache, no-store, max-age=0"


def small() -> Network:
    """Of the version of the protocol that the real one had, with transactions of each form."""
    network = aged(9, step=5, protocol=28, streams=0)
    emit = (Operation(op="emit"),)
    proposals = Proposal(memo="hi"), Proposal(operations=emit), Proposal(operations=emit)
    for n, proposal in enumerate((*proposals, Proposal(operations=emit, fee_bump=True))):
        network.submit(proposal)
        network.close(NOW + 100 + n)
    network.chain.trim(10)
    return network


def places(network: Network) -> Mapping[str, object]:
    """What the paths of the tables name."""
    latest = network.chain.latest.sequence
    memo, plain, _, outer = (
        each.transactions[0] for each in network.chain.ledgers(latest - 3, latest + 1)
    )
    return {
        "ledger": latest - 5,
        "after": latest - 5 << 32,
        "memo": memo.hash,
        "plain": plain.hash,
        "outer": outer.hash,
    }


async def ask(
    http: aiohttp.ClientSession, path: str, headers: Mapping[str, str], method: str = "GET"
) -> aiohttp.ClientResponse:
    """The answer to just these headers, read to its end."""
    silent = [name for name in ("Accept", "Accept-Encoding") if name not in headers]
    response = await http.request(method, path, headers=headers, skip_auto_headers=silent)
    await response.read()
    return response
