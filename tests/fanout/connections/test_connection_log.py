"""What operators see of connections: statistics, one log line for each end, and no tokens."""

from __future__ import annotations

import json
import time
from collections.abc import MutableMapping, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from shared.auth.revocations import Revocation, RevocationStore
from shared.auth.tickets import Tickets
from shared.journal.keys import Keys
from tests.fanout.replicas import ALICE, BOB, Chain, Replica, StartReplica
from tests.fanout.tokens import REQUIRED, ask, bearer, claims, status, token
from tests.support.sse_client import SseClient
from tests.support.waiting import until


@pytest.mark.parametrize("path", ["/v1/events/stats", "/events/stats"])
async def test_in_open_mode_anyone_may_read_the_statistics(
    start: StartReplica, chain: Chain, clients: list[SseClient], path: str
) -> None:
    (top,) = await chain.commit()
    replica = await start(connections_per_ip=9)
    await until(lambda: replica.components.feed.tip)
    clients += [await replica.subscribe("streams=7,8"), await replica.subscribe()]
    await until(lambda: replica.components.registry.count == 2)
    code, text = await replica.get(path)
    stats = json.loads(text)
    assert code == 200
    assert stats.pop("lagSeconds") > 0
    assert stats == {
        "connections": 2,
        "live": 2,
        "subscriptions": 3,
        "backlogBytes": 0,
        "leases": 2,
        "position": top,
        "journalTop": top,
        "ledger": 1,
        "ringEvents": 1,
        "ringFrom": "0-0",
        "trouble": None,
    }


async def test_in_required_mode_only_admins_may_read_the_statistics(
    auth_replica: Replica, sessions: RevocationStore
) -> None:
    async def code(**more: Any) -> int:
        return (await auth_replica.get("/v1/events/stats", **more))[0]

    assert await code() == 401
    assert await code(headers=bearer("abc")) == 401
    assert await code(headers=bearer(token(BOB, scope="events:all streams:write"))) == 403
    assert await code(headers=bearer(token(BOB, scope="admin"))) == 200
    admin = claims(BOB, scope="admin")
    await sessions.revoke(Revocation(token_id=admin["jti"]), seconds=60)
    assert await code(headers=bearer(token(BOB, **admin))) == 401


def end_lines(lines: Sequence[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    return [line for line in lines if line["event"] == "connection_ended"]


async def test_the_end_of_a_connection_is_one_log_line(
    auth_replica: Replica, chain: Chain, stream: str
) -> None:
    before = str(auth_replica.components.feed.position)
    with capture_logs() as lines:
        query, began = f"streams=7&users={BOB}", time.monotonic()
        client = await auth_replica.subscribe(query, since="0-0", headers=bearer(token(BOB)))
        (live, *_, last) = await chain.commit(chain.fee(), chain.fee(), chain.broadcast())
        await client.wait_id(last)
        assert client.positions == [before, live, *client.positions[2:]]
        client.close()
        await until(lambda: end_lines(lines))
        between, expires = time.monotonic(), int(time.time()) + 5
        header = bearer(token(ALICE, exp=expires))
        await auth_replica.subscribe(f"users={ALICE}", headers=header)
        least = expires - time.time()
        await until(lambda: len(end_lines(lines)) == 2)
        ended = time.monotonic()
    first, second = end_lines(lines)
    # A connection begins at the heartbeat before it, which can be late.
    assert 0 <= first.pop("seconds") < between - began + 4
    assert first == {
        "event": "connection_ended",
        "log_level": "info",
        "subject": BOB,
        "topics": 2,
        "events": 4,  # one of the four events comes from the replay
        "reason": "gone",
    }
    assert (second["subject"], second["reason"], second["events"]) == (ALICE, "token_expired", 0)
    assert least - 0.1 < second["seconds"] < ended - between + 4


async def test_no_token_and_no_ticket_is_ever_logged(
    launch: StartReplica, chain: Chain, redis: Redis, keys: Keys
) -> None:
    replica = await launch(**REQUIRED, log_level="debug")
    await chain.commit()
    good, bad, other = token(BOB), token(BOB, aud="elsewhere"), token(ALICE)
    expired = token(BOB, exp=1_700_000_000)
    ticket = await Tickets(redis, keys).issue(other)
    query = f"users={BOB}&access_token="
    assert await status(replica, query + good) == 200
    assert await status(replica, f"token={good}") == 200
    assert await status(replica, f"token={bad}") == 401
    assert await status(replica, query + bad) == 401
    assert await status(replica, query + expired) == 401
    assert await status(replica, f"users={BOB}", headers=bearer(bad)) == 401
    assert (
        await status(replica, f"users={BOB}", headers={"Cookie": f"headrace_token={good}"}) == 200
    )
    assert await status(replica, f"users={ALICE}&ticket={ticket}") == 200
    another = {"User-Agent": "another"}
    assert await status(replica, f"users={ALICE}&ticket={ticket}", headers=another) == 401
    assert await status(replica, f"{query}{good}&types=nonsense") == 400
    assert await status(replica, f"{query}{good}&all=true") == 403
    path = f"/v1/events/subscribe?{query}{good}"
    for target, method in (
        (path, "POST"),
        (path, "NO SENSE"),
        (f"/nowhere?{query}{good}", "GET"),
        (f"{path}\x01\x02", "GET"),
        (f"{path}&streams={'1,' * 40_000}", "GET"),
    ):
        client = await SseClient.connect(replica.port, target, method=method)
        await client.answered()
        assert client.status >= 400
        client.close()
    for line in (f"Authorization: Bearer {good}\x00", f": {good}", f"Content-Length: {good}"):
        client = await SseClient.connect(replica.port, path, headers={"X": "y\r\n" + line})
        await client.answered()
        client.close()
    client = await ask(replica, query + good)
    client.reset()
    process = replica.process
    await until(lambda: len(process.log_lines("connection_ended")) >= 4)
    process.signal()
    assert await process.ended() == 0
    everything = json.dumps(process.log) + "".join(process.noise)
    for secret in (good, bad, other, expired, ticket):
        for part in (secret, *(p for p in secret.split(".")[1:] if len(p) > 20)):
            assert part not in everything
    assert process.log_lines("stopping")
