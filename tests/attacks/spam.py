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
        origins = (summary["chain"], summary["api"])
        sums = [token["received"] for each in origins for token in each["tokens"]]
        most = max((int(amount) for each in sums for amount in each.values()), default=0)
        status, own = await victim.request("GET", f"streams?user={victim.account}")
        assert status == 200
        return [
            Figure(_NAME, "largest amount of the token in the victim's sums", most, "units", 0),
            Figure(_NAME, "streams of the stranger in the victim's list", len(own["items"]), "", 0),
        ]
