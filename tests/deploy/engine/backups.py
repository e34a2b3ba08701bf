"""Backups of the system's Redis, and what is in them."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.deploy.engine.system import System
from tests.support.redis_content import Content, content
from tests.support.waiting import until


def backup(running: System) -> bytes:
    """The data of Redis, as docs/operations/backup.md says."""
    return running.compose("exec", "-T", "redis", "sh", "/etc/headrace/backup.sh")


async def content_of(running: System, data: bytes, folder: Path) -> Content:
    """What is in a backup, as another server reads it."""
    (folder / "dump.rdb").write_bytes(data)
    command = ["valkey-server", "--port", "0", "--unixsocket", "/data/socket", "--save", ""]
    container = running.engine.docker(
        "run", "--detach", "--rm", "--network=none", f"--volume={folder}:/data",
        running.stand_ins["redis"], *command, "--unixsocketperm", "777",
    )  # fmt: skip
    async with Redis(unix_socket_path=str(folder / "socket")) as redis:
        await until(lambda: _answers(redis), what="a server that has read the backup")
        found = await content(redis)
    running.engine.docker("stop", container)
    return found


async def _answers(redis: Redis) -> bool:
    try:
        return await redis.ping()
    except RedisError:  # it does not listen yet, or still loads
        return False
