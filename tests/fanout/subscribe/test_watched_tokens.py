"""Events of token contracts go to the accounts that they name, live and in a replay."""

from __future__ import annotations

import pytest

from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, toid
from tests.fanout.replicas import ALICE, BOB, CAROL, CONTRACT, Chain, Replica, StartReplica
from tests.fanout.tokens import REQUIRED, bearer, status, token
from tests.support.sse_client import SseClient
from tests.support.waiting import until

NAMED = {
    EventType.TOKEN_TRANSFER: {"from": ALICE, "to": BOB},
    EventType.TOKEN_MINT: {"admin": CAROL, "to": BOB},
    EventType.TOKEN_BURN: {"from": ALICE},
    EventType.TOKEN_CLAWBACK: {"admin": CAROL, "from": ALICE},
    EventType.CHAIN_UNKNOWN: {"name": "approve"},
}
HERS = {"token.transfer", "token.burn", "token.clawback"}
HIS = {"token.transfer", "token.mint"}


def token_events(chain: Chain) -> list[Event]:
    """One event of each kind in the next ledger, then a broadcast in the ledger after it."""
    chain.ledger += 1
    provenance = Provenance(CONTRACT, chain.ledger, "2026-07-21T18:01:10Z", "ab" * 32, None)
    events = [
        Event(
            kind, None, 100, facts | {"tokenAddress": CONTRACT, "amount": "5"},
            Position(toid(chain.ledger, 1), n), provenance,
        )
        for n, (kind, facts) in enumerate(NAMED.items())
    ]  # fmt: skip
    return [*events, chain.broadcast()]


def types(client: SseClient) -> list[str]:
    return [e.name for e in client.events if e.name and e.name.startswith(("token.", "chain."))]


@pytest.mark.parametrize("replayed", [False, True])
async def test_a_watched_token_event_goes_to_the_accounts_it_names(
    replica: Replica, chain: Chain, clients: list[SseClient], replayed: bool
) -> None:
    await chain.commit(chain.broadcast())
    (before,) = await chain.commit(chain.broadcast())
    await replica.at(before)
    events = token_events(chain)
    if replayed:
        await replica.at((await chain.commit(*events))[-1])
    wanted = {
        f"users={ALICE}": HERS,
        f"users={BOB}": HIS,
        f"users={ALICE},{BOB}": HERS | HIS,
        f"users={CAROL}": set(),
        "streams=7": set(),
        f"users={CONTRACT}": {"chain.unknown"},
        f"users={ALICE}&types=token.burn": {"token.burn"},
        "all=true&types=token.transfer,token.mint": {"token.transfer", "token.mint"},
        "all=true": HERS | HIS | {"chain.unknown"},
    }
    got = {
        query: await replica.subscribe(query, since=before if replayed else "") for query in wanted
    }
    clients += got.values()
    if not replayed:
        await chain.commit(*events)
    (last,) = await chain.commit(chain.broadcast())
    for query, client in got.items():
        expected = [kind for kind in NAMED if kind in wanted[query]]
        if "types" in query:  # `types` excludes the broadcast
            await until(lambda c=client, e=expected: len(types(c)) >= len(e))
        else:
            await client.wait_id(last)
        assert types(client) == expected, query


async def test_with_auth_an_account_gets_only_its_own_token_events(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(**REQUIRED)
    assert await status(replica, f"users={ALICE}", headers=bearer(token(BOB))) == 403
    his = await replica.subscribe(f"users={BOB}", headers=bearer(token(BOB)))
    reader = await replica.subscribe("all=true", headers=bearer(token(CAROL, scope="events:all")))
    clients += [his, reader]
    positions = await chain.commit(*token_events(chain))
    for client in (his, reader):
        await client.wait_id(positions[-1])
    assert types(his) == [kind for kind in NAMED if kind in HIS]
    assert types(reader) == list(NAMED)
