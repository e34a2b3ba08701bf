"""`make run`: all of Headrace on one machine, until Ctrl-C.

A process that ends is started again. So you can kill one to see how Headrace recovers.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import aiohttp

from deploy.local import redis as local_redis
from deploy.local.follow import follow
from deploy.local.gateway import find_gateway
from deploy.local.plan import (
    ChainSettings,
    archive_url,
    has_receiver,
    has_sandbox,
    needs_login,
    parts,
    read_chain,
)
from deploy.local.ports import Ports, UnusableSetupError, read_ports
from deploy.local.processes import Part, ProcessEndedError, Processes, settings_script
from deploy.local.sandbox import running_sandbox
from deploy.local.webhook import RECEIVER, sample_receiver
from deploy.simulator.chain import accounts
from shared.runtime.tasks import run_until_first
from shared.web import client as http

_READY_SECONDS = 60
_END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals of Ctrl-C, of `kill`, and of a closed terminal."""

USAGE = """usage: make run   (or: python -m deploy.local.run)

Starts the whole of Headrace on this machine and shows each event as it arrives, until Ctrl-C.
A part that ends is started again: kill a fanout to see its clients continue at the other fanout.

  PORT_BASE=3000     first of the ports: gateway +1, sandbox +2, API +10, fanouts +20 and +21,
                     indexer +30, archiver +31, dispatcher of webhooks +32, its sample
                     receiver +33, simulated network +40, Redis +50
  NETWORK=testnet    the public testnet in place of the simulated network
  CONTRACTS=C…:stream,C…:token
                     your stream contract and its tokens
  GATEWAY=nginx      which gateway: nginx, caddy or api; by default the first that is installed
  REDIS_URL=redis://…
                     your Redis in place of one that is started for the run
  ARCHIVE_URL=…      where to archive all events; empty = do not archive. By default it is in .run/
  AUTH_MODE=required a login is needed; set JWT_SECRET too

The settings of the services work too, for example CORS_ORIGINS.
"""


def main(arguments: Sequence[str] = ()) -> int:
    """Exit code 0 after Ctrl-C, 1 if a process failed, 2 if the run could not start."""
    if arguments:
        asked = set(arguments) <= {"-h", "--help"}
        print(USAGE, end="", file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    _spare_loopback()
    try:
        ports = read_ports(os.environ)
        find_gateway(os.environ.get("GATEWAY", ""))
        chain = read_chain(os.environ, ports)
        folder = Path(".run") / str(ports.base)
        if chain.simulated:  # the simulated chain begins again, so delete the old journal
            shutil.rmtree(folder, ignore_errors=True)
        return asyncio.run(_run(ports, chain, folder.absolute()))
    except (UnusableSetupError, LookupError, local_redis.NoRedisError) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 2


def _spare_loopback() -> None:
    """Connect to loopback directly, even if HTTP_PROXY names a proxy."""
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    os.environ["no_proxy"] = ",".join(filter(None, [named, "localhost", "127.0.0.1", "::1"]))


async def _run(ports: Ports, chain: ChainSettings, folder: Path) -> int:
    stopped = asyncio.Event()
    for number in _END_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    processes = Processes(folder / "logs")
    try:
        await run_until_first(_live(ports, chain, folder, processes), stopped.wait())
    except ProcessEndedError as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # nobody reads our output any more, for example in `make run | head`
        return 0
    finally:
        _say("\nstopping …")
        processes.stop()
        _say("stopped")
    return 0


def _say(text: str) -> None:
    """Print the text if possible. If the output is closed, the processes must still be ended."""
    try:
        print(text, flush=True)
    except OSError:  # a closed pipe or terminal: at exit, Python would print an error about it
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115


async def _live(ports: Ports, chain: ChainSettings, folder: Path, processes: Processes) -> None:
    """Start all parts, print the URLs, then print events. Raises ProcessEndedError."""
    gateway = f"http://localhost:{ports.gateway}"
    print(f"{gateway} is where the console will be; Headrace starts …", flush=True)
    if not os.environ.get("REDIS_URL"):
        processes.start(_redis(ports.redis, folder / "redis"))
    sandbox = has_sandbox(chain, os.environ)
    archive = archive_url(os.environ, folder)
    for part in parts(ports, chain, folder, sandbox=sandbox, archive=archive, webhooks=True):
        processes.start(part)
        if part.name == "archiver":
            (folder / "archiver.env").write_text(settings_script(part))
    await run_until_first(processes.watch(), _until_ready(f"{gateway}/readyz", processes))
    if has_receiver(os.environ):
        processes.start(await sample_receiver(ports))
    async with running_sandbox(ports, processes) if sandbox else nullcontext():
        print(_where_to_look(gateway, processes, sandbox=sandbox), flush=True)
        shown = () if needs_login(os.environ) else (follow(f"{gateway}/events/subscribe?all=true"),)
        await run_until_first(processes.keep_running(partial(print, flush=True)), *shown)


def _redis(port: int, folder: Path) -> Part:
    folder.mkdir(parents=True, exist_ok=True)
    return Part("redis", local_redis.command(port, folder), {}, port)


async def _until_ready(url: str, processes: Processes) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    answer = "it did not answer"
    async with http.session(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while time.monotonic() < deadline:
            try:
                async with session.get(url) as response:
                    if response.status == 200:
                        return
                    answer = await response.text()
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.1)
    raise ProcessEndedError(
        f"not ready after {_READY_SECONDS} s: {answer}\nlogs: {processes.log_of('*')}"
    )


_LOGIN = (
    ' -H "Authorization: Bearer $TOKEN"',
    f"""
  a token           export TOKEN=$({sys.executable} -m services.api token \\
                      --scope events:all --scope streams:write \\
                      --account {accounts.address("alice")})
                    in this folder, with the same JWT_SECRET or JWT_PRIVATE_KEY""",
    "A login is needed, so no events are shown here.",
)
"""For a run that needs a login: curl's option, how to get a token, and the last line."""


def _where_to_look(gateway: str, processes: Processes, *, sandbox: bool) -> str:
    kind, _ = find_gateway(os.environ.get("GATEWAY", ""))
    harm = f"\n  break something   {gateway}/#/sandbox" if sandbox else ""
    webhook = ""
    if RECEIVER in processes.running:
        webhook = f"\n  a webhook         tail -f {processes.log_of(RECEIVER)}"
    login, token, after = _LOGIN if needs_login(os.environ) else ("", "", "Events as they arrive:")
    curl = f"curl -N{'L' if kind == 'api' else ''}{login}"  # -L follows the redirect to a fanout
    return f"""
  Headrace is ready: open {gateway} in a browser
{token}
  all events        {curl} '{gateway}/v1/events/subscribe?all=true'
  one stream        {curl} '{gateway}/v1/events/subscribe?streams=1'
  the streams       curl{login} '{gateway}/v1/streams'{webhook}
  ready or not      curl '{gateway}/readyz'{harm}
  logs              {processes.log_of("*")}
  the end           Ctrl-C

{after}"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
