"""The users of deploy/redis: each service does all its work as its own, and may do nothing else."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from deploy.local import redis as local_redis
from deploy.local.network import accounts
from deploy.local.network.settings import Settings as NetworkSettings
from shared.keys import CHANNEL, Keys
from shared.store import connect
from tests.api.login_samples import ADMIN, SECRET, SERVER, bearer, signed, token_of
from tests.deploy.dockerfile import ROOT
from tests.support.processes import ServiceProcess, running
from tests.support.sse_client import SseClient
from tests.support.waiting import free_port, until

KEYS = Keys("users")
USERS = ("indexer", "api", "fanout")
COMMON = {
    "NAMESPACE": KEYS.namespace,
    "CONTRACTS": accounts.STREAMS,
    "NETWORK_PASSPHRASE": NetworkSettings().network_passphrase,
    "AUTH_MODE": "required",
    "JWT_SECRET": SECRET,
}


@dataclass
class Guarded:
    """A Redis with our users, and one more for the test, who sees all."""

    port: int
    all: Redis

    def url(self, user: str) -> str:
        return f"redis://{user}:{user}-password@127.0.0.1:{self.port}/0"

    async def refusals(self) -> list[tuple[str, str]]:
        """Who was refused what."""
        found: Any = await self.all.acl_log()
        return [(_text(entry["username"]), _text(entry["object"])) for entry in found]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    folder = shutil.copytree(ROOT / "deploy/redis", tmp_path / "redis")
    with (folder / "users.acl").open("a") as users:
        users.write("user test on nopass ~* &* +@all\n")
    port = free_port()
    environment = {
        **{f"{user.upper()}_REDIS_PASSWORD": f"{user}-password" for user in USERS},
        "PATH": os.environ["PATH"],
        "REDIS_SERVER": local_redis.find_server(),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "RUN_FOLDER": str(tmp_path),
        "DATA_FOLDER": str(tmp_path),
    }
    process = await asyncio.to_thread(start, folder / "start.sh", environment)
    try:
        local_redis.wait_until_up(port, process)
        client = connect(f"redis://test:any@127.0.0.1:{port}/0")
        yield Guarded(port, client)
        await client.aclose()
    finally:
        process.terminate()
        process.wait(10)


def start(script: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sh", str(script)], env=environment, stdout=subprocess.DEVNULL)


OTHERS = {
    "default": (("GET", KEYS.journal), ("PUBLISH", CHANNEL, "x"), ("INFO",)),
    "indexer": (
        ("SET", KEYS.revoked_token("x"), "1"),
        ("GET", KEYS.ticket("x")),
        ("HGET", KEYS.api_keys, "x"),
        ("SUBSCRIBE", CHANNEL),
    ),
    "api": (
        ("SET", KEYS.fence, "x"),
        ("SET", KEYS.lease, "x"),
        ("XADD", KEYS.dead_letters, "*", "a", "b"),
        ("SUBSCRIBE", CHANNEL),
    ),
    "fanout": (
        ("XADD", KEYS.journal, "*", "a", "b"),
        ("PUBLISH", CHANNEL, "x"),
        ("SET", KEYS.stream("1"), "x"),
        ("XADD", KEYS.revocations, "*", "a", "b"),
        ("HVALS", KEYS.api_keys),
    ),
}
LASTING = {"journal", "progress", "fence", "dead-letters", "stream", "index", "topic"}
LASTING |= {"revocations", "api-keys"}
"""Streams and their indexes stay; the rest is bounded by the journal's length, MAXLEN, admins."""

NOBODY = (
    ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("ACL", "LIST"),
    ("EVAL", "return 1", "0"), ("GET", "other"), ("PUBLISH", "other", "x"), ("SHUTDOWN",),
)  # fmt: skip


@pytest.mark.parametrize("user", OTHERS)
async def test_a_service_may_not_do_what_is_another_s(guarded: Guarded, user: str):
    url = guarded.url(user) if user in USERS else f"redis://127.0.0.1:{guarded.port}/0"
    async with Redis.from_url(url) as client:
        assert await client.ping()
        for command in (*OTHERS[user], *NOBODY):
            with pytest.raises(NoPermissionError):
                await client.execute_command(*command)


