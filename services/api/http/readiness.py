"""Checks of Redis and of other services, for /readyz. They run about once a second."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
import orjson
from redis.asyncio import Redis

from services.api.settings import ApiSettings
from shared.redis.client import RedisError
from shared.runtime.tasks import describe
from shared.runtime.urls import append_path, redacted
from shared.web.readiness_watch import Check


def part_names(urls: Sequence[str]) -> list[str]:
    """The names of these URLs in /readyz: without secrets, and equal names get a number."""
    names: list[str] = []
    for url in urls:
        name = redacted(url)
        names.append(f"{name} #{len(names) + 1}" if name in names else name)
    return names


def redis_check(redis: Redis) -> Check:
    """Return a check that Redis answers."""

    async def check() -> str | None:
        try:
            await redis.ping()
        except (RedisError, OSError) as error:
            return f"Redis does not answer ({describe(error)})"
        return None

    return check


def ready_check(session: aiohttp.ClientSession, url: str, namespace: str) -> Check:
    """Return a check that /readyz of another service answers 200 and has our namespace."""

    async def check() -> str | None:
        try:
            async with session.get(url, allow_redirects=False) as response:
                if reason := other_namespace(await response.read(), namespace):
                    return reason
                return None if response.status == 200 else f"answers {response.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"does not answer ({type(error).__name__})"

    return check


def same_namespace_check(session: aiohttp.ClientSession, url: str, namespace: str) -> Check:
    """Return a check that fails only if the service answers and has another namespace than ours."""

    async def check() -> str | None:
        try:
            async with session.get(url, allow_redirects=False) as response:
                return other_namespace(await response.read(), namespace)
        except (aiohttp.ClientError, TimeoutError):
            return None

    return check


def service_checks(settings: ApiSettings, session: aiohttp.ClientSession) -> dict[str, Check]:
    """A check of each URL in READY_URLS, and of the namespace of each other fanout."""
    namespace, ready = settings.keys.namespace, settings.ready_urls
    fanouts = sorted({append_path(url, "/readyz") for url in settings.fanout_urls} - set(ready))
    names = part_names([*ready, *fanouts])
    checks = {
        name: ready_check(session, url, namespace) for name, url in zip(names, ready, strict=False)
    }
    others = zip(names[len(ready) :], fanouts, strict=True)
    return checks | {name: same_namespace_check(session, url, namespace) for name, url in others}


def other_namespace(answer: bytes, namespace: str) -> str | None:
    """The error message if this /readyz answer has another namespace than ours, else None."""
    try:
        theirs = orjson.loads(answer).get("namespace", namespace)
    except (ValueError, AttributeError):  # the answer is not from a service of Headrace
        return None
    if theirs == namespace:
        return None
    return (
        f"uses namespace {theirs}, but this API uses {namespace}; give all services the same "
        "NAMESPACE, or the same CONTRACTS and NETWORK_PASSPHRASE"
    )
