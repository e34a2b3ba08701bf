"""The command `headrace`, as a process, against a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Self, TypeAlias

import orjson
import pytest
from headrace_client.cli.arguments import _EXIT_CODES

from tests.clients.packages.python.conftest import Connect, StartServer
from tests.clients.packages.python.server import make_stream
from tests.clients.packages.python.test_cursors import PACKAGE
from tests.fanout.replicas import ALICE, BOB, CONTRACT, Chain
from tests.fanout.tokens import REQUIRED, token
from tests.support.waiting import free_port, until

pytestmark = [pytest.mark.io, pytest.mark.timeout(120)]


class Command:
    """A running `python -m headrace_client`. `out` and `err` are its lines so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.out: list[str] = []
        self.err: list[str] = []
        self._process = process
        self._tasks = [
            asyncio.create_task(self._read(process.stdout, self.out)),
            asyncio.create_task(self._read(process.stderr, self.err)),
        ]

    @classmethod
    async def start(cls, *arguments: str, **environment: str) -> Self:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HEADRACE_")}
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "headrace_client", *arguments),
                env=clean | {"PYTHONPATH": str(PACKAGE)} | environment,
                stdout=pipe,
                stderr=pipe,
            )
        )

    async def _read(self, stream: asyncio.StreamReader | None, lines: list[str]) -> None:
        assert stream
        async for line in stream:
            lines.append(line.decode().rstrip("\n"))

    @property
    def errors(self) -> str:
        return "\n".join(self.err)

    async def said(self, text: str) -> None:
        """Wait for a text on stderr."""
        what = f"{text!r} on stderr"
        await until(lambda: text in self.errors, seconds=90, what=lambda: f"{what}: {self.errors}")

    async def code(self) -> int:
        """Wait for the end."""
        async with asyncio.timeout(60):
            code = await self._process.wait()
            await asyncio.gather(*self._tasks)
        return code

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self.code()


RunCommand: TypeAlias = Callable[..., Any]


@pytest.fixture
async def run() -> AsyncIterator[RunCommand]:
    """Starts commands. They are killed after the test."""
    async with AsyncExitStack() as stack:

        async def run(*arguments: str, **environment: str) -> Command:
            command = await Command.start(*arguments, **environment)
            stack.push_async_callback(command.close)
            return command

        yield run


async def test_a_live_view_says_what_happens_to_its_connection(
    start_server: StartServer, connect: Connect, run: RunCommand
) -> None:
    server = await start_server(tokens=f"{CONTRACT}=USDC:7")
    client = connect(server.port)
    view = await run("tail", "--users", ALICE, "--types", "stream.created", "--url", server.url)
    await view.said(f"connected to {server.url}")
    made = await make_stream(client)
    await until(lambda: view.out, what="a line")
    assert f"stream.created          #{made}  deposit 0.0995 “USDC”, " in view.out[0]
    assert f"{ALICE[:4]}…{ALICE[-4:]} → " in view.out[0]
    await server.end(0)
    await server.end(1)
    await view.said("; connecting again in ")
    await server.start(0)
    await server.start(1)
    await view.said("connected again")
    await make_stream(client)
    await until(lambda: len(view.out) == 2, what="a second line")
    view.signal(signal.SIGINT)
    assert await view.code() == 0
    assert "Traceback" not in view.errors


async def test_json_a_count_and_a_cursor(
    start_server: StartServer, run: RunCommand, chain: Chain, tmp_path: object
) -> None:
    server = await start_server()
    sent = await chain.commit_many(6)
    ids: list[str] = []
    for _ in range(3):  # each run continues after the last one
        arguments = ["--cursor", f"{tmp_path}/cursor", "--types", "stream.created"]
        command = await run(
            "tail", "--all", "--json", "--count", "2", "--since", "0-0", *arguments,
            HEADRACE_URL=server.url,
        )  # fmt: skip
        assert await command.code() == 0, command.errors
        ids += [orjson.loads(line)["id"] for line in command.out]
    assert ids == sent
    reset = await run("tail", "--all", "--json", "--since", "9" * 17 + "-0", "--url", server.url)
    await until(lambda: reset.out, what="a reset")
    assert orjson.loads(reset.out[0])["type"] == "reset"
    await reset.said("load the state again")
    reset.signal(signal.SIGTERM)
    assert await reset.code() == 0


async def test_logins(start_server: StartServer, run: RunCommand, chain: Chain) -> None:
    server = await start_server(**REQUIRED)
    url = ("--url", server.url)
    missing = await run("tail", "--users", ALICE, *url)
    assert await missing.code() == 3
    assert missing.err == [
        "headrace: 401 unauthorized: This server needs a login: set HEADRACE_TOKEN. "
        "Log in, and give the client the new token."
    ]
    foreign = await run("tail", "--users", BOB, *url, HEADRACE_TOKEN=token(ALICE))
    assert await foreign.code() == 3
    assert "403 forbidden" in foreign.errors
    (sent,) = await chain.commit()
    for names in (["--users", ALICE], []):  # without a name: the events of the token's account
        own = [*names, "--json", "--count", "1", "--since", "0-0"]
        allowed = await run("tail", *own, *url, HEADRACE_TOKEN=token(ALICE))
        assert await allowed.code() == 0, allowed.errors
        assert orjson.loads(allowed.out[0])["id"] == sent
    wrong = await run("tail", "--streams", "x", *url, HEADRACE_TOKEN=token(ALICE))
    assert await wrong.code() == 1
    assert "streams: 'x' is not a stream id: expected a number" in wrong.errors


async def test_a_server_that_is_not_there(run: RunCommand) -> None:
    command = await run("tail", "--all", "--url", f"http://127.0.0.1:{free_port()}")
    assert await command.code() == 4
    assert "Connect" in command.errors
    assert "Traceback" not in command.errors


async def test_a_reader_that_leaves(start_server: StartServer, chain: Chain) -> None:
    server = await start_server()
    await chain.commit_many(20)
    script = '"$0" -m headrace_client tail --all --since 0-0 | head -n 2; echo ${PIPESTATUS[*]}'
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script, sys.executable),
        env=os.environ | {"PYTHONPATH": str(PACKAGE), "HEADRACE_URL": server.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    chain_task = asyncio.create_task(chain.commit_many(200))
    out, err = await process.communicate()
    await chain_task
    assert out.decode().splitlines()[-1] == "0 0", err
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("tail", "without HEADRACE_TOKEN, name one of --users, --streams and --all"),
        ("tail --all --since 7", "'7' is not a position: expected <toid>-<n>"),
        ("tail --all --count 0", "--count: 0 is not above 0"),
        ("tail --all --url localhost", "'localhost' is not the URL of a server"),
        ("", "the following arguments are required: command"),
    ],
)
async def test_wrong_arguments(run: RunCommand, arguments: str, text: str) -> None:
    command = await run(*arguments.split())
    assert await command.code() == 2
    assert text in command.errors


async def test_help_explains_the_exit_codes(run: RunCommand) -> None:
    for arguments in (["--help"], ["tail", "--help"]):
        command = await run(*arguments)
        assert await command.code() == 0
        assert _EXIT_CODES.strip() in "\n".join(command.out)
