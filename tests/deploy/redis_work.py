"""The Redis of deploy/compose.yaml, and everything that the services do in it as their users."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings as NetworkSettings
from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.api.auth.samples import SECRET, SERVER, bearer, signed, token_of
from tests.deploy.composed import Composed, read_compose
from tests.deploy.redis_webhooks import NETWORKS, use_webhooks
from tests.support.name_server import name_server
from tests.support.processes import ServiceProcess, running
from tests.support.redis_server import PATIENT
from tests.support.sse_client import SseClient
from tests.support.waiting import until

KEYS = Keys("users")
USERS = ("indexer", "api", "fanout", "archiver", "webhooks")
COMMON = {
    "NAMESPACE": KEYS.namespace,
    "CONTRACTS": accounts.STREAMS,
    "NETWORK_PASSPHRASE": NetworkSettings().network_passphrase,
    "AUTH_MODE": "required",
    "JWT_SECRET": SECRET,
}


@dataclass
class Guarded:
    """A Redis with the deployment's users, and one more user for the test with all rights."""

    place: str
    composed: Composed
    all: Redis

    @property
    def data(self) -> Path:
        """The folder of its volume."""
        return Path(self.composed.running["redis"][0].place.of("/data"))

    def url(self, user: str) -> str:
        """The URL of a user, with its password from deploy/simulated.env."""
        password = self.composed.running["redis"][0].environment[f"{user.upper()}_REDIS_PASSWORD"]
        return f"redis://{user}:{password}@{self.place}/0"

    async def refusals(self) -> list[tuple[str, str]]:
        """Which user was refused which command."""
        found: Any = await self.all.acl_log()
        return [(_text(entry["username"]), _text(entry["object"])) for entry in found]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@asynccontextmanager
async def guarded_redis(
    folder: Path, server: str | None = None, default: str = ""
) -> AsyncIterator[Guarded]:
    """The service `redis` of the file, with this server. `default` replaces its first user."""
    redis = read_compose("simulated.env")["services"]["redis"]
    (bind,) = (v for v in redis["volumes"] if v["type"] == "bind")
    bind["source"] = shutil.copytree(bind["source"], str(folder / "redis"))
    _set_users(Path(bind["source"], "users.acl"), default)
    async with name_server({}) as names:
        composed = Composed(folder, {"redis": redis}, names, server)
        try:
            await composed.up()
            place = f"{composed.running['redis'][0].address}:6379"
            async with connect(f"redis://test:any@{place}/0", timeout=PATIENT) as client:
                yield Guarded(place, composed, client)
        finally:
            await composed.down()


def _set_users(file: Path, default: str) -> None:
    lines = file.read_text().splitlines()
    assert lines[0].startswith("user default ")
    lines[0] = default or lines[0]
    file.write_text("\n".join([*lines, "user test on nopass ~* &* +@all", ""]))


def archive_of(redis: Guarded) -> dict[str, str]:
    """The settings of the archive, in the folder of Redis' volume."""
    return {"ARCHIVE_URL": f"file://{redis.data}/archive"}


@asynccontextmanager
async def services(
    redis: Guarded, network_port: int, *, kept: int = 50
) -> AsyncIterator[dict[str, ServiceProcess]]:
    """One replica of each service, ready, each with its own Redis user.

    `kept` is JOURNAL_MAX_LENGTH of the API, which then trims the journal with its own rights.
    """
    source = f"http://127.0.0.1:{network_port}"
    where = {"HORIZON_URL": source, "RPC_URL": f"{source}/rpc", "START": "earliest"}
    more = {
        "indexer": {**where, "SOURCE": "auto", "RECONCILE_SECONDS": "1", "AUDIT_SECONDS": "1"},
        "api": {**where, "SIGNING_SEED": SERVER.secret, "JOURNAL_MAX_LENGTH": str(kept)} | NETWORKS,
        "fanout": {"CONNECTIONS_PER_USER": "5", "CONNECTION_LEASE_SECONDS": "3"},
        "archiver": {"ARCHIVE_SECONDS": "0.2"},
        "webhooks": NETWORKS,
    }
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        parts: dict[str, ServiceProcess] = {}
        for user in USERS:
            environment = {
                **COMMON,
                **archive_of(redis),
                **more[user],
                "REDIS_URL": redis.url(user),
            }
            started = running(f"services.{user}", **environment)
            parts[user] = await stack.enter_async_context(started)
        for part in parts.values():
            await until(lambda port=part.port: ready(session, port), seconds=60, what="ready")
        yield parts


