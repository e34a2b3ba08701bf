"""How long to wait before the next try. Pure: chance is an argument.

A server that has failed gets many clients back at the same time. So the waits grow, and are random.
"""

from __future__ import annotations

_FIRST = 0.5
_LONGEST = 30.0
_MOST_DOUBLINGS = 10

DEFAULT_RETRY = 2.0
"""Seconds before a new connection, until the server has named another time (`retry:`)."""


def wait_seconds(failures: int, at_least: float, chance: float) -> float:
    """Seconds before the next try, after this number of failures in a row.

    `at_least` is what the server asked for. `chance` is a random number from 0 to 1.
    """
    if failures <= 0:
        return at_least
    most: float = min(_LONGEST, _FIRST * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
    return max(at_least, most * (0.5 + chance / 2))
