"""`make run` as a new user tries it: with curl, Ctrl-C and an occupied port."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local.gateway import KINDS
from deploy.local.ports import Ports
from tests.deploy.gateways import installed_kinds
from tests.support.installation import free_ports
from tests.support.tier import one_in_test
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "deploy.local.run"]

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]


def environment(folder: Path, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("REDIS_URL", "NETWORK", "GATEWAY")}
    return {**clean, "PYTHONPATH": str(ROOT), "CLOSE_SECONDS": "0.5", **more}


def make_run(folder: Path, log: Path, **more: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            COMMAND, cwd=folder, env=environment(folder, **more), stdout=out, stderr=out
        )


def with_pipes(folder: Path, **more: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    env = environment(folder, **more)
    return subprocess.Popen(COMMAND, cwd=folder, env=env, stdout=pipe, stderr=pipe)


def curl(output: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with output.open("wb") as out:
        return subprocess.Popen(["curl", "-sN", *arguments], stdout=out)


def ids(text: str) -> list[str]:
    """Ids of streams' events in curl's output, of whole frames only."""
    return re.findall(r"^event: \w+\.\w+\ndata: .*\nid: (\S+)\n\n", text, re.M)


@pytest.mark.parametrize("kind", one_in_test([*installed_kinds(), "api"]))
async def test_a_user_of_make_run_sees_events_creates_a_stream_and_resumes(
    tmp_path: Path, kind: str
) -> None:
    ports = free_ports()
    log = tmp_path / "run.txt"
    more = {"PORT_BASE": str(ports.base), "GATEWAY": kind}
    run = make_run(tmp_path, log, **more)
    try:
        await until(lambda: "Headrace is ready" in log.read_text(), seconds=90, what=log.read_text)
        gateway = f"http://localhost:{ports.gateway}"
        assert log.read_text().startswith(f"{gateway} "), "the console, first"
        follow = ["-L"] if kind == "api" else []

        first = curl(tmp_path / "first", *follow, f"{gateway}/events/subscribe?all=true")
        await until(lambda: len(ids((tmp_path / "first").read_text())) > 3)
        assert re.match(
            r'retry: \d+\ndata: \{"type":"connected",.*\}\nid: \d+-\d+\n\n',
            (tmp_path / "first").read_text(),
        )

        stream = create(gateway)
        await until(lambda: f'"streamId":"{stream["id"]}"' in (tmp_path / "first").read_text())

        received = tmp_path / ".run" / str(ports.base) / "logs/receiver.log"
        label = f"#{stream['id']} "
        await until(
            lambda: re.search(rf"verified .* stream\.created .*{label}", received.read_text())
        )

        first.kill()
        first.wait()
        seen = ids((tmp_path / "first").read_text())
        witness = curl(
            tmp_path / "all", *follow, "-H", f"Last-Event-ID: {seen[0]}",
            f"{gateway}/v1/events/subscribe?all=true",
        )  # fmt: skip
        await until(lambda: len(ids((tmp_path / "all").read_text())) > len(seen) + 5)
        again = curl(
            tmp_path / "again", *follow, "-H", f"Last-Event-ID: {seen[-1]}",
            f"{gateway}/events/subscribe?all=true",
        )  # fmt: skip
        await until(lambda: len(ids((tmp_path / "again").read_text())) > 5)
        for process in (again, witness):
            process.kill()
            process.wait()
        both = seen[1:] + ids((tmp_path / "again").read_text())
        everything = ids((tmp_path / "all").read_text())
        shorter = min(len(both), len(everything))
        assert both[:shorter] == everything[:shorter]
    finally:
        run.send_signal(signal.SIGINT)
        code = run.wait(90)
    assert code == 0
    assert log.read_text().endswith("stopped\n")
    assert re.search(r"^  \d\d:\d\d:\d\d  stream\.\w+ +#\d+ ", log.read_text(), re.M)
    assert not ports_in_use(ports)


def ports_in_use(ports: Ports) -> list[str]:
    """The ports of a run on which something still listens."""
    used = []
    for port in ports.all:
        with socket.socket() as sock:
            sock.settimeout(2)
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                used.append(str(port))
    return used


def pid_at(port: int) -> int:
    """The process that listens on a port, found by its environment."""
    wanted = f"PORT={port}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in environment:
            return int(folder.name)
    return 0


async def test_a_killed_part_is_restarted_and_the_run_continues(tmp_path: Path) -> None:
    ports, log = free_ports(), tmp_path / "run.txt"
    run = make_run(tmp_path, log, PORT_BASE=str(ports.base))
    try:
        await until(lambda: "Headrace is ready" in log.read_text(), seconds=90, what=log.read_text)
        killed = pid_at(ports.fanouts[0])
        os.kill(killed, signal.SIGKILL)
        await until(
            lambda: "fanout-1 was killed by SIGKILL; it is started again" in log.read_text(),
            seconds=60,
            what=log.read_text,
        )
        await until(lambda: pid_at(ports.fanouts[0]) not in (0, killed), seconds=60)
        already = len(re.findall(r"#\d+ ", log.read_text()))
        await until(lambda: len(re.findall(r"#\d+ ", log.read_text())) > already, seconds=60)
        assert run.poll() is None

        os.kill(pid_at(ports.network), signal.SIGKILL)
        assert await until(lambda: run.poll() is not None, seconds=90)
        assert run.returncode == 1
        assert "network was killed by SIGKILL" in log.read_text()
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(90)
    assert not ports_in_use(ports)


@pytest.mark.nightly  # the test above does it with another part
@pytest.mark.skipif("nginx" not in installed_kinds(KINDS), reason="nginx is missing")
async def test_a_killed_nginx_is_restarted_and_leaves_no_worker(
    tmp_path: Path,
) -> None:
    ports, log = free_ports(), tmp_path / "run.txt"
    run = make_run(tmp_path, log, PORT_BASE=str(ports.base), GATEWAY="nginx")
    pid_file = tmp_path / ".run" / str(ports.base) / "gateway/nginx.pid"
    try:
        await until(lambda: "Headrace is ready" in log.read_text(), seconds=90, what=log.read_text)
        killed = pid_file.read_text()
        os.kill(int(killed), signal.SIGKILL)
        message = "gateway was killed by SIGKILL; it is started again"
        await until(lambda: message in log.read_text(), seconds=60, what=log.read_text)
        await until(lambda: pid_file.read_text() not in ("", killed), seconds=60)
        already = len(re.findall(r"#\d+ ", log.read_text()))
        await until(lambda: len(re.findall(r"#\d+ ", log.read_text())) > already, seconds=60)
    finally:
        run.send_signal(signal.SIGINT)
        code = run.wait(90)
    assert code == 0
    assert "gateway ended" not in log.read_text()
    assert not ports_in_use(ports)


@pytest.mark.parametrize("end", ["broken pipe", "SIGHUP"])
async def test_every_way_to_end_the_run_leaves_no_process(tmp_path: Path, end: str) -> None:
    ports = free_ports()
    run = with_pipes(tmp_path, PORT_BASE=str(ports.base))
    assert run.stdout is not None
    assert run.stderr is not None
    try:
        assert b"Headrace starts" in await asyncio.to_thread(run.stdout.readline)
        await until(lambda: ports_in_use(ports), seconds=60)
        if end == "SIGHUP":
            run.send_signal(signal.SIGHUP)
        else:
            run.stdout.close()
        assert await until(lambda: run.poll() is not None, seconds=120)
        assert run.returncode == 0
        assert run.stderr.read() == b""
    finally:
        run.kill()
        run.wait()
        run.stdout.close()
        run.stderr.close()
    assert not ports_in_use(ports)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of the killed")
@pytest.mark.parametrize("kind", one_in_test(installed_kinds(KINDS)))
async def test_a_killed_runner_leaves_no_process(tmp_path: Path, kind: str) -> None:
    ports, log = free_ports(), tmp_path / "run.txt"
    run = make_run(tmp_path, log, PORT_BASE=str(ports.base), GATEWAY=kind)
    try:
        await until(lambda: "Headrace is ready" in log.read_text(), seconds=90, what=log.read_text)
    finally:
        run.kill()
        run.wait()
    await until(lambda: not ports_in_use(ports), seconds=60)


def create(gateway: str) -> dict[str, Any]:
    body = {
        "sender": "GCS2BKDSKSWQT6SMSLBAFLFURPY3ZL74CGURQ5QNE2S2KQOX6XKNNRJG",
        "recipient": "GB6QM3Z43JKXJD4MPY7P3VWTHPCPA7ESCAJB5W3KUY6SGHRLXQCE32XD",
        "tokenAddress": "CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2",
        "ratePerSecond": "11",
        "depositedAmount": "995000",
    }
    arguments = ["-X", "POST", f"{gateway}/v1/streams", "-H", "Content-Type: application/json"]
    done = subprocess.run(
        ["curl", "-s", *arguments, "-d", json.dumps(body)], capture_output=True, check=True
    )
    return json.loads(done.stdout)
