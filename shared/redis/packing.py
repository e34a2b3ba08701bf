"""Commands in the protocol of Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import hiredis
from redis.exceptions import DataError


def pack_command(command: Sequence[Any]) -> bytes:
    """Write a command in the protocol of Redis. Raises DataError for an argument of a wrong type.

    redis-py's own code for asyncio needs a microsecond for each argument, and a commit has
    thousands. redis-py writes the names of some commands as two words.
    """
    if " " in command[0]:
        command = (*command[0].split(), *command[1:])
    try:
        return cast(bytes, hiredis.pack_command(tuple(command)))
    except TypeError as error:
        raise DataError(str(error)) from None
