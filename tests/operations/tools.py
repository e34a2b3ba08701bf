"""The real docker-compose and kubectl, without an engine and without a cluster behind them.

Both read all their words before they connect to anything. So they tell whether a command is right,
without carrying it out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NoReturn

from tests.operations.terminal import Call, Result, UnknownCommandError
from tests.support.programs import needed

_NO_ENGINE = "unix:///nothing/listens.sock"
_NO_CLUSTER = "http://127.0.0.1:1"
_OF_THE_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}


class Words(argparse.ArgumentParser):
    """A parser whose errors are UnknownCommandError."""

    def __init__(self, *flags: str) -> None:
        super().__init__(add_help=False, allow_abbrev=False)
        for flag in flags:
            self.add_argument(*flag.split("/"), action="store_true")

    def values(self, *options: str) -> Words:
        """Add options that have a value and can be repeated."""
        for option in options:
            self.add_argument(*option.split("/"), action="append", default=[])
        return self

    def rest(self, name: str, nargs: str | None = "*") -> Words:
        """Add the arguments that are no options."""
        self.add_argument(name, nargs=nargs)
        return self

    def error(self, message: str) -> NoReturn:
        """Tell that no test knows these words."""
        raise UnknownCommandError(message)


async def run(call: Call, command: Sequence[str], **more: str) -> Result:
    """Run a command where the call was made, with more variables."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=call.folder, env={**call.environment, **more}, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate(call.stdin)
    return Result(process.returncode or 0, output, errors.decode())


async def compose(call: Call, *words: str) -> Result:
    """What docker-compose says to these words."""
    return await run(call, [needed("docker-compose"), *words], DOCKER_HOST=_NO_ENGINE)


async def understood_by_compose(call: Call, words: Sequence[str]) -> Result | None:
    """None if docker-compose has understood the words and looks for its engine; else its answer."""
    result = await compose(call, *words)
    return None if "failed to connect to the docker API" in result.errors else result


_Project = tuple[dict[str, Any], dict[str, str]]
_projects: dict[str, _Project] = {}
"""Each project that was read, by everything that it depends on."""


async def project(call: Call, options: Sequence[str]) -> _Project:
    """The services of the project with all variables filled in, and the hash of each service.

    The engine creates the containers of a service anew if its hash has changed.
    """
    version = await run(call, [needed("git"), "rev-parse", "HEAD"])
    file = call.folder / ".env"
    given = {k: v for k, v in call.environment.items() if k not in _OF_THE_SHELL}
    key = repr((options, sorted(given.items()), version, file.exists() and file.read_text()))
    if key not in _projects:
        _projects[key] = await _read_project(call, options)
    return deepcopy(_projects[key])


async def _read_project(call: Call, options: Sequence[str]) -> _Project:
    shown = await compose(call, *options, "config", "--format", "json")
    assert shown.code == 0, shown.errors
    hashes = await compose(call, *options, "config", "--hash", "*")
    pairs = [line.split() for line in hashes.text.splitlines()]
    return json.loads(shown.output)["services"], dict(pairs)


async def kubectl(call: Call, *words: str) -> Result:
    """What kubectl says to these words."""
    return await run(call, [needed("kubectl"), *words], KUBECONFIG="/nothing")


async def understood_by_kubectl(call: Call, words: Sequence[str]) -> Result | None:
    """None if kubectl has understood the words and looks for its cluster; else its answer."""
    place = words.index("--") if "--" in words else len(words)
    result = await kubectl(call, *words[:place], f"--server={_NO_CLUSTER}", *words[place:])
    refused = re.search(r"127\.0\.0\.1:1\b.*refused", result.errors)
    return None if result.code and refused else result
