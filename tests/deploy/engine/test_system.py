"""The images and deploy/compose.yaml in a real engine: confined, scaled, stopped and restarted."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.clients.libraries import Driver, require_library
from tests.deploy.composed import read_compose
from tests.deploy.engine.backups import backup, content_of
from tests.deploy.engine.clients import Subscribers
from tests.deploy.engine.commands import run
from tests.deploy.engine.conftest import REVISION, VERSION
from tests.deploy.engine.images import TARGETS
from tests.deploy.engine.system import PARTS, System
from tests.deploy.gateways import certificate
from tests.support.installation import create_stream
from tests.support.programs import needed
from tests.support.redis_content import lasting
from tests.support.waiting import until

pytestmark = [
    pytest.mark.io,
    pytest.mark.nightly,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]
OPEN_FILES = {"redis": 10_032, "fanout": 16_000, "gateway": 65_536}
"""What a part raises its limit of open files to, if the engine permits it."""


@cache
def service(part: str) -> dict[str, Any]:
    """A service of compose.yaml with all variables filled in."""
    return read_compose("simulated.env")["services"][part]


async def test_every_container_is_healthy_and_has_the_version(running: System) -> None:
    for part in PARTS:
        containers = running.containers(part)
        assert len(containers) == service(part)["deploy"].get("replicas", 1)
        for each in containers:
            assert each["State"]["Health"]["Status"] == "healthy"
            assert each["RestartCount"] == 0
        if part in TARGETS:
            labels = containers[0]["Config"]["Labels"]
            found = [labels[f"org.opencontainers.image.{name}"] for name in ("version", "revision")]
            assert found == [VERSION, REVISION]
    assert (await running.text("/readyz"))[0] == 200


@pytest.mark.parametrize("part", PARTS)
async def test_a_container_is_confined(running: System, part: str) -> None:
    (container, *_) = running.containers(part)
    lines = running.execute(container, "cat", "/proc/1/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert int(status["Uid"].split()[0]) > 0
    assert int(status["Gid"].split()[0]) > 0
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2", "the engine's filter of system calls"
    for folder in ("/", "/etc", "/app"):
        with pytest.raises(AssertionError, match=r"Read-only file system|nonexistent directory"):
            running.execute(container, "sh", "-c", f"echo >{folder}/written")
    running.execute(container, "sh", "-c", "echo >/tmp/written && rm /tmp/written")


@pytest.mark.parametrize("part", PARTS)
async def test_a_container_has_its_limits(running: System, part: str) -> None:
    (container, *_) = running.containers(part)
    limits = service(part)["deploy"]["resources"]["limits"]
    groups = "cat /sys/fs/cgroup/memory.max || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    assert running.execute(container, "sh", "-c", groups) == limits["memory"]
    assert container["HostConfig"]["NanoCpus"] == float(limits["cpus"]) * 1e9
    if wanted := OPEN_FILES.get(part):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        assert open_files(container["State"]["Pid"]) >= min(wanted, hard)
    for name, value in service(part).get("sysctls", {}).items():
        path = f"/proc/sys/{name.replace('.', '/')}"
        assert running.execute(container, "cat", path).split() == str(value).split()


def open_files(pid: int) -> int:
    """The limit of open files of a container's process, or of nginx' worker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    limits = Path(f"/proc/{(children or [str(pid)])[-1]}/limits").read_text().splitlines()
    (line,) = [line for line in limits if line.startswith("Max open files")]
    return int(line.split()[3])


async def test_only_services_reach_redis(running: System) -> None:
    program = "import socket; socket.create_connection(('redis', 6379), timeout=5)"
    for part in ("indexer", "api", "fanout", "archiver", "webhooks"):
        running.execute(running.containers(part)[0], "python", "-c", program)
    address = running.containers("redis")[0]["NetworkSettings"]["Networks"]["headrace_back"]
    outside = running.containers("network")[0]
    for host in ("redis", address["IPAddress"]):
        with pytest.raises(AssertionError, match=r"gaierror|timed out|unreachable"):
            running.execute(outside, "python", "-c", program.replace("redis", host))


