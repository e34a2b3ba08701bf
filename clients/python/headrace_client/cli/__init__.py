"""The command `headrace`: shows events on a terminal, or writes them as JSON for other programs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from headrace_client.cli.arguments import parse
from headrace_client.cli.tail import tail

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit code, which `headrace --help` explains."""
    arguments = parse(argv)
    try:
        return asyncio.run(tail(arguments, os.environ.get("HEADRACE_TOKEN") or None))
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # the reader of our output has ended, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
