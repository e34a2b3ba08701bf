"""The users of deploy/redis: each service does all its work as its user, and may do no more."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from services.archiver.commands import erase, forget, restore, verify
from services.archiver.settings import ArchiverSettings
from shared.journal.keys import CHANNEL
from shared.redis.client import connect
from shared.redis.durability import commands_in_aof
from tests.deploy.dockerfile import ROOT
from tests.deploy.redis_work import (
    COMMON,
    KEYS,
    Guarded,
    archive_of,
    at_work,
    guarded_redis,
    in_transactions,
    network,
)
from tests.support.processes import ServiceProcess
from tests.support.redis_server import PATIENT
from tests.support.waiting import until

pytestmark = pytest.mark.io


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded_redis(tmp_path) as redis:
        yield redis


OTHERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "operator": (("GET", KEYS.journal), ("SET", KEYS.fence, "x"), ("PUBLISH", CHANNEL, "x")),
    "indexer": (
        ("CONFIG", "SET", "maxmemory", "1gb"),
        ("SET", KEYS.revoked_token("x"), "1"),
        ("GET", KEYS.ticket("x")),
        ("HGET", KEYS.api_keys, "x"),
        ("SUBSCRIBE", CHANNEL),
    ),
    "api": (
        ("CONFIG", "GET", "*"),
        ("SET", KEYS.fence, "x"),
        ("HSET", KEYS.namespace_owner, "contract", "x"),
        ("SET", KEYS.lease, "x"),
        ("XADD", KEYS.dead_letters, "*", "a", "b"),
        ("SUBSCRIBE", CHANNEL),
        ("HSET", KEYS.archive, "position", "1-0"),
    ),
    "archiver": (
        ("XADD", KEYS.journal, "*", "a", "b"),
        ("HSET", KEYS.progress, "cursor", "x"),
        ("GET", KEYS.stream("1")),
        ("SET", KEYS.lease, "x"),
        ("PUBLISH", CHANNEL, "x"),
        ("SUBSCRIBE", CHANNEL),
    ),
    "fanout": (
        ("CONFIG", "GET", "*"),
        ("XADD", KEYS.journal, "*", "a", "b"),
        ("PUBLISH", CHANNEL, "x"),
        ("SET", KEYS.stream("1"), "x"),
        ("SET", KEYS.epoch, "1"),
        ("XADD", KEYS.revocations, "*", "a", "b"),
        ("HVALS", KEYS.api_keys),
        ("HSET", KEYS.archive, "position", "1-0"),
        ("HGETALL", KEYS.webhooks),
    ),
}
OTHERS["webhooks"] = (
    ("HSET", KEYS.webhooks, "wh_x", "{}"), ("XADD", KEYS.webhook_changes, "*", "a", "b"),
    ("GET", KEYS.stream("1")), ("SET", KEYS.epoch, "1"), ("HGETALL", KEYS.api_keys),
    ("SET", KEYS.lease, "x"), ("HSET", KEYS.archive, "position", "1-0"), ("SUBSCRIBE", CHANNEL),
)  # fmt: skip
LASTING = {"journal", "progress", "fence", "dead-letters", "stream", "index", "topic"}
LASTING |= {"revocations", "api-keys", "epoch", "made-for", "tokens", "archive"}
LASTING |= {"webhooks", "webhooks-of", "webhook-changes", "webhook-progress", "webhook-attempts"}
LASTING |= {"webhook-dispatchers"}
"""Streams, their indexes and what their tokens tell (decision 84) stay. The rest is bounded by
JOURNAL_MAX_LENGTH, WEBHOOKS_PER_ACCOUNT, MAXLEN, admins or the number of dispatchers."""

WANTED = frozenset(ArchiverSettings.model_fields)

NOBODY = (
    ("FLUSHALL",), ("CONFIG", "REWRITE"), ("KEYS", "*"), ("ACL", "LIST"),
    ("EVAL", "return 1", "0"), ("GET", "other"), ("PUBLISH", "other", "x"), ("SHUTDOWN",),
)  # fmt: skip


@pytest.mark.parametrize("user", OTHERS)
async def test_a_service_may_not_do_what_is_another_s(guarded: Guarded, user: str) -> None:
    async with Redis.from_url(guarded.url(user)) as client:
        assert await client.ping()
        for command in (*OTHERS[user], *NOBODY):
            with pytest.raises(NoPermissionError):
                await client.execute_command(*command)


async def test_nobody_logs_in_as_the_default_user(guarded: Guarded) -> None:
    for who in ("", ":any@", "default:any@"):
        async with Redis.from_url(f"redis://{who}{guarded.place}/0") as client:
            with pytest.raises(AuthenticationError):
                await client.ping()


def file_of(redis: Guarded) -> Path:
    """The file users.acl of the running version."""
    return Path(redis.composed.running["redis"][0].place.of("/etc/headrace/users.acl"))


def rights_file(redis: Guarded, time: str) -> None:
    """Write users.acl with another right in place of TIME."""
    file_of(redis).write_text(
        (ROOT / "deploy/redis/users.acl").read_text().replace(" +time", f" +{time}")
    )


async def load_rights(redis: Guarded, *options: str) -> str:
    """What rights.sh complains about."""
    command = ["sh", "/etc/headrace/rights.sh", *options]
    code, _, errors = await redis.composed.run("redis", command)
    assert bool(code) == bool(errors)
    return errors


async def test_a_running_redis_gets_the_rights_of_another_version(guarded: Guarded) -> None:
    """deploy/upgrade.sh adds the new rights first, and takes the old ones away at its end."""

    async def allowed() -> set[str]:
        async with Redis.from_url(guarded.url("api")) as client:
            assert await client.ping(), "with the password that it had"
            found = set()
            for command in ("TIME", "ECHO"):
                with suppress(NoPermissionError):
                    await client.execute_command(command, *["x"][: command == "ECHO"])
                    found.add(command)
            return found

    assert await allowed() == {"TIME"}
    rights_file(guarded, "echo")
    assert not await load_rights(guarded, "--add")
    assert await allowed() == {"TIME", "ECHO"}
    assert not await load_rights(guarded)
    assert await allowed() == {"ECHO"}
    rights_file(guarded, "nothing")
    assert "nothing" in await load_rights(guarded)
    assert await allowed() == {"ECHO"}, "a wrong file changes nothing"
    file_of(guarded).write_text("")
    assert "lack the user operator" in await load_rights(guarded)
    assert await allowed() == {"ECHO"}, "an empty file changes nothing"
    rights_file(guarded, "time")
    assert not await load_rights(guarded)
    assert await allowed() == {"TIME"}


async def test_a_user_of_a_newer_version_is_off_until_it_has_a_password(guarded: Guarded) -> None:
    acl = file_of(guarded)
    line = "user newcomer on #NEWCOMER_SHA256 resetkeys resetchannels -@all +ping\n"
    acl.write_text(acl.read_text() + line)
    assert not await load_rights(guarded, "--add")
    assert b"off" in (await guarded.all.execute_command("ACL", "GETUSER", "newcomer"))[b"flags"]
    async with Redis.from_url(guarded.url("api")) as client:
        assert await client.ping(), "the others are as before"


async def test_a_wrong_input_changes_no_password(guarded: Guarded) -> None:
    code, _, errors = await guarded.composed.run(
        "redis", ["sh", "/etc/headrace/passwords.sh"], b"API_REDIS_PASSWORD=x\n"
    )
    assert code
    assert "the password of the user indexer" in errors
    async with Redis.from_url(guarded.url("api")) as client:
        assert await client.ping(), "with the password that it had"
    async with Redis.from_url(f"redis://api:x@{guarded.place}/0") as client:
        with pytest.raises(AuthenticationError):
            await client.ping()


@pytest.mark.timeout(120)
async def test_each_service_does_all_its_work(guarded: Guarded) -> None:
    async with network() as port, at_work(guarded, port) as parts:
        for part in parts.values():
            assert not part.log_lines("task_failed")
            assert not part.log_lines("request_failed")
            assert not part.log_lines("redis_examined"), "no warnings: each user may run INFO"
        await lose_everything(guarded.all, parts["indexer"])
    await use_the_archive(guarded)
    assert await guarded.refusals() == []
    assert await lasting(guarded.all) <= LASTING, "all else expires by itself"
    assert in_transactions(guarded.data) <= {command for command, *_ in commands_in_aof(KEYS)}


async def use_the_archive(guarded: Guarded) -> None:
    """The archiver's commands, as the users that docs/operations/archive.md names."""
    given = COMMON | archive_of(guarded)
    own: dict[str, Any] = {n: given[n.upper()] for n in WANTED if n.upper() in given}
    settings = ArchiverSettings(**own)
    await guarded.all.delete(KEYS.archiver_lease)  # of an archiver that was killed
    async with connect(guarded.url("archiver"), timeout=PATIENT) as archiver:
        assert await verify.run(verify.arguments([]), settings, archiver) == 0
        assert await forget.run(settings, archiver) == 0
    await guarded.all.flushall()
    async with connect(guarded.url("indexer"), timeout=PATIENT) as indexer:
        assert await restore.run(settings, indexer) == 0
        (stream, *_) = [key async for key in guarded.all.scan_iter(KEYS.stream("*"))]
        stream_id = stream.decode().removeprefix(KEYS.stream(""))
        assert await erase.run(frozenset([stream_id]), settings, indexer) == 0


async def lasting(redis: Redis) -> set[str]:
    """The kinds of keys that stay until somebody deletes them."""
    prefix = f"headrace:{{{KEYS.namespace}}}:"
    found = set()
    async for key in redis.scan_iter(f"{prefix}*"):
        if await redis.ttl(key) == -1:
            found.add(key.decode().removeprefix(prefix).partition(":")[0])
    return found


async def lose_everything(redis: Redis, indexer: ServiceProcess) -> None:
    """Each service notices and reports it, and the indexer restores what it can.

    The indexer is frozen until the others have reported. Once it has announced the loss from its
    own knowledge, no report would be needed.
    """
    indexer.signal(signal.SIGSTOP)
    await redis.flushall()

    async def told() -> bool:
        return bool(await redis.hget(KEYS.progress, "told"))

    async def reported() -> bool:
        return len(await redis.hvals(KEYS.loss_reports)) >= 3  # fanout, API, dispatcher

    await until(reported, what="the reports")
    indexer.signal(signal.SIGCONT)
    await until(told, what="the reset")