async def test_an_event_source_gets_every_event_while_fanouts_come_and_go(running: System) -> None:
    require_library("eventsource")
    async with Subscribers(running, 12) as subscribers:
        source = await Driver.start("eventsource", f"{running.url()}/v1/events/subscribe?all=true")
        try:
            await subscribers.until_events(5)
            running.up("--no-recreate", "--scale", "fanout=4")
            await until(
                lambda: _all_serve(running, subscribers, 4), seconds=120, what="four fanouts"
            )
            await asyncio.to_thread(running.up, "--no-recreate", "--scale", "fanout=2")
            await subscribers.until_the_last_event()
            ids = [event.id for event in source.events if event.is_journal_event]
            assert len(ids) == len(set(ids))
            assert set(ids) >= set(subscribers.clients[0].ids[20:-20])
        finally:
            await source.stop()
        subscribers.check()
        assert any(client.connections > 1 for client in subscribers.clients), "some had to move"


async def _all_serve(running: System, subscribers: Subscribers, count: int) -> bool:
    fanouts = running.containers("fanout")
    assert len(fanouts) == count
    held = [await running.metric(each, "headrace_fanout_connections") for each in fanouts]
    if min(held) > 0:
        return True
    subscribers.add()
    return False


@pytest.mark.parametrize("part", [part for part in PARTS if part != "network"])
async def test_after_sigterm_a_part_ends_in_order_and_is_started_again(
    running: System, part: str
) -> None:
    (container, *_) = running.containers(part)
    name, count = container["Name"], container["RestartCount"]

    def now() -> dict[str, Any]:
        return json.loads(running.engine.docker("inspect", name))[0]

    def is_back() -> bool:
        state = now()
        return state["RestartCount"] > count and state["State"]["Health"]["Status"] == "healthy"

    async with Subscribers(running, 6) as subscribers:
        await subscribers.until_events(3)
        os.kill(container["State"]["Pid"], signal.SIGTERM)
        await until(is_back, seconds=90, what=f"{name} started again: {now()['State']}")
        await subscribers.until_the_last_event()
        subscribers.check()
    events = running.engine.docker(
        "events", "--since", container["State"]["StartedAt"], "--until", "0s",
        "--filter", f"container={container['Id']}", "--filter", "event=die",
        "--format", "{{.Actor.Attributes.exitCode}}",
    )  # fmt: skip
    assert events.split()[-1] == "0"


async def test_a_restart_of_redis_keeps_all_its_data(running: System, tmp_path: Path) -> None:
    async with Subscribers(running, 6) as subscribers:
        await subscribers.until_events(3)
        made = await create_stream(running.session, running.url())
        running.compose("stop", "indexer", "api", "fanout", "archiver", "webhooks", "gateway")
        before = await content_of(running, backup(running), tmp_path)
        assert len(before) > 20
        running.compose("restart", "redis")
        await until(lambda: is_healthy(running, "redis"), seconds=60, what="a healthy Redis")
        after = await content_of(running, backup(running), tmp_path)
        assert {key: after.get(key) for key in lasting(before)} == lasting(before)
        running.up()
        assert (await running.text(f"/v1/streams/{made['id']}"))[0] == 200
        await subscribers.until_the_last_event()
        for client in subscribers.clients:
            assert made["id"] in {event["streamId"] for event in client.events}
        subscribers.check(without_fanouts=True)


def is_healthy(running: System, part: str) -> bool:
    (container,) = running.containers(part)
    return container["State"]["Health"]["Status"] == "healthy"


async def test_the_gateway_serves_http_2_once_its_user_can_read_the_key(running: System) -> None:
    certificate(running.tls)
    key = running.tls / "tls.key"
    key.chmod(0o600)
    sentence = "user 101:101 cannot read /etc/headrace-tls/tls.key: its mode is 600, its owner 0:0."
    assert sentence in await log_after_restart(running)
    assert (await running.text("/readyz"))[0] == 200, "without TLS, nothing is redirected to it"

    key.chmod(0o644)
    log = await log_after_restart(running)
    assert "cannot read" not in log
    assert "[warn]" not in log, "listen … http2 is deprecated in this nginx"
    url = f"https://{running.engine.address}:3443/readyz"
    head = run(needed("curl"), "-sk", "--http2", "--head", "--request", "GET", url)
    assert head.startswith(b"HTTP/2 200")
    for file in running.tls.iterdir():
        file.unlink()
    await log_after_restart(running)


async def log_after_restart(running: System) -> str:
    """What the gateway logs after it was started again."""
    running.compose("restart", "gateway")
    await until(lambda: is_healthy(running, "gateway"), seconds=60, what="a healthy gateway")
    (gateway,) = running.containers("gateway")
    since = gateway["State"]["StartedAt"]
    return running.engine.docker("logs", "--since", since, gateway["Id"], errors=True)
