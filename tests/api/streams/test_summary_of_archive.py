"""docs/guides/query-the-archive.md: DuckDB computes the sums of the summary from the files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
from redis.asyncio import Redis
from stellar_sdk import StrKey

from services.archiver.merging import merge
from shared.domain.events import Event, EventType
from shared.domain.stream import I128_MAX, StreamStatus
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.api.samples import T0, Clock, made, made_and_accepted
from tests.archiver.archives import archive
from tests.shared.samples import R2, TOKEN, TYPE, R, S, at, chain, created
from tests.support.fenced import fenced
from tests.support.web_client import WebClient

FILES, STREAMS, SUMS = fenced("docs/guides/query-the-archive.md", "sql")
OTHER_TOKEN = StrKey.encode_contract(bytes(32))
NOW = T0 + 50
CLOSED_AT = "2026-02-02T02:40:50Z"  # NOW, so that both kinds of streams have the same clock

Row: TypeAlias = dict[str, Any]
SCHEDULES: tuple[dict[str, object], ...] = (
    {"kind": "cliff", "cliffTime": T0 + 60},
    {"kind": "cliff", "cliffTime": T0 + 40},
    {"kind": "cliff_amount", "cliffTime": T0 + 20, "cliffAmount": "300"},
    {"kind": "steps", "lastTime": T0 + 90, "steps": [
        {"time": T0 + 10, "amount": "70"}, {"time": T0 + 90, "amount": "930"},
    ]},
    {"kind": "steps", "lastTime": T0 + 90, "steps": []},
    {"kind": "allowance"},
)  # fmt: skip


class Ledgers:
    """Commits the events of one ledger after another, as an indexer does."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._committer = Committer(redis, keys)
        self._ledger = 0

    async def close(self, *events: Event) -> None:
        """Commit these events as those of the next ledger."""
        self._ledger += 1
        place = [at(self._ledger, n) for n in range(len(events))]
        placed = [replace(event, position=p) for event, p in zip(events, place, strict=True)]
        progress = {"ledger": str(self._ledger), "closedAt": CLOSED_AT}
        await self._committer.record(placed, progress=progress)


def new(stream_id: int, **more: object) -> Event:
    """A new stream: 1000 at 10 a second, from T0 on."""
    given: dict[str, Any] = {"startTime": T0, "ratePerSecond": "10"} | more
    return created(str(stream_id), at(1), **given)


def seen(kind: EventType, stream_id: int, seconds: int, **facts: Any) -> Event:
    """An event of a stream, some seconds after T0."""
    return chain(kind, str(stream_id), at(1), now=T0 + seconds, **facts)


