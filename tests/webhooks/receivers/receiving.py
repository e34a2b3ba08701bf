"""What the receiver programs have in common. Each brings a library that verifies.

`python -m tests.webhooks.receivers.with_svix` listens on PORT, verifies with RECEIVER_SECRET, and
adds a line to RECEIVER_FILE when it has done the work of a delivery, and another one after it has
answered. After SIGUSR1 it dies between the two.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

Verify = Callable[[str, bytes, Mapping[str, str]], None]
"""Takes a secret, a body and the headers. Raises the error of its library."""

WORKED, ANSWERED, REFUSED = "worked", "answered", "refused"


class Record(NamedTuple):
    """One line of the file. `body` is that of the delivery, or why it was refused."""

    kind: str
    id: str
    body: str = ""


def records(file: Path) -> list[Record]:
    """The lines of a receiver's file. A last line that is not whole is left out."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    return [Record(*json.loads(line)) for line in lines]


class RecordingReceiver:
    """Verifies each delivery, does its work, and answers."""

    def __init__(self, verify: Verify, secret: str, file: Path) -> None:
        self.dies = False
        self._verify = verify
        self._secret = secret
        self._file = file

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Take one delivery."""
        body, message_id = await request.read(), request.headers.get("webhook-id", "")
        try:
            self._verify(self._secret, body, request.headers)
        except Exception as error:
            self._write(Record(REFUSED, message_id, f"{type(error).__name__}: {error}"))
            return web.Response(status=401)
        self._write(Record(WORKED, message_id, body.decode()))
        if self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        response = web.Response(status=204)
        await response.prepare(request)
        await response.write_eof()
        self._write(Record(ANSWERED, message_id))
        return response

    def _write(self, record: Record) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def die_soon(self) -> None:
        """Die in the next delivery, when its work is done and before its answer."""
        self.dies = True


async def _serve(verify: Verify) -> None:
    environment = os.environ
    file = Path(environment["RECEIVER_FILE"])
    receiver = RecordingReceiver(verify, environment["RECEIVER_SECRET"], file)
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(environment.get("PORT") or 0)).start()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, receiver.die_soon)
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    line = {"event": "listening", "port": runner.addresses[0][1]}
    print(json.dumps(line), file=sys.stderr, flush=True)
    await ended.wait()
    await runner.cleanup()


def run(verify: Verify) -> None:
    """Serve until SIGTERM."""
    asyncio.run(_serve(verify))
