"""The archiver as a process: killed at any moment, two at once, and a store that is away."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from shared.archive.mark import read_mark
from shared.journal.keys import Keys
from shared.journal.losses import LossReport, read_reports
from shared.journal.reader import Journal
from tests.archiver.archives import ChainCommits, archived, create_stream, empty, store_in
from tests.shared.samples import TOKEN
from tests.support.pace import last
from tests.support.processes import ServiceProcess, running, start
from tests.support.tier import at_length
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(at_length(90, 300))]


def environment(redis_url: str, keys: Keys, folder: Path) -> dict[str, object]:
    return {
        "REDIS_URL": redis_url,
        "NAMESPACE": keys.namespace,
        "CONTRACTS": f"{TOKEN}:stream",
        "ARCHIVE_URL": folder.as_uri(),
        "ARCHIVE_SECONDS": "0.05",
        "ARCHIVE_LEASE_SECONDS": "0.5",
    }


async def readiness(process: ServiceProcess) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{process.port}/readyz") as answer,
    ):
        return dict(await answer.json())


async def until_archived(redis: Redis, keys: Keys) -> None:
    """Wait until everything in the journal is archived."""
    (last,) = await Journal(redis, keys).latest(1)

    async def reached() -> bool:
        mark = await read_mark(redis, keys)
        return mark is not None and str(mark.position) == last.position

    await until(reached, what=f"the archive to reach {last.position}")


async def test_killed_at_any_moment_with_a_standby(
    redis: Redis, redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    given, chance, commits = environment(redis_url, keys, tmp_path), random.Random(1), 0
    chain = ChainCommits(redis, keys)
    processes = [await start("services.archiver", **given) for _ in range(2)]
    try:
        for _ in range(at_length(2, 20)):
            await processes[0].listening()
            for _ in range(10):
                await chain.commit()
                await create_stream(redis, keys, str(commits := commits + 1))
                await last(chance.random() / 50)
            killed = processes.pop(0)
            killed.signal(signal.SIGKILL)
            await killed.ended()
            processes.append(await start("services.archiver", **given))
        await until_archived(redis, keys)
    finally:
        for process in processes:
            process.signal(signal.SIGKILL)
            await process.ended()
    assert await archived(store_in(tmp_path, keys)) == await Journal(redis, keys).latest(10_000)


async def test_an_archiver_with_a_wrong_store_lets_another_one_archive(
    redis: Redis, redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    wrong.write_text("a file is where the store should be")

    async def is_held() -> bool:
        return bool(await redis.exists(keys.archiver_lease))

    settings = environment(redis_url, keys, wrong) | {"ARCHIVE_LEASE_SECONDS": "2"}
    async with running("services.archiver", **settings) as first:
        await until(is_held)
        async with running("services.archiver", **environment(redis_url, keys, right)) as second:
            await ChainCommits(redis, keys).commit(3)
            await until_archived(redis, keys)
            await second.ready()
            wrong.unlink()

            async def reason() -> bool:
                return "correct ARCHIVE_URL" in (await readiness(first))["parts"]["archive"]

            await until(reason, what="the first one says that its archive is not the right one")
        assert not wrong.exists()
    assert len(first.log_lines("active")) == 1, "it waits until its store is right"


async def test_events_go_on_while_the_store_is_away_and_redis_is_emptied(
    redis: Redis, redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    folder, chain = tmp_path / "archive", ChainCommits(redis, keys)
    folder.write_text("a file is where the store should be")
    async with running("services.archiver", **environment(redis_url, keys, folder)) as process:

        async def reason() -> str:
            return str((await readiness(process))["parts"]["archive"])

        async def is_away() -> bool:
            return "the archive cannot be used" in await reason()

        await until(is_away)
        positions = await chain.commit(3)
        folder.unlink()
        folder.mkdir()
        await until_archived(redis, keys)
        await process.ready()
        before = await Journal(redis, keys).latest(100)
        assert await archived(store_in(folder, keys)) == before
        await empty(redis, keys)

        async def reported() -> list[LossReport]:
            return await read_reports(redis, keys)

        (report,) = await until(reported)
        assert report.top == positions[-1]
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
    async with running("services.archiver", **environment(redis_url, keys, folder)) as process:
        await redis.delete(keys.loss_reports)
        (again,) = await until(reported)
        assert again == report, "the archive itself remembers what Redis had"
