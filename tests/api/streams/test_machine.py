"""Random commands over HTTP, repeated and concurrent: no money appears or is lost."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from services.api.app import STREAM_NOTICES, build_app
from services.api.settings import ApiSettings
from shared.domain.stream import I128_MAX
from shared.journal.keys import Keys
from tests.api.samples import SENDER, TOKEN, Clock, order
from tests.shared.journal.audit import check
from tests.support.tier import at_length

amounts = st.one_of(st.integers(1, 2000), st.integers(1, 10**9), st.just(I128_MAX))
STEPS = ("withdraw", "pause", "resume", "cancel", "accept", "hide")
command = st.one_of(
    st.tuples(st.just("create"), amounts, amounts, st.booleans()),
    st.tuples(st.just("wait"), st.one_of(st.integers(1, 300), st.integers(1, 10**6))),
    st.tuples(st.just("top-up"), st.integers(0, 3), amounts),
    st.tuples(st.sampled_from(STEPS), st.integers(0, 3)),
    st.tuples(st.just("label"), st.integers(0, 3)),
    st.tuples(st.just("notices")),
)
# The calls of an inner list are sent at once, alternately to two replicas, each `times` times.
plans = st.lists(
    st.tuples(st.lists(command, min_size=1, max_size=5), st.integers(1, 3)), min_size=2, max_size=12
)


class World:
    """Two replicas, a clock, and the created streams."""

    def __init__(self, clients: list[Any], clock: Clock) -> None:
        self.clients = clients
        self.clock = clock
        self.ids: list[str] = []
        self._turn = 0

    async def send(self, method: str, path: str, times: int, **more: Any) -> Any:
        """Send the call `times` times at once with one key. All responses must be the same."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        self._turn += 1
        answers = await asyncio.gather(
            *(
                self.clients[(self._turn + n) % 2].request(method, path, headers=headers, **more)
                for n in range(times)
            )
        )
        bodies = {await a.read() for a in answers if a.status < 400}
        # An answer that was given before changes nothing and is not stored.
        assert len(bodies) <= 1 or path.endswith(("/accept", "/hide")), "done once"
        assert {a.status for a in answers} <= {200, 201, 409}
        return answers[0]

    async def do(self, what: tuple[Any, ...], times: int) -> None:
        name, *given = what
        if name == "create":
            rate, deposited, own = given
            body = order(ratePerSecond=str(rate), depositedAmount=str(deposited))
            body |= {"recipient": SENDER} if own else {}
            answer = await self.send("POST", "/v1/streams", times, json=body)
            self.ids.append((await answer.json())["id"])
        elif name == "wait":
            self.clock.now += given[0]
        elif name == "notices":
            await self.clients[0].app[STREAM_NOTICES].publish_due()
        elif self.ids:
            await self._change(name, self.ids[given[0] % len(self.ids)], times, *given[1:])

    async def _change(self, name: str, stream_id: str, times: int, amount: int = 0) -> None:
        url = f"/v1/streams/{stream_id}"
        if name == "label":
            await self.send("PATCH", url, times, json={"metadata": {"label": "x"}})
        elif name == "top-up":
            await self.send("POST", f"{url}/top-up", times, json={"amount": str(amount)})
        else:
            await self.send("POST", f"{url}/{name}", times)

    async def check(self) -> None:
        """Check that each stream balances, and that the summary is their total."""
        listed = await (await self.clients[0].get("/v1/streams?limit=200")).json()
        assert {item["id"] for item in listed["items"]} == set(self.ids)
        deposited = remaining = 0
        for item in listed["items"]:
            total, out, back = (
                int(item[f"{name}Amount"]) for name in ("deposited", "withdrawn", "refunded")
            )
            left = total - out - back
            assert min(out, back, left) >= 0
            assert 0 <= int(item["claimable"]["amount"]) <= left
            assert left == 0 or item["status"] in ("active", "paused")
            deposited, remaining = deposited + total, remaining + left
        path = f"/v1/users/{SENDER}/summary"
        for token in (await (await self.clients[1].get(path)).json())["api"]["tokens"]:
            sent = {name: int(amount) for name, amount in token["sent"].items()}
            assert (sent["deposited"], sent["remaining"]) == (deposited, remaining)
            assert sent["deposited"] == sent["withdrawn"] + sent["refunded"] + sent["remaining"]


@settings(
    max_examples=at_length(10, 250),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(plans)
async def test_deposited_always_equals_withdrawn_refunded_and_remaining(
    redis_url: str, redis: Redis, plan: list[tuple[list[tuple[Any, ...]], int]]
) -> None:
    keys, clock = Keys(f"test-{uuid.uuid4().hex[:12]}"), Clock()
    given = ApiSettings(redis_url=redis_url, contracts=(TOKEN,), namespace=keys.namespace)
    clients = [
        TestClient(TestServer(build_app(given, clock=clock, notices=False))) for _ in range(2)
    ]
    await asyncio.gather(*(client.start_server() for client in clients))
    world = World(clients, clock)
    try:
        await world.do(("create", 10, 1000, False), 1)
        for commands, times in plan:
            await asyncio.gather(*(world.do(each, times) for each in commands))
            await world.check()
        entries = await check(redis, keys)
        assert len({entry.position for entry in entries}) == len(entries)
    finally:
        await asyncio.gather(*(client.close() for client in clients))
