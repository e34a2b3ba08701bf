"""How this API finds and asks the replicas of other services.

It asks only addresses that the names in its settings have, follows no redirect, and waits 2 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from services.api.settings import ApiSettings
from services.api.system.replicas import MOST_REPLICAS, Replica, Resolve, replicas_of, resolve
from shared.runtime.urls import host_of, service_of
from shared.web import client as http

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)


@dataclass
class Asking:
    """How the replicas are found and asked. The session exists while the application runs."""

    resolve: Resolve = resolve
    session: aiohttp.ClientSession | None = None


ASKING = web.AppKey("system_asking", Asking)


async def asking_session(app: web.Application) -> AsyncIterator[None]:
    """Open the session, and close it when the application stops."""
    # NO_PROXY has names. It cannot tell for an address, so the replica itself has its proxy.
    async with http.session(timeout=_TIMEOUT, trust_env=False) as session:
        app[ASKING].session = session
        yield


def known_urls(settings: ApiSettings) -> list[str]:
    """The URLs of all services that this API knows."""
    return [*settings.fanout_urls, *settings.ready_urls, *settings.system_urls]


def service_urls(urls: Iterable[str]) -> list[str]:
    """The URLs of the services at these URLs, without duplicates."""
    return list(dict.fromkeys(map(service_of, urls)))


async def find_replicas(
    asking: Asking, settings: ApiSettings
) -> tuple[list[Replica], dict[str, str]]:
    """Each replica of all services, once; and why some of them are missing, by host and port."""
    urls = service_urls(known_urls(settings))
    replicas: dict[str, Replica] = {}
    troubles: dict[str, str] = {}
    found = await asyncio.gather(*(look_up(asking, url) for url in urls))
    for url, (some, trouble) in zip(urls, found, strict=True):
        if trouble:
            troubles[host_of(url)] = trouble
        for replica in some:
            replicas.setdefault(replica.key, replica)
    return list(replicas.values()), troubles


async def look_up(asking: Asking, url: str) -> tuple[list[Replica], str | None]:
    """The replicas at a URL that are asked, and why some are missing; None if none is."""
    try:
        found = await replicas_of(url, asking.resolve)
    except (OSError, TimeoutError) as error:
        return [], f"has no address ({type(error).__name__})"
    left = len(found[MOST_REPLICAS:])
    trouble = f"has {left} more addresses, which are not asked" if left else None
    return found[:MOST_REPLICAS], trouble