def snapshot(stream_id: int) -> Event:
    """The state of a stream whose creation was never seen."""
    return seen(
        TYPE.STREAM_SNAPSHOT, stream_id, 30, contractId=TOKEN, sender=R2, recipient=S,
        tokenAddress=OTHER_TOKEN, ratePerSecond="3", depositedAmount=str(I128_MAX // 4),
        withdrawnAmount="60", refundedAmount="0", startTime=T0, lastUpdateTime=T0 + 20,
        pausedAt=None, status="active", schedule={"kind": "linear"}, stateLedger=2, archived=False,
    )  # fmt: skip


async def on_the_chain(ledgers: Ledgers) -> None:
    """Streams of the chain that were created, or only read."""
    await ledgers.close(
        new(1), new(2), new(3, recipient=R2), new(4, tokenAddress=OTHER_TOKEN), new(5, sender=R),
        new(7), new(8, ratePerSecond=str(I128_MAX)), new(9, ratePerSecond="0"),
        *(new(10 + n, schedule=each) for n, each in enumerate(SCHEDULES)),
    )  # fmt: skip
    await ledgers.close(
        snapshot(6), seen(TYPE.STREAM_FEE_COLLECTED, 99, 30, amount="1"),
        seen(TYPE.STREAM_PAUSED, 4, 30, sender=S, pausedAt=T0 + 30),
        seen(TYPE.STREAM_UNCERTAIN, 7, 30, reason="gap"),
    )  # fmt: skip


async def on_the_chain_later(ledgers: Ledgers) -> None:
    """Changes of these streams."""
    paid = {"recipient": R, "amount": "250", "timestamp": T0 + 25}
    await ledgers.close(
        seen(TYPE.STREAM_WITHDRAWN, 1, 25, **paid),
        seen(TYPE.STREAM_TOPPED_UP, 1, 40, sender=S, amount="5", newDepositedAmount="1005"),
        seen(TYPE.STREAM_CANCELLED, 2, 40, sender=S, recipient=R, amountWithdrawn="400",
             refundedAmount="600"),
        seen(TYPE.STREAM_RECIPIENT_TRANSFERRED, 3, 45, newRecipient=R, settledAmount="450"),
    )  # fmt: skip


async def in_the_api(client: WebClient, clock: Clock) -> None:
    """Streams of the API: one of each status, and one that its recipient has not accepted."""
    await made(client)
    await made(client, recipient=S)
    whole = await made_and_accepted(client, depositedAmount="200", tokenAddress=OTHER_TOKEN)
    gone = await made_and_accepted(client, sender=R, recipient=S)
    still = await made_and_accepted(client)
    clock.now = T0 + 30
    for stream, action in ((whole, "withdraw"), (gone, "cancel"), (still, "pause")):
        response = await client.post(f"/v1/streams/{stream['id']}/{action}")
        assert response.status == 200, await response.text()
    clock.now = NOW


def by_query(database: duckdb.DuckDBPyConnection, account: str) -> list[Row]:
    """The rows of the page's query for an account."""
    for line in ("SET VARIABLE account = ", "SET VARIABLE now = "):
        assert line in SUMS.text
    text = SUMS.text.replace("'GDK36SR7ZTTRPMBYRPGCOSPLYFEK3GLJWI7UL3Q3MBP5LB3YK5VMI6ET'",
                             f"'{account}'").replace("epoch(now())", str(NOW))  # fmt: skip
    found = database.execute(text)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def assert_equal(rows: list[Row], summary: Row) -> None:
    """The query has the counts and the sums of the summary, and no others."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        for status in StreamStatus:
            counts[row["origin"], row["side"], status] += row[status]
    found = {(row["origin"], row["side"], row["tokenAddress"]): row for row in rows}
    for origin in ("chain", "api"):
        for side, by_status in summary[origin]["counts"].items():
            assert {each: counts[origin, side, each] for each in by_status} == by_status
        for token in summary[origin]["tokens"]:
            for side in ("sent", "received"):
                row = found.pop((origin, side, token["tokenAddress"]), {})
                for name, amount in token[side].items():
                    assert int(amount) == row.get(name, 0), (origin, side, name)
    assert not found


async def test_the_query_of_the_page_gives_the_sums_of_the_summary(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock, tmp_path: Path
) -> None:
    ledgers = Ledgers(redis, keys)
    for written in (on_the_chain(ledgers), in_the_api(client, clock), on_the_chain_later(ledgers)):
        await written
        catalog = await archive(redis, keys, tmp_path)
    assert len(catalog.manifests) == 3
    await merge(catalog, catalog.manifests[:2], seed=None)  # the sweep has deleted nothing yet
    assert len(list((tmp_path / keys.namespace / "manifests").iterdir())) == 3
    with duckdb.connect() as database:
        files = FILES.text.replace("/archive/default", str(tmp_path / keys.namespace))
        assert files != FILES.text
        database.execute(files)
        read = database.execute("SELECT count(*) FROM read_parquet(getvariable('files'))")
        assert read.fetchone() == (await redis.xlen(keys.journal),), "each event once"
        database.execute(STREAMS.text)
        for account in (S, R, R2):
            rows = by_query(database, account)
            summary = await (await client.get(f"/v1/users/{account}/summary")).json()
            assert rows
            assert_equal(rows, summary)