@asynccontextmanager
async def network() -> AsyncIterator[int]:
    """The port of a simulated network."""
    async with running("deploy.simulator", CLOSE_SECONDS="0.2", STREAM_SECONDS="3") as process:
        yield process.port


@asynccontextmanager
async def at_work(
    redis: Guarded, network_port: int, once: str = "one"
) -> AsyncIterator[dict[str, ServiceProcess]]:
    """The services after they have done everything. `once` is an Idempotency-Key."""
    async with services(redis, network_port) as parts, aiohttp.ClientSession() as session:
        await use(session, parts["api"].port, parts["fanout"].port, once)
        indexer = parts["indexer"]
        await until(lambda: indexer.log_lines("audited"), seconds=30, what="a round of the audit")
        yield parts


async def ready(session: aiohttp.ClientSession, port: int) -> bool:
    """Whether /readyz is 200."""
    async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
        return response.status == 200


async def use(session: aiohttp.ClientSession, api: int, fanout: int, key: str) -> None:
    """Every API call that uses Redis in its own way, and a subscription."""
    # Issued after the services began the data, which they did before they were ready.
    admin = bearer(token_of(accounts.address("carol"), "admin", iat=time.time()))

    async def call(method: str, path: str, expected: int = 200, **how: Any) -> Any:
        url = f"http://127.0.0.1:{api}/v1/{path}"
        how.setdefault("headers", admin)
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
    once = admin | {"Idempotency-Key": key}

    async def accepted() -> bool:
        """After a restart of Redis the API waits until the chain is read again."""
        url = f"http://127.0.0.1:{api}/v1/streams"
        async with session.post(url, json=order, headers=once) as response:
            assert response.status in (201, 503), await response.text()
            return response.status == 201

    await until(accepted, seconds=30, what="the API takes orders")
    made = await call("POST", "streams", 201, json=order, headers=once)
    assert await call("POST", "streams", 201, json=order, headers=once) == made
    await call("POST", f"streams/{made['id']}/top-up", json={"amount": "5000000"})
    for step in ("pause", "resume", "cancel"):
        await call("POST", f"streams/{made['id']}/{step}")
    orders = ("", "?status=active", f"?user={bob}", f"?sender={bob}", "?sort=updated&order=asc")
    for query in orders:
        await call("GET", f"streams{query}")
    known = (f"streams/{made['id']}/events", f"users/{bob}/summary", f"tokens/{accounts.TOKEN}")
    for path in (f"streams/{made['id']}", *known):
        await call("GET", path)
    await call("GET", f"events?users={bob}")
    await call("GET", f"events?users={bob}", headers=admin | {"Accept": "text/csv"})
    await call("GET", "system")

    question = await call("GET", f"auth?account={alice.public_key}", headers={})
    answer = signed(question["transaction"], alice, passphrase=NetworkSettings().network_passphrase)
    login = bearer((await call("POST", "auth", json={"transaction": answer}, headers={}))["token"])
    await call("POST", "auth/refresh", headers=login)
    await call("POST", "auth/logout", 204, headers=login)
    await call("POST", "auth/revoke", 204, json={"account": bob})
    api_key = await call("POST", "keys", 201, json={"name": "test", "scopes": ["events:all"]})
    await call("GET", "keys")
    await call("GET", "streams", headers=bearer(api_key["key"]))
    await call("DELETE", f"keys/{api_key['id']}", 204)

    erin = accounts.keypair("erin")
    wanted = {"action": "create", "source": erin.public_key, "recipient": bob}
    money = {"token": accounts.TOKEN, "amount": "1000000", "duration": 1000}
    paid = await call("POST", "transactions", json=wanted | money)
    xdr = signed(paid["xdr"], erin, passphrase=paid["networkPassphrase"])
    await call("POST", "transactions/submit", 202, json={"xdr": xdr})
    await call("GET", f"transactions/{paid['hash']}")

    await use_webhooks(session, api, admin, key)
    assert await client.wait(1, "stream.cancelled")
    again = bearer(token_of(alice.public_key, iat=time.time()))
    target = f"{subscribe}?users={alice.public_key}"
    other = await SseClient.connect(fanout, target, headers=again)
    await other.wait(2)
    other.close()
    client.close()


def in_transactions(data: Path) -> set[str]:
    """The commands between MULTI and EXEC in the append-only file, as scripts leave them there."""
    found, inside = set(), False
    for file in (data / "appendonlydir").glob("*.incr.aof"):
        for command in re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)\r\n", file.read_bytes()):
            name = command.decode().upper()
            if name in ("MULTI", "EXEC"):
                inside = name == "MULTI"
            elif inside:
                found.add(name)
    assert "XADD" in found
    return found
