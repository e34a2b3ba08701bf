"""A replica whose descriptors are used up: who comes is told so, and nobody else notices."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.fanout.rig import SUBSCRIBE, Chain, StartReplica
from tests.support.sse_client import SseClient
from tests.support.waiting import until


async def test_without_a_descriptor_left_it_is_told_in_band_and_the_others_go_on(
    launch: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await launch()
    clients.append(await replica.subscribe())
    pid = replica.process.pid
    await until(lambda: _idle(pid))
    open_now = replica.process.descriptors
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 1, hard))  # to be asked, no more
    late = await SseClient.connect(replica.port, f"{SUBSCRIBE}?all=true")
    clients.append(late)
    await until(late.closed.is_set)
    assert [event.name for event in late.events] == ["overload"]
    assert "Too many open files" in late.events[0].json["reason"]
    (position,) = await chain.commit()
    await clients[0].wait_id(position)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    clients.append(await replica.subscribe())


def _idle(pid: int) -> bool:
    """Whether aiohttp has closed its side of all connections: no socket is open twice."""
    links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = [link for link in links if link.startswith("socket:")]
    return len(sockets) == len(set(sockets))
