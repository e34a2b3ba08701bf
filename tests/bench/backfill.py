"""Read a million events from each source: `python -m tests.bench.backfill [--events N]`.

This is what an indexer does that starts with 30 days of a busy contract. It takes minutes, so it is
not part of `make bench`. The server of the prepared chain uses a part of the same CPU cores.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.bench import processes
from tests.bench.environment import BenchEnvironment
from tests.bench.indexer import indexer
from tests.bench.ledger import PreparedLedger, toid_of
from tests.support.redis_server import redis_server
from tests.support.waiting import free_port

_GOAL = "≤ 180 s for a million events"


async def backfill(env: BenchEnvironment, source: str, transactions: int) -> str:
    """Read the whole chain from one source. Returns a line about it."""
    port = free_port()
    words = [sys.executable, "-m", "tests.bench.ledger_server", "--port", str(port)]
    redis = connect(env.redis_url)
    with (
        processes.command(*words, "--transactions", str(transactions), port=port) as served,
        indexer(env, port, NAMESPACE=env.keys.namespace, SOURCE=source) as server,
    ):
        began = time.monotonic()
        last = toid_of(transactions - 1)
        while int(await redis.hget(env.keys.progress, "cursor") or 0) < last:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        seconds, cpu, own = time.monotonic() - began, server.cpu(), served.cpu()
        used = (await redis.info("cpu"))["used_cpu_user"]
        length = await redis.xlen(env.keys.journal)
    await redis.aclose()
    shown = f"{seconds:.0f} s; CPU: indexer {cpu:.0f} s, Redis {used:.0f} s, {own:.0f} s"
    return f"{source}: {shown} of the source; {length:,} events in the journal"


async def _run(events: int) -> None:
    prepared = PreparedLedger(events)
    transactions = round(events * events / prepared.number_of_events())
    total = PreparedLedger(transactions).number_of_events()
    print(f"{total:,} events in {transactions:,} transactions; goal: {_GOAL}", flush=True)
    for source in ("horizon", "rpc"):
        with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as url:
            env = BenchEnvironment(url, Keys(f"bench-backfill-{source}"), Path(folder))
            print(await backfill(env, source, transactions), flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark with the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    asyncio.run(_run(parser.parse_args(argv).events))


if __name__ == "__main__":
    main()
