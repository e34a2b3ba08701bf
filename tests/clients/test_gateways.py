"""Native EventSources behind each gateway, while fanouts are killed, lose no event.

The EventSources of Chromium and of npm never reconnect after a status other than 200.
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
from tests.clients.event_sources import EventSources, NativeSource, event_sources
from tests.clients.libraries import require_library
from tests.deploy.fanouts import PORT, Fanouts
from tests.deploy.gateways import gateway, local_gateway
from tests.fanout.replicas import SUBSCRIBE, Chain
from tests.support.name_server import name_server
from tests.support.redis_server import PATIENT
from tests.support.tier import at_length
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]

GATEWAYS = at_length(("deployment", "caddy"), ("deployment", "nginx", "caddy"))
NEW_SOURCES = at_length(4, 12)
"""The number of new EventSources at each gateway in each step."""
REASON = "no replica can take this connection now"
"""The reason that the gateway sends. A fanout that is starting sends another reason."""

STEPS = ("both live", "one is killed", "it is back and the other is killed", "one is frozen")
SYNC_SECONDS = 1


@dataclass
class ScenarioResult:
    """By gateway: the EventSources and how many did not connect; and all committed positions."""

    sources: dict[str, list[NativeSource]] = field(default_factory=dict)
    refused: dict[str, dict[str, int]] = field(default_factory=dict)
    committed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Scenario:
    """Runs each step for all gateways at the same time."""

    def __init__(self, urls: Mapping[str, str], opener: EventSources, chain: Chain) -> None:
        self.result = ScenarioResult()
        self._urls = urls
        self._opener = opener
        self._chain = chain

    async def commit(self) -> None:
        self.result.committed += await self._chain.commit_many(5)

    async def open(self, step: str) -> None:
        """Open new EventSources at each gateway, and count those that do not connect."""
        new = await self._opener.open(list(self._urls.values()), NEW_SOURCES)
        await self._wait_for(step, new, lambda source: source.named("message"))
        for name, url in self._urls.items():
            own = [source for source in new if source.url == url]
            self.result.sources.setdefault(name, []).extend(own)
            refused = sum(not source.named("message") for source in own)
            self.result.refused.setdefault(name, {})[step] = refused

    async def wait_for_delivery(self, step: str) -> None:
        last = self.result.committed[-1]
        await self._wait_for(step, self._opener.all, lambda source: last in source.ids)

    async def wait_for_overload(self, step: str) -> None:
        await self._wait_for(step, self._opener.all, lambda source: source.named("overload"))

    async def _wait_for(
        self, step: str, sources: Sequence[NativeSource], done: Callable[[NativeSource], object]
    ) -> None:
        """Wait until this is done for all EventSources that still reconnect."""
        try:
            await until(lambda: all(n.given_up or done(n) for n in sources), seconds=90, what=step)
        except AssertionError as error:
            self.result.errors.append(str(error))


async def run_scenario(redis_url: str, folder: Path) -> ScenarioResult:
    keys = Keys(f"test-{uuid.uuid4().hex[:12]}")
    redis = connect(redis_url, timeout=PATIENT)
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
            server = await stack.enter_async_context(
                gateway(folder / kind, names, HANDSHAKES_PER_IP="1000r/s")
                if kind == "deployment"
                else local_gateway(kind, folder / kind, addresses, addresses[0])
            )
            ports[kind] = server.port
        query = f"{SUBSCRIBE}?all=true"
        urls = {kind: f"http://127.0.0.1:{port}{query}" for kind, port in ports.items()}
        opener = await stack.enter_async_context(event_sources())
        scenario = Scenario(urls, opener, Chain(redis, keys))

        await scenario.open(STEPS[0])
        await scenario.commit()
        await fanouts.kill(one)
        await scenario.open(STEPS[1])
        await scenario.commit()
        await fanouts.start(one, **settings)
        await fanouts.kill(two)
        await scenario.open(STEPS[2])
        await scenario.commit()
        await scenario.wait_for_delivery("three commits")
        await fanouts.start(two, **settings)
        fanouts.freeze(one)
        await scenario.open(STEPS[3])
        await scenario.commit()
        await scenario.wait_for_delivery("clients of the frozen fanout continue at the other")
        fanouts.thaw(one)
        await fanouts.kill(one, two)
        await scenario.commit()
        await scenario.wait_for_overload("both are killed")
        await scenario.commit()
        await fanouts.start(two, **settings)
        await scenario.wait_for_delivery("all commits")
        return scenario.result


@pytest.fixture(scope="module")
def result(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> ScenarioResult:
    require_library("chromium")
    require_library("undici")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SYNC_SECONDS", str(SYNC_SECONDS))  # the gateways read this variable too
        return asyncio.run(run_scenario(redis_url, tmp_path_factory.mktemp("gateways")))


@pytest.mark.parametrize("kind", GATEWAYS)
def test_no_event_source_stops_reconnecting(result: ScenarioResult, kind: str) -> None:
    assert [source for source in result.sources[kind] if source.given_up] == []


@pytest.mark.parametrize("kind", GATEWAYS)
@pytest.mark.parametrize("step", STEPS)
def test_each_new_event_source_connects_while_one_fanout_runs(
    result: ScenarioResult, kind: str, step: str
) -> None:
    assert result.refused[kind][step] == 0


@pytest.mark.parametrize("kind", GATEWAYS)
def test_without_a_fanout_each_event_source_gets_overload_with_retry(
    result: ScenarioResult, kind: str
) -> None:
    overloads = [source.named("overload") for source in result.sources[kind]]
    assert all(overloads)
    answers = [json.loads(event.data) for events in overloads for event in events]
    waits = [answer["retry"] for answer in answers if answer["reason"] == REASON]
    assert all(4000 <= wait < 8000 for wait in waits)
    assert len(set(waits)) > len(waits) * 0.9, "the clients do not reconnect at the same time"


@pytest.mark.parametrize("kind", GATEWAYS)
def test_each_event_source_resumes_and_gets_each_event_once(
    result: ScenarioResult, kind: str
) -> None:
    assert result.errors == []
    for source in result.sources[kind]:
        began = parse_position(source.first_position)
        assert source.ids == [p for p in result.committed if parse_position(p) > began], source.kind
