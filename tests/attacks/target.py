"""The system under attack: real processes with their default limits, in AUTH_MODE=required."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import orjson
from redis.asyncio import Redis
from stellar_sdk import Keypair, TransactionEnvelope

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings
from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.attacks.metadata import largest
from tests.support.processes import ServiceProcess, running
from tests.support.redis_server import redis_server
from tests.support.waiting import until

SECRET = "the secret of an attacked system, of 32 bytes or more"
PASSPHRASE = SimulatorSettings().network_passphrase


class Target:
    """The running services by name, and requests to them."""

    def __init__(self, redis_url: str, stack: AsyncExitStack) -> None:
        self.keys = Keys("attacked")
        self.redis: Redis = connect(redis_url)
        self.services: dict[str, ServiceProcess] = {}
        self._stack = stack
        self._environment: dict[str, str] = {
            "REDIS_URL": redis_url,
            "NAMESPACE": self.keys.namespace,
            "CONTRACTS": accounts.STREAMS,
            "NETWORK_PASSPHRASE": PASSPHRASE,
            "AUTH_MODE": "required",
            "JWT_SECRET": SECRET,
            "SIGNING_SEED": Keypair.random().secret,
            "START": "earliest",
        }

    async def start(self, *names: str, **settings: object) -> None:
        """Start services: network, indexer, api, fanout; api-2 is another api. Wait for readiness.

        The network comes first, because the others get its URL.
        """
        for name in names:
            module = f"services.{name.partition('-')[0]}"
            if name == "network":
                module = "deploy.simulator"
            process = await self._stack.enter_async_context(
                running(module, **self._environment, **settings)
            )
            self.services[name] = process
            if name == "network":
                url = self.url("network")
                self._environment |= {"HORIZON_URL": url, "RPC_URL": f"{url}/rpc"}
            else:
                await until(lambda n=name: self._ready(n), seconds=60, what=f"{name} is ready")

    async def _ready(self, name: str) -> bool:
        async with aiohttp.request("GET", self.url(name, "/readyz")) as answer:
            return answer.status == 200

    def url(self, name: str, path: str = "") -> str:
        """The URL of a service."""
        return f"http://127.0.0.1:{self.services[name].port}{path}"

    async def used_memory(self) -> int:
        """The bytes that Redis uses."""
        return int((await self.redis.info("memory"))["used_memory"])


class Wallet:
    """A fresh account with a token, and requests of it to an API."""

    def __init__(self, target: Target, session: aiohttp.ClientSession, scope: str = "") -> None:
        self.keypair = Keypair.random()
        self.account = self.keypair.public_key
        self.token_id = uuid.uuid4().hex
        self._target = target
        self._session = session
        self.bearer = token_of(self.account, f"streams:write {scope}".strip(), self.token_id)

    @property
    def headers(self) -> dict[str, str]:
        """The header with the token."""
        return {"Authorization": f"Bearer {self.bearer}"}

    async def request(
        self, method: str, path: str, *, api: str = "api", **more: Any
    ) -> tuple[int, Any]:
        """Status and document; None unless the answer is JSON with a status below 300."""
        headers = self.headers | more.pop("headers", {})
        url = self._target.url(api, f"/v1/{path}")
        async with self._session.request(method, url, headers=headers, **more) as answer:
            text = await answer.read()
            good = answer.status < 300 and answer.content_type == "application/json"
            return answer.status, orjson.loads(text) if good else None

    async def log_in(self) -> int:
        """Log in with a signed challenge (SEP-10). Returns the status of the last answer."""
        status, challenge = await self.request("GET", f"auth?account={self.account}")
        if challenge is None:
            return status
        envelope = TransactionEnvelope.from_xdr(challenge["transaction"], PASSPHRASE)
        envelope.sign(self.keypair)
        status, _ = await self.request("POST", "auth", json={"transaction": envelope.to_xdr()})
        return status

    async def create(self, recipient: str, emoji: int, **more: Any) -> int:
        """POST a stream of 10^30 with an Idempotency-Key. Returns the status."""
        body = {
            "sender": self.account,
            "recipient": recipient,
            "tokenAddress": accounts.TOKEN,
            "ratePerSecond": "1",
            "depositedAmount": str(10**30),
            "metadata": largest(emoji),
        }
        key = {"Idempotency-Key": str(uuid.uuid4())}
        status, _ = await self.request("POST", "streams", json=body, headers=key, **more)
        return status

    async def most_emoji(self) -> int:
        """The number of emoji in the largest metadata that the API accepts."""
        recipient, emoji = Keypair.random().public_key, 3200
        while await self.create(recipient, emoji) in (400, 413, 422):
            emoji = emoji * 3 // 4
        return emoji


def token_of(account: str, scope: str, token_id: str) -> str:
    """A token for an hour."""
    now = time.time()
    claims = {"iss": "headrace", "aud": "headrace", "sub": account, "scope": scope}
    claims |= {"jti": token_id}
    return jwt.encode({**claims, "iat": now, "exp": now + 3600}, SECRET, algorithm="HS256")


@asynccontextmanager
async def target(folder: Path) -> AsyncIterator[Target]:
    """A Redis, and no service yet. All that is started ends with the context."""
    with redis_server(folder / "redis") as url:
        async with AsyncExitStack() as stack:
            made = Target(url, stack)
            stack.push_async_callback(made.redis.aclose)
            yield made
