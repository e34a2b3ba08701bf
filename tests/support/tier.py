"""The length of tests: `make test` runs the short form of each, `make nightly` the long form.

Both run the same tests with the same assertions. The long form has more examples, more seconds and
more cases.

See docs/decisions/0063-tests-in-tiers.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet  # pytest has no public name for what `pytest.param` returns

T = TypeVar("T")

NIGHTLY = os.environ.get("NIGHTLY") == "1"
"""Whether this is `make nightly`."""

IN_CI = os.environ.get("CI") == "true"
"""Whether this is CI: its machine may be busy with other things, so tests get more time."""

LONGER = 10
"""The factor for time limits and numbers of examples in `make nightly`."""


def at_length(short: T, long: T) -> T:
    """`short` in `make test`, `long` in `make nightly`."""
    return long if NIGHTLY else short


def some_in_test(cases: Sequence[T], count: int) -> list[T | ParameterSet]:
    """The first `count` cases in `make test`, all in `make nightly`; for `parametrize`."""
    later = (pytest.param(each, marks=pytest.mark.nightly) for each in cases[count:])
    return [*cases[:count], *later]


def one_in_test(cases: Sequence[T]) -> list[T | ParameterSet]:
    """The first case in `make test`, all in `make nightly`; for `parametrize`."""
    return some_in_test(cases, 1)


def examples(count: int) -> int:
    """The number of examples of a property test: half of `count` in `make test`."""
    return at_length(count // 2, count * LONGER)
