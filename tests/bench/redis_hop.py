"""The floor of a latency: a process with a plain socket that is subscribed to Redis.

Arguments: host and port of Redis, and the number of messages. It prints a line when it is
subscribed, and the latencies in seconds as JSON when it has read all messages.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

from shared.journal.keys import CHANNEL
from tests.bench.processes import milliseconds, read_line
from tests.bench.publish import Publisher

_FIELD = b'"publishedAt":'
_DIGITS = 16


async def redis_hop(
    url: str, publisher: Publisher, *, rate: float, seconds: float
) -> tuple[float, float]:
    """The median and the 99th percentile in ms, from the commit to the socket."""
    where = urlsplit(url)
    process = _start(str(where.hostname), str(where.port), str(round(rate * seconds)))
    try:
        await read_line(process)
        await publisher.run(rate, seconds)
        async with asyncio.timeout(10):
            result = await read_line(process)
    finally:
        process.kill()
        process.wait(10)
    return milliseconds(result["latencies"])


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.bench.redis_hop", *arguments]
    return subprocess.Popen(words, stdout=subprocess.PIPE)


def _main(host: str, port: str, count: str) -> None:
    latencies: list[float] = []
    with socket.create_connection((host, int(port))) as subscriber:
        subscriber.sendall(f"SUBSCRIBE {CHANNEL}\r\n".encode())
        subscriber.recv(1 << 10)  # the answer to SUBSCRIBE
        print("{}", flush=True)
        rest = b""
        while len(latencies) < int(count):
            rest += subscriber.recv(1 << 16)
            now = time.time()
            while (at := rest.find(_FIELD)) >= 0 and len(rest) >= at + len(_FIELD) + _DIGITS:
                rest = rest[at + len(_FIELD) :]
                latencies.append(now - int(rest[:_DIGITS]) / 1e6)
    print(json.dumps({"latencies": latencies}), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
