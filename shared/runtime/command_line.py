"""The command line of a service: serve, run one command, or print the help or the version.

A service has no options. Its settings come from the environment (shared/runtime/config.py).
The console scripts are explained in
docs/decisions/0065-shared-and-services-are-the-top-level-packages.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from pydantic_settings import BaseSettings

from shared import __version__
from shared.runtime.config import describe, load

S = TypeVar("S", bound=BaseSettings)


class Command(NamedTuple):
    """A command for operators, such as `deadletter`."""

    summary: str
    """One line for `--help`."""
    main: Callable[[Sequence[str]], int]
    """Takes the arguments after the command's name; returns the exit code."""


@dataclass(frozen=True)
class Program(Generic[S]):
    """A service as a program: the texts of `--help`, the commands, and the function that serves."""

    module: str
    """Such as `services.indexer`, for `python -m`."""
    summary: str
    """One sentence for `--help`."""
    settings: type[S]
    serve: Callable[[S], int]
    """Runs until a signal stops it; returns the exit code."""
    commands: Mapping[str, Command]

    def main(self, arguments: Sequence[str]) -> int:
        """Serve, or do what the arguments say. Returns the exit code (2: unknown argument)."""
        if command := self.commands.get("".join(arguments[:1])):
            return command.main(arguments[1:])
        if "-h" in arguments or "--help" in arguments:
            print(self.help())
            return 0
        if "--version" in arguments:
            print(f"{script_name(self.module)} {__version__}")
            return 0
        if arguments:
            complaint = f"unknown argument {arguments[0]!r}: settings come from the environment"
            print(f"{complaint}; see --help", file=sys.stderr)
            return 2
        return self.serve(load(self.settings))

    def help(self) -> str:
        """The text of `--help`: usage, commands and every setting."""
        name = invoked_as(self.module)
        usage = [f"usage: {name} [--help] [--version]"]
        usage += [f"       {name} {command} [--help] …" for command in self.commands]
        width = max(map(len, self.commands), default=0)
        commands = [f"  {key:{width}}  {each.summary}" for key, each in self.commands.items()]
        parts = [
            "\n".join(usage),
            self.summary,
            *(["\n".join(["Commands:", *commands])] if commands else []),
            describe(self.settings),
        ]
        return "\n\n".join(parts)


def script_name(module: str) -> str:
    """The console script that starts a service: `headrace-api` for `services.api`."""
    return f"headrace-{module.rpartition('.')[2]}"


def invoked_as(module: str) -> str:
    """The command for the usage line: the console script, or `python -m` and the module."""
    script = script_name(module)
    return script if Path(sys.argv[0]).stem == script else f"python -m {module}"
