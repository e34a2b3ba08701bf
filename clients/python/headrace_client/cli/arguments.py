"""The command line: its options, their help, and what is wrong with them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass

from headrace_client.http import checked_url
from headrace_client.positions import position_key
from headrace_client.subscribe.subscription import Subscription
from headrace_client.version import __version__

DEFAULT_URL = "http://localhost:3001"

_EXIT_CODES = """\
exit codes:
  0  ended by --count, by Ctrl-C or SIGTERM, or because nobody reads the output
  1  the server refused the request
  2  wrong arguments
  3  the login is missing, has ended, or does not allow this
  4  there is no server at the URL, or it is not a Headrace server

environment:
  HEADRACE_URL    the server, without --url
  HEADRACE_TOKEN  a token or an API key, for a server that needs a login
"""

_LISTS = (
    ("--users", "G…", "streams of these accounts"),
    ("--streams", "ID", "these streams"),
    ("--types", "TYPE", "only these types of events"),
)
"""The options with one or more values."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What `headrace tail` was asked for."""

    url: str
    subscription: Subscription
    since: str | None
    cursor: str | None
    count: int | None
    json: bool


def parse(argv: Sequence[str] | None) -> Arguments:
    """The arguments. Ends the process with code 2 and a message if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="headrace",
        description="Shows events of payment streams on Stellar.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"headrace-client {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    tail = commands.add_parser(
        "tail",
        help="show events as they arrive",
        description="Shows events as they arrive, one on each line. Reconnects and continues. "
        "With a token, and without --users, --streams and --all: the events of its account.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_options(tail)
    return _checked(tail, parser.parse_args(argv))


def _add_options(tail: argparse.ArgumentParser) -> None:
    for name, metavar, text in _LISTS:
        tail.add_argument(name, metavar=metavar, help=text, action="extend", nargs="+", default=[])
    tail.add_argument("--all", action="store_true", help="all events")
    tail.add_argument("--since", metavar="ID", help="begin after this event (0-0: from the start)")
    tail.add_argument("--cursor", metavar="FILE", help="continue where the last run with it ended")
    tail.add_argument("--count", type=int, metavar="N", help="end after N events")
    tail.add_argument("--json", action="store_true", help="write one JSON object on each line")
    tail.add_argument("--url", help=f"the server (default: {DEFAULT_URL})")


def _checked(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Arguments:
    url = given.url or os.environ.get("HEADRACE_URL") or DEFAULT_URL
    try:
        checked_url(url)
        if given.since:
            position_key(given.since)
        if given.count is not None and given.count < 1:
            raise ValueError(f"--count: {given.count} is not above 0")
        if not (given.users or given.streams or given.all or os.environ.get("HEADRACE_TOKEN")):
            raise ValueError("without HEADRACE_TOKEN, name one of --users, --streams and --all")
    except ValueError as error:
        parser.error(str(error))
    return Arguments(
        url=url,
        subscription=Subscription(
            _split(given.streams), _split(given.users), given.all, _split(given.types)
        ),
        since=given.since,
        cursor=given.cursor,
        count=given.count,
        json=given.json,
    )


def _split(values: Sequence[str]) -> tuple[str, ...]:
    """Values may be separated by commas too, as in the API."""
    return tuple(part for value in values for part in value.split(",") if part)
