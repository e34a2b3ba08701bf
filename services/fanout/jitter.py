"""Chance, so that many clients do not come back in lock-step."""

from __future__ import annotations

import random


def jittered(milliseconds: int) -> int:
    """50–150 % of it."""
    return random.randint(milliseconds // 2, milliseconds * 3 // 2)
