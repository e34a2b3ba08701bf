"""A stranger makes streams of the API to a victim, in a real token and with absurd amounts."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from tests.attacks.figure import Figure
from tests.attacks.target import Wallet, target

_NAME = "spam"


async def attack(folder: Path) -> list[Figure]:
    """What the victim's summary then says of the token."""
    async with target(folder) as system, aiohttp.ClientSession() as session:
        await system.start("api")
        stranger, victim = Wallet(system, session), Wallet(system, session)
        assert await stranger.create(victim.account, 1) == 201
        status, summary = await victim.request("GET", f"users/{victim.account}/summary")
        assert status == 200
        amounts = [int(n) for token in summary["tokens"] for n in token["received"].values()]
        measured = "largest amount of the token in the victim's sums"
        return [Figure(_NAME, measured, max(amounts, default=0), "units", 0)]
