"""A service process: the port in the log, the probes, and an orderly shutdown."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

pytestmark = pytest.mark.io

PROGRAM = """
import sys
from aiohttp import web
from shared.web import server as serve
from shared.runtime.logs import configure
from shared.web.probes import Readiness, add_probes

async def tidy(app):
    yield
    print("tidied", flush=True)

async def give_up(request):
    serve.stop(request.app, 3)
    return web.Response()

def build():
    app = web.Application()
    add_probes(app, Readiness())
    app.router.add_get("/give-up", give_up)
    app.cleanup_ctx.append(tidy)
    return app

configure("sample")
sys.exit(serve.run(build, sys.argv[1], int(sys.argv[2])))
"""


@contextmanager
def process(host: str = "127.0.0.1", port: int = 0) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, host, str(port)],
        cwd=Path(__file__).parents[3], env={"PATH": os.environ["PATH"]}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        with started:
            yield started
    finally:
        started.kill()


def output(started: subprocess.Popen[str]) -> IO[str]:
    assert started.stdout
    return started.stdout


def errors(started: subprocess.Popen[str]) -> IO[str]:
    assert started.stderr
    return started.stderr


def port_of(started: subprocess.Popen[str]) -> int:
    """The port, from the log. With PORT=0 it is shown nowhere else."""
    line = json.loads(errors(started).readline())
    assert (line["event"], line["service"], line["level"]) == ("listening", "sample", "info")
    return line["port"]


def ask(port: int, path: str, host: str = "127.0.0.1") -> int:
    with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=30) as response:
        return response.status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_port_0_the_port_is_logged_and_a_signal_ends_the_process_with_0(
    number: signal.Signals,
) -> None:
    with process() as started:
        port = port_of(started)
        assert port > 0
        assert ask(port, "/readyz") == 200
        started.send_signal(number)
        assert started.wait(45) == 0
        assert output(started).read() == "tidied\n"
        assert json.loads(errors(started).readline())["event"] == "stopping"
        assert "Traceback" not in errors(started).read()


def test_a_part_that_fails_for_good_ends_the_process_with_its_exit_code() -> None:
    with process() as started:
        assert ask(port_of(started), "/give-up") == 200
        assert started.wait(45) == 3
        assert output(started).read() == "tidied\n"


def test_an_incomplete_request_does_not_delay_the_shutdown() -> None:
    with (
        process() as started,
        socket.create_connection(("127.0.0.1", port_of(started))) as slow,
    ):
        slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        started.terminate()
        assert started.wait(10) == 0


def test_a_port_in_use_is_an_error_that_names_the_port() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        process(port=taken.getsockname()[1]) as started,
    ):
        assert started.wait(45) == 1
        line = json.loads(errors(started).read())
        assert (line["event"], line["port"]) == ("cannot_listen", taken.getsockname()[1])
        assert "in use" in line["error"]
        assert output(started).read() == ""  # the service did not start


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_a_service_listens_on_an_ipv6_address() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with process("::1") as started:
        assert ask(port_of(started), "/livez", "[::1]") == 200
        started.terminate()
        assert started.wait(45) == 0


def test_two_colons_listen_on_both_families() -> None:
    try:
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True).close()
    except (OSError, ValueError):
        pytest.skip("no IPv6 here")
    with process("::") as started:
        port = port_of(started)
        assert [ask(port, "/livez", host) for host in ("127.0.0.1", "[::1]")] == [200, 200]
        started.terminate()
        assert started.wait(45) == 0


@pytest.mark.parametrize("expected", [b"\xff\xfe", b"miracles", b"100-continue"])
def test_a_request_with_an_unknown_expectation_is_served(expected: bytes) -> None:
    asked = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: %b\r\n\r\n" % expected
    with process() as started, socket.create_connection(("127.0.0.1", port_of(started))) as sock:
        sock.sendall(asked)
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
        assert answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        started.terminate()
        assert "Traceback" not in errors(started).read()


def test_malformed_requests_write_few_log_lines() -> None:
    with process() as started:
        port = port_of(started)
        began = time.monotonic()
        with ExitStack() as stack:
            socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
            for sock in map(stack.enter_context, socks):
                sock.sendall(b"GET / HTTP/9.9\r\n\r\n")
            for sock in socks:
                assert b"400 Bad Request" in sock.recv(4096)
        passed = time.monotonic() - began
        started.terminate()
        lines = errors(started).read().splitlines()
        count = len([line for line in lines if "Error handling request" in line])
        assert 10 <= count <= 11 + 10 * passed, "ten, and ten more each second"
