"""Readiness: Redis and the other parts that were named are asked about once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import orjson
import structlog
from redis.asyncio import Redis

from shared.redis.client import RedisError
from shared.runtime.tasks import describe
from shared.runtime.urls import redacted
from shared.web.probes import Readiness

log = structlog.get_logger()

CHECK_INTERVAL = 1.0
RECHECK_INTERVAL = 0.25
"""Seconds until the next question, while all is well and while it is not."""

Check = Callable[[], Awaitable[str | None]]
"""What is wrong, as a sentence for the operator; None when all is well."""


async def watch(part: str, check: Check, readiness: Readiness) -> None:
    """Ask for ever; a change is logged once, however long it lasts."""
    before: str | None = "starting"
    while True:
        trouble = await check()
        readiness.set(part, trouble)
        if trouble != before:
            report = log.warning if trouble else log.info
            report("part_unwell" if trouble else "part_well", part=part, trouble=trouble)
        before = trouble
        await asyncio.sleep(RECHECK_INTERVAL if trouble else CHECK_INTERVAL)


def part_names(urls: Sequence[str]) -> list[str]:
    """Names of READY_URLS in /readyz: URLs without secrets; a number makes equal ones distinct."""
    names: list[str] = []
    for url in urls:
        name = redacted(url)
        names.append(f"{name} #{len(names) + 1}" if name in names else name)
    return names


def redis_check(redis: Redis) -> Check:
    """Whether Redis answers."""

    async def check() -> str | None:
        try:
            await redis.ping()
        except (RedisError, OSError) as error:
            return f"Redis does not answer ({describe(error)})"
        return None

    return check


def ready_check(session: aiohttp.ClientSession, url: str, namespace: str) -> Check:
    """Whether another service's /readyz is 200 and names our namespace."""

    async def check() -> str | None:
        try:
            async with session.get(url, allow_redirects=False) as response:
                if wrong := other_namespace(await response.read(), namespace):
                    return wrong
                return None if response.status == 200 else f"answers {response.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"does not answer ({type(error).__name__})"

    return check


def same_namespace_check(session: aiohttp.ClientSession, url: str, namespace: str) -> Check:
    """Whether a service that need not be ready names our namespace, if it answers."""

    async def check() -> str | None:
        try:
            async with session.get(url, allow_redirects=False) as response:
                return other_namespace(await response.read(), namespace)
        except (aiohttp.ClientError, TimeoutError):
            return None

    return check


def other_namespace(answer: bytes, namespace: str) -> str | None:
    """Why the service of this /readyz answer is misconfigured; None when its namespace is ours."""
    try:
        theirs = orjson.loads(answer).get("namespace", namespace)
    except (ValueError, AttributeError):  # not a service of Headrace
        return None
    if theirs == namespace:
        return None
    return (
        f"works in namespace {theirs}, and this API in {namespace}: set NAMESPACE, or CONTRACTS "
        "and NETWORK_PASSPHRASE, alike for all services"
    )
