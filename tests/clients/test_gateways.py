"""Native EventSources behind each gateway while fanouts are killed: none gives up or misses one.

Chromium's EventSource and those of npm take any status but 200 as final.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shared.domain.position import parse_position
from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.clients.libraries import need
from tests.clients.natives import Native, Natives, natives
from tests.deploy.fanouts import PORT, Fanouts
from tests.deploy.gateways import gateway, local_gateway
from tests.fanout.rig import SUBSCRIBE, Chain
from tests.support.name_server import name_server
from tests.support.tier import at_length
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]

GATEWAYS = at_length(("deployment", "caddy"), ("deployment", "nginx", "caddy"))
NEW = at_length(6, 12)
"""How many connect at each gateway in each act."""
REASON = "no replica can take this connection now"
"""The gateway's own; a fanout that has just started tells another."""

ACTS = ("both live", "one is killed", "it is back and the other is killed", "one is frozen")
SYNC_SECONDS = 1


@dataclass
class Story:
    """What each EventSource lived through, by gateway, and what was committed."""

    natives: dict[str, list[Native]] = field(default_factory=dict)
    refused: dict[str, dict[str, int]] = field(default_factory=dict)
    committed: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class Teller:
    """Does to all gateways at once what the story tells."""

    def __init__(self, ways: Mapping[str, str], opener: Natives, chain: Chain) -> None:
        self.story = Story()
        self._ways = ways
        self._opener = opener
        self._chain = chain

    async def commit(self) -> None:
        self.story.committed += await self._chain.commit_many(5)

    async def open(self, act: str) -> None:
        """New ones at each gateway; notes how many of them do not connect."""
        new = await self._opener.open(list(self._ways.values()), NEW)
        await self._all(act, new, lambda native: native.named("message"))
        for name, url in self._ways.items():
            mine = [native for native in new if native.url == url]
            self.story.natives.setdefault(name, []).extend(mine)
            refused = sum(not native.named("message") for native in mine)
            self.story.refused.setdefault(name, {})[act] = refused

    async def delivered(self, act: str) -> None:
        last = self.story.committed[-1]
        await self._all(act, self._opener.all, lambda native: last in native.ids)

    async def turned_away(self, act: str) -> None:
        await self._all(act, self._opener.all, lambda native: native.named("overload"))

    async def _all(
        self, act: str, whom: Sequence[Native], done: Callable[[Native], object]
    ) -> None:
        """Until it is done for all but those that gave up."""
        try:
            await until(lambda: all(n.given_up or done(n) for n in whom), seconds=90, what=act)
        except AssertionError as error:
            self.story.troubles.append(str(error))


async def tell(redis_url: str, folder: Path) -> Story:
    keys = Keys(f"test-{uuid.uuid4().hex[:12]}")
    redis = connect(redis_url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(redis.aclose)
        names = await stack.enter_async_context(name_server({}))
        fanouts = await stack.enter_async_context(Fanouts(redis_url, keys, names))
        settings: dict[str, Any] = {"RETRY_MS": 300, "SYNC_SECONDS": SYNC_SECONDS}
        one, two = [await fanouts.start(**settings) for _ in range(2)]
        ports = {}
        for kind in GATEWAYS:
            (folder / kind).mkdir()
            addresses = [f"{one}:{PORT}", f"{two}:{PORT}"]
            front = await stack.enter_async_context(
                gateway(folder / kind, names, HANDSHAKES_PER_IP="1000r/s")
                if kind == "deployment"
                else local_gateway(kind, folder / kind, addresses, addresses[0])
            )
            ports[kind] = front.port
        query = f"{SUBSCRIBE}?all=true"
        ways = {kind: f"http://127.0.0.1:{port}{query}" for kind, port in ports.items()}
        opener = await stack.enter_async_context(natives())
        teller = Teller(ways, opener, Chain(redis, keys))

        await teller.open(ACTS[0])
        await teller.commit()
        await fanouts.kill(one)
        await teller.open(ACTS[1])
        await teller.commit()
        await fanouts.start(one, **settings)
        await fanouts.kill(two)
        await teller.open(ACTS[2])
        await teller.commit()
        await teller.delivered("three commits")
        await fanouts.start(two, **settings)
        fanouts.freeze(one)
        await teller.open(ACTS[3])
        await teller.commit()
        await teller.delivered("those at the frozen one go on at the other")
        fanouts.thaw(one)
        await fanouts.kill(one, two)
        await teller.commit()
        await teller.turned_away("both are killed")
        await teller.commit()
        await fanouts.start(two, **settings)
        await teller.delivered("all commits")
        return teller.story


@pytest.fixture(scope="module")
def story(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    need("chromium")
    need("undici")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SYNC_SECONDS", str(SYNC_SECONDS))  # gateways read it too
        return asyncio.run(tell(redis_url, tmp_path_factory.mktemp("gateways")))


@pytest.mark.parametrize("kind", GATEWAYS)
def test_no_event_source_gives_up(story: Story, kind: str) -> None:
    assert [native for native in story.natives[kind] if native.given_up] == []


@pytest.mark.parametrize("kind", GATEWAYS)
@pytest.mark.parametrize("act", ACTS)
def test_every_new_one_connects_while_a_fanout_lives(story: Story, kind: str, act: str) -> None:
    assert story.refused[kind][act] == 0


@pytest.mark.parametrize("kind", GATEWAYS)
def test_without_a_fanout_each_is_told_in_band_when_to_come_back(story: Story, kind: str) -> None:
    told = [native.named("overload") for native in story.natives[kind]]
    assert all(told)
    told_by_all = [json.loads(event.data) for events in told for event in events]
    waits = [said["retry"] for said in told_by_all if said["reason"] == REASON]
    assert all(4000 <= wait < 8000 for wait in waits)
    assert len(set(waits)) > len(waits) * 0.9, "they do not come back together"


@pytest.mark.parametrize("kind", GATEWAYS)
def test_all_come_back_and_miss_nothing_and_get_nothing_twice(story: Story, kind: str) -> None:
    assert story.troubles == []
    for native in story.natives[kind]:
        began = parse_position(native.began)
        assert native.ids == [p for p in story.committed if parse_position(p) > began], native.kind
