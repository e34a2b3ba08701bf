"""The replica of deploy/compose.yaml follows the first Redis, whatever the password is."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared.journal.commit import Committer
from shared.redis.client import connect
from shared.redis.replication import Replicas
from tests.deploy.composed import Composed, read_compose
from tests.deploy.redis_work import KEYS
from tests.shared.samples import at, created
from tests.support.name_server import name_server
from tests.support.redis_server import PATIENT
from tests.support.redis_servers import find_servers, one_of_each_kind
from tests.support.waiting import until

ODD = 'a password with "quotes", a $sign and a back\\slash'
PASSWORD = "known-to-everyone-too"  # of the user api in deploy/simulated.env


@pytest.mark.io
async def test_the_replica_has_what_was_confirmed(tmp_path: Path) -> None:
    services = read_compose("simulated.env")["services"]
    both = {name: services[name] for name in ("redis", "redis-replica")}
    volumes = [{v["source"] for v in each["volumes"]} for each in both.values()]
    assert volumes[0] ^ volumes[1] == {"journal", "journal-replica"}, "each has its own volume"
    for each in both.values():
        each["environment"]["OPERATOR_REDIS_PASSWORD"] = ODD
    server = list(one_of_each_kind(find_servers()).values())[-1]  # a Valkey, as in compose
    async with name_server({}) as names:
        composed = Composed(tmp_path, both, names, server)
        try:
            await composed.up()
            first, copy = (_url(composed, name) for name in both)
            async with connect(first, timeout=PATIENT) as redis, Redis.from_url(copy) as copied:

                async def follows() -> bool:
                    info = await copied.info("replication")
                    return str(info.get("master_link_status")) == "up"

                await until(follows, what="the replica")
                sure = Committer(redis, KEYS, replicas=Replicas(redis, 1))
                await sure.record([created("5", at(5))], progress={})
                assert await copied.exists(KEYS.stream("5"))
        finally:
            await composed.down()


def _url(composed: Composed, name: str) -> str:
    return f"redis://api:{PASSWORD}@{composed.running[name][0].address}:6379/0"
