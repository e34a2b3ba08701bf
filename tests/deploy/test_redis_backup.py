"""Backup and restore: the blocks of docs/operations/backup.md, run exactly as they are written."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from shared.domain.position import parse_position
from tests.api.auth.samples import bearer, token_of
from tests.deploy.dockerfile import ROOT
from tests.deploy.redis_work import (
    COMMON,
    KEYS,
    Guarded,
    at_work,
    guarded_redis,
    network,
    ready,
    services,
)
from tests.operations.pages import block
from tests.operations.site import redis_terminal
from tests.support.processes import running
from tests.support.redis_content import Content, content, lasting
from tests.support.redis_servers import find_servers, one_of_each_kind, redis_tools
from tests.support.sse_client import SseClient
from tests.support.tier import at_length
from tests.support.waiting import until

SERVERS = one_of_each_kind(find_servers())
WHOLE = at_length([*SERVERS][-1:], [*SERVERS])
"""The servers to test with. The last is a Valkey, as in compose.yaml, if one is installed."""

pytestmark = [pytest.mark.io, pytest.mark.timeout(180)]
each_server = pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)


async def run(redis: Guarded, name: str, folder: Path) -> None:
    """Run a block of the page, with compose."""
    operator = folder / name
    operator.mkdir()
    async with redis_terminal(operator, redis.composed) as terminal:
        if (folder / "headrace.rdb").exists():
            shutil.copy(folder / "headrace.rdb", operator)
        result = await terminal.run(block("backup.md", name))
    assert result.code == 0, result.errors
    shutil.copy(operator / "headrace.rdb", folder)


async def plainly(redis: Guarded, name: str, folder: Path) -> tuple[int | None, str]:
    """Run a block in a shell in the project's folder. The backup is written to `folder`."""
    replica = redis.composed.running["redis"][0]
    tools: dict[str, Any] = redis_tools(redis.composed.server, replica.workdir)
    text = block("backup.md", name).text.replace("headrace.rdb", str(folder / "headrace.rdb"))
    done = await asyncio.create_subprocess_shell(
        f"set -e\n{text}",
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **tools, **replica.environment, "DATA_FOLDER": redis.data},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await done.communicate()
    return done.returncode, errors.decode()


async def restored(redis: Guarded, before: Content) -> None:
    after = await content(redis.all)
    kept = lasting(before)
    assert {key: after.get(key) for key in kept} == kept
    assert set(after) <= set(before)


async def journal(redis: Redis) -> list[str]:
    rows: Any = await redis.xrange(KEYS.journal)
    return [entry.decode() for entry, _ in rows]


@pytest.mark.parametrize("server", [SERVERS[name] for name in WHOLE], ids=WHOLE)
async def test_what_was_backed_up_is_back_and_what_the_chain_had_since_follows(
    tmp_path: Path, server: str
) -> None:
    async with guarded_redis(tmp_path, server) as redis, network() as port:
        async with at_work(redis, port, "one"):
            pass
        before = await content(redis.all)
        top = (await journal(redis.all))[-1]
        await run(redis, "backup with compose", tmp_path)
        after = await content(redis.all)
        kept = lasting(before)  # a key may have expired since `after` was read
        assert after.keys() <= before.keys()
        assert {key: after.get(key) for key in kept} == kept, "a backup changes nothing"
        async with at_work(redis, port, "two"):
            pass
        seen = (await journal(redis.all))[-1]
        assert parse_position(seen) > parse_position(top)

        shutil.rmtree(redis.data / "appendonlydir")  # all data is lost
        await run(redis, "restore with compose", tmp_path)
        await restored(redis, before)

        environment = COMMON | {"REDIS_URL": redis.url("fanout")}
        async with (
            running("services.fanout", **environment) as fanout,
            aiohttp.ClientSession() as session,
        ):
            await until(lambda: ready(session, fanout.port), what="a fanout alone")
            ahead = await subscribe(fanout.port, seen)  # the restored journal ends below `seen`
            await ahead.wait(1, "reset")
            ahead.close()
        # Nothing is trimmed: on a slow machine, the chain makes many events until the end.
        async with (
            services(redis, port, kept=1_000_000) as parts,
            aiohttp.ClientSession() as session,
        ):
            client = await subscribe(parts["fanout"].port, top)
            held = await on_chain(session, port)
            since = {p for p in held if parse_position(p) > parse_position(top)}
            assert since

            def missing() -> str:
                last = [(each.name, each.own_id) for each in client.events[-3:]]
                return f"{sorted(since - ids(client))} again; the client's last events: {last}"

            await until(lambda: since <= ids(client), seconds=60, what=missing)
            assert since <= set(await journal(redis.all))
            client.close()


async def subscribe(fanout: int, after: str) -> SseClient:
    target = f"/v1/events/subscribe?all=true&last_event_id={after}"
    admin = bearer(token_of(accounts.address("carol"), "admin", iat=time.time()))
    return await SseClient.connect(fanout, target, headers=admin)


def ids(client: SseClient) -> set[str | None]:
    return {event.own_id for event in client.events}


async def on_chain(session: aiohttp.ClientSession, port: int) -> list[str]:
    """Positions of the contract's events that the network has emitted so far."""
    async with session.get(f"http://127.0.0.1:{port}/sim/events") as response:
        events = json.loads(await response.text())["events"]
    return [event["id"] for event in events if event["contractId"] == accounts.STREAMS]


@each_server
async def test_the_scripts_do_it_without_containers(tmp_path: Path, server: str) -> None:
    async with guarded_redis(tmp_path, server) as redis:
        await redis.all.eval("redis.call('XADD', KEYS[1], '5-1', 'b', 'x')", 1, KEYS.journal)
        await redis.all.set(KEYS.stream("7"), "x", px=3_600_000)
        before = await content(redis.all)
        code, said = await plainly(redis, "backup", tmp_path)
        assert code == 0, said
        await redis.all.flushall()

        code, said = await plainly(redis, "restore", tmp_path)
        assert code == 1
        assert "a Redis uses" in said, "not beneath a server"
        await redis.composed.stop("redis")
        whole = (tmp_path / "headrace.rdb").read_bytes()
        for broken in (b"", whole[: len(whole) // 2], whole[:-20] + b"?" * 20):
            (tmp_path / "headrace.rdb").write_bytes(broken)
            code, said = await plainly(redis, "restore", tmp_path)
            assert code == 1
            assert "the backup is not whole" in said
        (tmp_path / "headrace.rdb").write_bytes(whole)
        code, said = await plainly(redis, "restore", tmp_path)
        assert code == 0, said
        await redis.composed.start("redis")
        await restored(redis, before)
        names = {path.name.partition(".2")[0] for path in redis.data.iterdir()}
        assert names == {"appendonlydir", "appendonlydir.before", "in-use"}, "no rest is left"


async def test_a_backup_that_fails_says_so_and_writes_nothing(tmp_path: Path) -> None:
    async with guarded_redis(tmp_path) as redis:
        run_folder = Path(redis.composed.running["redis"][0].environment["RUN_FOLDER"])
        (run_folder / "operator-password").write_text("wrong")
        code, said = await plainly(redis, "backup", tmp_path)
        assert code
        assert "WRONGPASS" in said
        assert (tmp_path / "headrace.rdb").read_bytes() == b""
        assert {path.name for path in redis.data.iterdir()} == {"appendonlydir", "in-use"}
