"""A hidden stream of the API sends no events to its recipient, live and in a replay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.domain import commands
from shared.domain.events import Event
from shared.domain.stream import Stream
from tests.fanout.replicas import ALICE, BOB, CONTRACT, Chain, Replica, StartReplica
from tests.fanout.tokens import REQUIRED, bearer, token
from tests.support.sse_client import SseClient

ONE = "api-01890a5d-ac96-774b-bcce-b302099a8057"


async def change(chain: Chain, command: Callable[[Stream], list[Event]]) -> str:
    """Change the stream as the API does. Return the position of the event."""

    def decide(stored: object) -> list[Event]:
        assert isinstance(stored, dict)
        return command(stored[ONE])

    return str((await chain.committer.change([ONE], decide)).positions[0])


async def offered(chain: Chain) -> str:
    """Alice makes a stream to Bob."""
    events = commands.create(
        stream_id=ONE, sender=ALICE, recipient=BOB, token=CONTRACT, rate=5, deposited=1000,
        start_time=100, now=100, ask=True,
    )  # fmt: skip
    return await change(chain, lambda _: events)


async def hidden_changed_and_accepted(chain: Chain) -> list[str]:
    """Bob hides the stream, Alice changes it twice, and Bob accepts it after all."""
    return [
        await change(chain, lambda stream: commands.hide(stream, 110)),
        await change(chain, lambda stream: commands.update(stream, {"label": "spam"}, 120)),
        await change(chain, lambda stream: commands.pause(stream, 130)),
        await change(chain, lambda stream: commands.accept(stream, 140)),
    ]


@pytest.mark.parametrize("when", ["live", "from memory", "from the journal"])
async def test_a_recipient_gets_no_events_of_a_stream_while_it_is_hidden(
    start: StartReplica, chain: Chain, clients: list[SseClient], when: str
) -> None:
    ring = {"ring_events": 1} if when == "from the journal" else {}
    replica = await start(**REQUIRED, **ring)
    first = await offered(chain)
    if when == "live":
        clients += await everyone(replica, first)
    hidden, updated, paused, accepted = await hidden_changed_and_accepted(chain)
    if when != "live":
        clients += await everyone(replica, first)
    of_bob, by_id, of_alice, reader = clients
    for client in clients:
        await client.wait_id(accepted)
    assert of_bob.positions == by_id.positions == [hidden, accepted]
    assert of_alice.positions == reader.positions == [hidden, updated, paused, accepted]


async def everyone(replica: Replica, since: str) -> list[SseClient]:
    """Bob by his account, Bob by the stream's id, Alice, and a reader of all events."""
    bob, alice = bearer(token(BOB)), bearer(token(ALICE))
    everything = bearer(token("GX", scope="events:all"))
    return [
        await replica.subscribe(f"users={BOB}", since=since, headers=bob),
        await replica.subscribe(f"streams={ONE}", since=since, headers=bob),
        await replica.subscribe(f"users={ALICE}", since=since, headers=alice),
        await replica.subscribe("all=true", since=since, headers=everything),
    ]
