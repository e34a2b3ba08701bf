"""Random retry times, so that clients do not all reconnect at once."""

from __future__ import annotations

import random


def jittered(milliseconds: int) -> int:
    """A random number of milliseconds, from 50 % to 150 % of the given number."""
    return random.randint(milliseconds // 2, milliseconds * 3 // 2)
