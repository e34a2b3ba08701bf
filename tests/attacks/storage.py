"""One account, and then many accounts, fill the memory of Redis."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import aiohttp
from stellar_sdk import Keypair

from tests.attacks.figure import Figure, failed
from tests.attacks.target import Target, Wallet, target
from tests.support.waiting import until

_NAME = "storage"
_MEGABYTE = 1 << 20
_BALLAST = 160 * _MEGABYTE
_LEFT = 60 * _MEGABYTE
"""When many accounts start to fill Redis, it has data of others (_BALLAST) and this much room.

The API checks the memory once a second. A fifth of `maxmemory` has room for what the accounts can
write in a second.
"""
_AT_ONCE = 8


async def attack(folder: Path, seconds: float = 21.0) -> list[Figure]:
    """Measure what one fresh wallet adds, then fill Redis and see what still works."""
    async with target(folder) as system, aiohttp.ClientSession() as session:
        await system.start("network", CLOSE_SECONDS=0.5)
        await system.start("indexer", "api")
        wallet = Wallet(system, session)
        emoji = await wallet.most_emoji()
        before = await system.used_memory()
        counts = await _fill([wallet], emoji, seconds)
        added = (await system.used_memory() - before) / _MEGABYTE
        made = counts[201]
        return [
            Figure(_NAME, f"added to Redis by one wallet in {seconds:g} s", added, "MB", 16),
            Figure(_NAME, "for each POST", added * 1024 / max(1, made), "KB", 16),
            *await _full(system, session, emoji),
        ]


async def _fill(
    wallets: list[Wallet], emoji: int, seconds: float, api: str = "api", refused: float = 1e9
) -> Counter[int]:
    """POST as fast as possible. Ends early, `refused` seconds after the first status above 499.

    After this status, streams are small, so that they also fill the last bytes.
    """
    counts: Counter[int] = Counter()
    ends = [time.monotonic() + seconds]

    async def post(n: int) -> None:
        while time.monotonic() < min(ends):
            wallet = wallets[(n + counts.total()) % len(wallets)]
            size = emoji if len(ends) == 1 else 1
            status = await wallet.create(Keypair.random().public_key, size, api=api)
            counts[status] += 1
            if status >= 500 and len(ends) == 1:
                ends.append(time.monotonic() + refused)

    await asyncio.gather(*(post(n) for n in range(_AT_ONCE)))
    return counts


async def _full(system: Target, session: aiohttp.ClientSession, emoji: int) -> list[Figure]:
    """Many accounts write until the API refuses. Then the chain, logins, revocations must work."""
    unlimited = ("RATE_LIMIT_IP", "RATE_LIMIT_SUBJECT", "RATE_LIMIT_LOGIN", "BYTES_PER_IP")
    await system.start("api-2", **dict.fromkeys(unlimited, 0))
    await system.redis.setrange("ballast", _BALLAST, "x")
    most = await system.used_memory() + _LEFT
    await system.redis.config_set("maxmemory", most)
    wallets = [Wallet(system, session) for _ in range(2000)]
    counts = await _fill(wallets, emoji, 60, "api-2", refused=3.0)
    used = await system.used_memory() / most
    admin = Wallet(system, session, "admin")
    status = await admin.log_in()
    revoked, _ = await admin.request("POST", "auth/revoke", json={"jti": "x" * 32}, api="api-2")
    refused = any(status >= 500 for status in counts)
    return [
        failed(_NAME, "the API refuses writes", refused),
        Figure(_NAME, "memory of Redis when it does", used * 100, "% of maxmemory", 90),
        failed(_NAME, "the indexer commits then", await _commits(system)),
        failed(_NAME, f"a login then: {status}", status == 200),
        failed(_NAME, f"a revocation then: {revoked}", revoked in (200, 204)),
    ]


async def _commits(system: Target) -> bool:
    """Whether the cursor of the indexer moves twice within 15 s."""
    try:
        for _ in range(2):
            at = await system.redis.hget(system.keys.progress, "cursor")

            async def moved(before: object = at) -> bool:
                now = await system.redis.hget(system.keys.progress, "cursor")
                return bool(now != before)

            await until(moved, seconds=15)
    except AssertionError:
        return False
    return True