async def test_each_service_does_all_its_work(guarded: Guarded):
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        network = await stack.enter_async_context(
            running("deploy.local.network", CLOSE_SECONDS="0.2", STREAM_SECONDS="3")
        )
        source = f"http://127.0.0.1:{network.port}"
        where = {"HORIZON_URL": source, "RPC_URL": f"{source}/rpc", "START": "earliest"}
        more = {
            "indexer": {**where, "SOURCE": "auto", "RECONCILE_SECONDS": "1"},
            "api": {**where, "SIGNING_SEED": SERVER.secret, "JOURNAL_MAX_LENGTH": "50"},
            "fanout": {"CONNECTIONS_PER_USER": "5", "CONNECTION_LEASE_SECONDS": "3"},
        }
        parts: dict[str, ServiceProcess] = {}
        for user in USERS:
            environment = {**COMMON, **more[user], "REDIS_URL": guarded.url(user)}
            started = running(f"services.{user}", **environment)
            parts[user] = await stack.enter_async_context(started)
        for part in parts.values():
            await until(lambda port=part.port: ready(session, port), seconds=20, what="ready")
        await use(session, parts["api"].port, parts["fanout"].port)
        for part in parts.values():
            assert not part.said("task_failed")
            assert not part.said("request_failed")
            assert not part.said("redis_examined"), "nothing doubtful, and INFO is theirs to ask"
        await lose_everything(guarded.all)
    assert await guarded.refusals() == []
    assert await lasting(guarded.all) <= LASTING, "all else expires by itself"


async def lasting(redis: Redis) -> set[str]:
    """The kinds of keys that stay until somebody takes them away."""
    prefix = f"headrace:{{{KEYS.namespace}}}:"
    found = set()
    async for key in redis.scan_iter(f"{prefix}*"):
        if await redis.ttl(key) == -1:
            found.add(key.decode().removeprefix(prefix).partition(":")[0])
    return found


async def lose_everything(redis: Redis) -> None:
    """Each service notices and reports it, and the indexer brings back what it can."""
    await redis.flushall()

    async def told() -> bool:
        return bool(await redis.hget(KEYS.progress, "told"))

    async def reported() -> bool:
        return len(await redis.hvals(KEYS.losses)) == 2  # the fanout's and the API's

    await until(reported, seconds=20, what="the reports")
    await until(told, seconds=20, what="the reset")


async def ready(session: aiohttp.ClientSession, port: int) -> bool:
    async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
        return response.status == 200


async def use(session: aiohttp.ClientSession, api: int, fanout: int) -> None:
    """Every call of the API's that comes to Redis in a way of its own, and a subscription."""

    async def call(method: str, path: str, expected: int = 200, **how: Any) -> Any:
        url = f"http://127.0.0.1:{api}/v1/{path}"
        how.setdefault("headers", ADMIN)
        async with session.request(method, url, **how) as response:
            text = await response.text()
            assert response.status == expected, (method, path, text)
            return await response.json() if "json" in response.content_type else text

    alice, bob = accounts.keypair("alice"), accounts.address("bob")
    order = {
        "sender": alice.public_key,
        "recipient": bob,
        "tokenAddress": accounts.TOKEN,
        "ratePerSecond": "1000000",
        "depositedAmount": "1000000",
    }
    ticket = (await call("POST", "events/ticket", 201))["ticket"]
    subscribe = "/v1/events/subscribe"
    client = await SseClient.connect(fanout, f"{subscribe}?all=true&ticket={ticket}&since=1-0")
    once = ADMIN | {"Idempotency-Key": "one"}
    made = await call("POST", "streams", 201, json=order, headers=once)
    assert await call("POST", "streams", 201, json=order, headers=once) == made
    await call("POST", f"streams/{made['id']}/top-up", json={"amount": "5000000"})
    for step in ("pause", "resume", "cancel"):
        await call("POST", f"streams/{made['id']}/{step}")
    orders = ("", "?status=active", f"?user={bob}", f"?sender={bob}", "?sort=updated&order=asc")
    for query in orders:
        await call("GET", f"streams{query}")
    for path in (f"streams/{made['id']}", f"streams/{made['id']}/events", f"users/{bob}/summary"):
        await call("GET", path)
    await call("GET", f"events?users={bob}")
    await call("GET", f"events?users={bob}", headers=ADMIN | {"Accept": "text/csv"})
    await call("GET", "system")

    question = await call("GET", f"auth?account={alice.public_key}", headers={})
    answer = signed(question["transaction"], alice, passphrase=NetworkSettings().network_passphrase)
    login = bearer((await call("POST", "auth", json={"transaction": answer}, headers={}))["token"])
    await call("POST", "auth/refresh", headers=login)
    await call("POST", "auth/logout", 204, headers=login)
    await call("POST", "auth/revoke", 204, json={"account": bob})
    key = await call("POST", "keys", 201, json={"name": "test", "scopes": ["events:all"]})
    await call("GET", "keys")
    await call("GET", "streams", headers=bearer(key["key"]))
    await call("DELETE", f"keys/{key['id']}", 204)

    assert await client.wait(1, "stream.cancelled")
    again = bearer(token_of(alice.public_key))
    target = f"{subscribe}?users={alice.public_key}"
    other = await SseClient.connect(fanout, target, headers=again)
    await other.wait(2)
    other.close()
    client.close()
