"""Lookups of names: those that are never answered delay others by a second at most."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from services.webhooks.metrics import Outcome
from services.webhooks.sending import resolving
from services.webhooks.sending.resolving import LOOKUPS, PooledResolver
from tests.support.waiting import until
from tests.webhooks.sending.names import Names
from tests.webhooks.sending.samples import endpoint, message, sending

pytestmark = [pytest.mark.io, pytest.mark.timeout(30)]


class SilentNames(Names):
    """The name server does not answer for names that begin with `silent`."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1")
        self.answers = threading.Event()

    def getaddrinfo(self, host: str, port: int, *_: Any) -> list[Any]:
        found = super().getaddrinfo(host, port)
        if host.startswith("silent"):
            self.answers.wait()
        return found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentNames]:
    names = SilentNames()
    monkeypatch.setattr("services.webhooks.sending.resolving.socket.getaddrinfo", names.getaddrinfo)
    yield names
    names.answers.set()


async def test_new_endpoints_whose_names_are_not_answered_delay_nobody_for_long(
    names: SilentNames,
) -> None:
    """An account creates a webhook, deletes it and creates the next one."""
    async with sending() as sender:
        tasks = [
            asyncio.create_task(sender.send(endpoint(f"https://silent{n}.example/"), message()))
            for n in range(LOOKUPS + 10)
        ]
        await until(lambda: len(names.asked) >= LOOKUPS, what="the lookups of all places")
        result = await sender.send(endpoint("https://good.example:9/"), message())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert result.outcome is Outcome.UNREACHABLE
    assert "refused the connection" in result.attempt.error, "it was looked up"


async def test_a_late_answer_counts(names: SilentNames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "PLACE_SECONDS", 0.01)
    monkeypatch.setattr(resolving, "LOOKUPS", 1)
    resolver = PooledResolver()
    late = asyncio.create_task(resolver.resolve("silent.example", 443))
    assert [each["host"] for each in await resolver.resolve("good.example", 443)] == ["127.0.0.1"]
    names.answers.set()
    assert [each["host"] for each in await late] == ["127.0.0.1"]
    await resolver.close()


async def test_late_lookups_have_a_limit_too(
    names: SilentNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lookup that was given up before it began is not made."""
    for name, value in (("PLACE_SECONDS", 0.01), ("LOOKUPS", 1), ("MOST_LATE_LOOKUPS", 1)):
        monkeypatch.setattr(resolving, name, value)
    resolver = PooledResolver()
    late = [asyncio.create_task(resolver.resolve(f"silent{n}.example")) for n in range(2)]
    await until(lambda: len(names.asked) == 2, what="both lookups")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await resolver.resolve("good.example")
    names.answers.set()
    await asyncio.gather(*late)
    await resolver.resolve("next.example")
    assert names.asked == ["silent0.example", "silent1.example", "next.example"]
    await resolver.close()
