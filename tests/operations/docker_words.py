"""The commands of docker that `Engine` knows, with their options."""

from __future__ import annotations

from tests.operations.tools import Words

PARSERS = {
    "up": Words("-d/--detach", "--wait", "--build", "--no-build", "--no-deps", "--no-recreate"),
    "stop": Words(),
    "start": Words("--wait"),
    "restart": Words(),
    "ps": Words("-q/--quiet").values("--format"),
    "logs": Words("--no-color").values("--tail", "--since"),
    "build": Words(),
}
PARSERS["up"].values("--scale")
for _each in PARSERS.values():
    _each.rest("services")
"""The commands of compose."""
PARSERS["exec"] = Words("-T").values("-e").rest("service", None).rest("command", "...")
PARSERS["run"] = Words("-d", "-T", "--rm", "--no-deps").values("-e", "--name")
PARSERS["run"].rest("service", None).rest("command", "...")

IMAGE = Words().values("-f", "--target", "-t").rest("context", None)
"""`docker build`."""


def split(words: list[str]) -> tuple[list[str], str, list[str]]:
    """The options before the command, the command, and what follows."""
    place = 0
    while words[place].startswith("-"):
        place += 1 if "=" in words[place] else 2
    return words[:place], words[place], words[place + 1 :]
