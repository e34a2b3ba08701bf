"""How much a test does: `make test` runs the short form of each, `make nightly` the long one.

Both run the same tests with the same assertions. The long form has more examples, more seconds and
more cases.

See docs/decisions/0063-tests-in-tiers.md.
"""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

NIGHTLY = os.environ.get("NIGHTLY") == "1"
"""Whether this is `make nightly`."""

LONGER = 10
"""By how much the time limit of a test, and its number of examples, is larger then."""


def at_length(short: T, long: T) -> T:
    """The first in `make test`, the second in `make nightly`."""
    return long if NIGHTLY else short


def examples(count: int) -> int:
    """The number of examples of a property that needs another one than Hypothesis' own, 100."""
    return count * at_length(1, LONGER)
