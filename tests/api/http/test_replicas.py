"""WAIT_REPLICAS: a confirmed write is on a replica; a write that is late can be retried."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from shared.journal.keys import Keys
from tests.api.auth.samples import ADMIN, CAROL, REQUIRED, bearer, token_of
from tests.api.samples import order, time_is_known
from tests.support.data import begun_long_ago
from tests.support.redis_node import Node
from tests.support.waiting import until
from tests.support.web_client import StartApi


async def test_a_response_waits_for_the_replica_and_a_retry_acts_once(
    start: StartApi, keys: Keys, tmp_path: Path
) -> None:
    master = Node(tmp_path / "master", {"repl-diskless-sync-delay": 0})
    replica = Node(tmp_path / "replica", {"replicaof": f"127.0.0.1 {master.port}"})
    await master.start()
    try:
        url = f"redis://127.0.0.1:{master.port}/0"
        async with master.client() as redis:
            await begun_long_ago(redis, keys)
        client = await time_is_known(await start(redis_url=url, wait_replicas=1, **REQUIRED))
        once = ADMIN | {"Idempotency-Key": "one"}

        async def post(path: str, **how: Any) -> tuple[int, dict[str, Any]]:
            async with client.post(path, **how) as response:
                return response.status, await response.json(content_type=None)

        async def waited() -> bool:
            """A busy machine can take longer than Redis waits for its replicas."""
            status, body = await post("/v1/streams", json=order(), headers=once)
            assert (status, body["type"]) == (503, "/problems/unavailable")
            assert "same Idempotency-Key" in body["detail"]
            return "0 of 1 replicas have it" in body["detail"]

        for _ in range(2):
            await until(waited, what="the missing replica in the answer")
        status, _ = await post("/v1/auth/revoke", json={"jti": "x"}, headers=ADMIN)
        assert status == 503, "a revocation that a failover could undo is none yet"
        status, _ = await post("/v1/keys", json={"name": "x", "scopes": []}, headers=ADMIN)
        assert status == 503

        await replica.start()

        async def acknowledged() -> dict[str, Any]:
            status, body = await post("/v1/streams", json=order(), headers=once)
            return body if status == 201 else {}

        made = await until(acknowledged, what="an acknowledgement")
        async with client.get("/v1/streams", headers=ADMIN) as response:
            listed = (await response.json())["items"]
        assert [stream["id"] for stream in listed] == [made["id"]]
        (key,) = await replica.ask("KEYS", f"*:stream:{made['id']}")
        assert key
    finally:
        await replica.stop()
        await master.stop()


async def test_idle_connections_that_were_lost_cause_no_503(
    start: StartApi, tmp_path: Path
) -> None:
    master = Node(tmp_path / "master", {"repl-diskless-sync-delay": 0})
    replica = Node(tmp_path / "replica", {"replicaof": f"127.0.0.1 {master.port}"})
    await master.start()
    await replica.start()
    try:
        url = f"redis://127.0.0.1:{master.port}/0"
        client = await start(redis_url=url, wait_replicas=1, **REQUIRED)

        async def once() -> tuple[int, str]:
            # Redis restarts without its data, and a token has to be younger than the data.
            fresh = bearer(token_of(CAROL.public_key, "admin", iat=time.time()))
            async with client.post("/v1/streams", json=order(), headers=fresh) as response:
                return response.status, await response.text()

        async def post() -> int:
            """The status. On a busy machine, a replica may be late. Then post again."""
            status, text = await once()
            for _ in range(10):
                if "replicas have it" in text:
                    status, text = await once()
            return status

        async def in_step() -> bool:
            return (await once())[0] == 201

        await until(in_step, what="a replica in step")
        for kind in ("restarted", "killed"):
            assert await asyncio.gather(*(post() for _ in range(12))) == [201] * 12
            if kind == "killed":
                await master.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            else:
                await master.stop()
                await master.start()
                await until(in_step, what="a replica in step again")
            assert [await post() for _ in range(12)] == [201] * 12
            assert await asyncio.gather(*(post() for _ in range(12))) == [201] * 12
    finally:
        await replica.stop()
        await master.stop()
