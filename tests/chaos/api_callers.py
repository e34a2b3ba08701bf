"""Sends random commands to the API.

Each is repeated with its Idempotency-Key until it is answered.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from deploy.simulator.chain import accounts
from tests.chaos.journals import AcknowledgedWrite
from tests.chaos.tokens import token
from tests.chaos.world import APIS, World
from tests.support.pace import last

_ACTIONS = ("top-up", "withdraw", "pause", "resume", "cancel")
_WEIGHTS = (5, 4, 2, 2, 0.3)
_CHANGE_LOST = "/problems/change-lost"
_TIMEOUT = aiohttp.ClientTimeout(total=4)


class ApiCallers:
    """Several callers. `acks` has the acknowledged writes, `tries` the number of requests."""

    def __init__(self, world: World, rng: random.Random, *, callers: int = 3) -> None:
        self.acks: list[AcknowledgedWrite] = []
        self.tries = 0
        self._refused: dict[int, str] = {}
        self._world = world
        self._rng = rng
        self._ended = False
        self._callers = callers
        self._login()
        self._tasks = [asyncio.create_task(self._call(n)) for n in range(callers)]

    def _login(self) -> None:
        """Get the tokens. Each caller has an account of its own, and so its own rate limit."""
        self._headers = [
            {"Authorization": f"Bearer {token(name, scope='admin', at=time.time(), name=name)}"}
            for name in (f"operator-{n}" for n in range(self._callers))
        ]

    async def end(self) -> None:
        """Stop. Each caller first waits for the answer to its current command."""
        self._ended = True
        try:
            async with asyncio.timeout(60):
                await asyncio.gather(*self._tasks)
        except TimeoutError as error:
            error.add_note(f"the last answers without success: {self._refused}")
            raise

    async def _call(self, caller: int) -> None:
        mine: list[str] = []
        while not self._ended:
            if len(mine) < 3 or self._rng.random() < 0.1:
                path, body = "streams", self._new_stream()
            else:
                action = self._rng.choices(_ACTIONS, _WEIGHTS)[0]
                path = f"streams/{self._rng.choice(mine)}/{action}"
                body = {"amount": str(self._rng.randint(1, 10**6))} if action == "top-up" else {}
            status, document = await self.insist(path, body, caller)
            if status < 300:
                self.acks.append(_ack(path, document))
                if path == "streams":
                    mine.append(document["id"])
            elif status == 404:  # the stream was lost with all data of Redis
                mine.remove(path.split("/")[1])
            await last(self._rng.uniform(0.02, 0.25))

    def _new_stream(self) -> dict[str, str]:
        sender, recipient = self._rng.sample(accounts.NAMES, 2)
        return {
            "sender": accounts.address(sender),
            "recipient": accounts.address(recipient),
            "tokenAddress": accounts.TOKEN,
            "ratePerSecond": str(self._rng.choice((5, 50_000))),
            "depositedAmount": str(self._rng.randint(10**5, 10**6)),
        }

    async def insist(
        self, path: str, body: Mapping[str, Any], caller: int = 0
    ) -> tuple[int, dict[str, Any]]:
        """Repeat a request until it is answered.

        Returns 2xx, or a 4xx that refuses it, with the document. After a loss of all data, a
        repeated request can be refused although it was carried out before the loss.
        """
        key, in_doubt = uuid.UUID(int=self._rng.getrandbits(128)), False
        while True:
            self.tries += 1
            headers = self._headers[caller] | {"Idempotency-Key": str(key)}
            try:
                status, document = await self.post(path, body, headers)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                status, document = 0, {"error": repr(error)}
            if status == 401:  # the token is older than the data in Redis
                self._login()
            elif 200 <= status < 500 and status != 429:
                if (status == 404 and in_doubt) or document.get("type") == _CHANGE_LOST:
                    self._world.lost.commands.update(path.split("/")[1:2])
                return status, document
            in_doubt |= status not in (401, 429)  # these two say that nothing was done
            self._refused[caller] = f"{status} for {path}: {document}"
            await last(self._rng.uniform(0.1, 0.4))

    async def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send one request, through the proxy of one of the APIs."""
        api = self._rng.choice(APIS)
        url = f"http://127.0.0.1:{self._world.proxies['clients', api].port}/v1/{path}"
        headers = headers or self._headers[0]
        async with self._world.session.post(
            url, json=body or None, headers=headers, timeout=_TIMEOUT
        ) as answer:
            text = await answer.text()
            is_json = answer.content_type.endswith("json")
            return answer.status, orjson.loads(text) if is_json and text else {}


def _ack(path: str, document: Mapping[str, Any]) -> AcknowledgedWrite:
    parties = frozenset((document["sender"], document["recipient"]))
    return AcknowledgedWrite(
        path, document["id"], document["version"], document["position"], parties
    )
