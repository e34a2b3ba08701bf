"""Ten good receivers beside hostile ones: the good ones' delay and our memory stay as they were.

It takes ten minutes, so it runs by night. By day, tests/webhooks/test_hostile_endpoints.py does the
same with a dispatcher. The hostile ones get the next delivery as soon as the one before has ended,
so there is more of them than a dispatcher with its pauses would send.
"""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

import pytest

from services.webhooks.metrics import Outcome
from services.webhooks.sending.sender import Sender
from tests.bench.processes import percentile
from tests.support.pace import last
from tests.webhooks.receivers.hostile import hostile_process
from tests.webhooks.sending.samples import endpoint, message, sending

pytestmark = [pytest.mark.io, pytest.mark.nightly, pytest.mark.timeout(900)]

SECONDS = 600.0
GOOD = 10
_PAGE = 4_096
_MOST_GROWTH = 24 << 20
"""Bytes. The bomb alone would take 64 MB, and a receiver of endless headers has no end."""


class Good:
    """A good receiver that gets a delivery every now and then. `seconds`: what each one took."""

    def __init__(self, sender: Sender, port: int) -> None:
        self.seconds: list[float] = []
        self._sender = sender
        self._endpoint = endpoint(f"http://127.0.0.1:{port}/")

    async def run(self, until: float) -> None:
        """Send until the loop's time has come."""
        loop = asyncio.get_running_loop()
        while (began := loop.time()) < until:
            result = await self._sender.send(self._endpoint, message(len(self.seconds)))
            assert result.outcome is Outcome.TAKEN, result
            self.seconds.append(loop.time() - began)
            await last(0.05)


async def _harm(sender: Sender, port: int, until: float) -> None:
    """Send to a hostile receiver without a pause."""
    to, number = endpoint(f"http://127.0.0.1:{port}/"), 0
    while time.monotonic() < until:
        number += 1
        await sender.send(to, message(number))
        await last(0.02)


def of_all(good: list[Good], part: float) -> float:
    """The seconds that this part (0 to 1) of the deliveries to good receivers took at most."""
    return percentile([each for one in good for each in one.seconds], part)


def resident() -> int:
    """The bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


async def test_good_receivers_do_not_notice_hostile_ones() -> None:
    async with hostile_process() as ports, sending(webhook_seconds=10.0) as sender:
        loop, bad = asyncio.get_running_loop(), {**ports}
        port = bad.pop("good")
        alone = [Good(sender, port) for _ in range(GOOD)]
        await asyncio.gather(*(each.run(loop.time() + 3) for each in alone))
        harm = [asyncio.create_task(_harm(sender, each, 1e12)) for each in bad.values()]
        warm = [Good(sender, port) for _ in range(GOOD)]
        await asyncio.gather(*(each.run(loop.time() + 3) for each in warm))
        before = resident()
        beside = [Good(sender, port) for _ in range(GOOD)]
        await asyncio.gather(*(each.run(loop.time() + SECONDS) for each in beside))
        grown = resident() - before
        assert not any(each.done() for each in harm)
        for each in harm:
            each.cancel()
        await asyncio.gather(*harm, return_exceptions=True)
    # A busy machine delays a few. A hostile receiver that holds others up costs ten seconds.
    for part, more in ((0.5, 0.5), (0.9, 2.0)):
        usual, now = of_all(alone, part), of_all(beside, part)
        assert now < usual + more, f"{part:.0%}: {usual:.3f} s alone, {now:.3f} s beside"
    assert grown < _MOST_GROWTH, f"{grown / 1e6:.0f} MB more"
