"""How `make bench` notices that other programs used the machine."""

from __future__ import annotations

import os

from tests.bench import busy
from tests.bench.busy import Usage

STAT = """\
cpu  100 1 20 5000 300 4 5 60 7 8
cpu0 50 1 10 2500 150 2 2 30 3 4
intr 1
"""


def test_busy_ticks_leave_out_idle_time_and_have_stolen_time() -> None:
    # user, nice, system, irq, softirq, steal; the guest's time is a part of user
    assert busy.busy_ticks(STAT) == 100 + 1 + 20 + 4 + 5 + 60


def test_the_time_of_other_programs_is_what_this_tree_did_not_use() -> None:
    before, after = Usage(at=10, machine=100, own=5), Usage(at=20, machine=116, own=20)
    assert busy.others(before, after) == 10.0  # 16 s of the machine, 15 s of our own, in 10 s


def test_rounding_gives_no_negative_time() -> None:
    assert busy.others(Usage(0, 0, 0), Usage(10, 1, 1.5)) == 0.0


def test_the_warning_comes_above_the_limit_only() -> None:
    assert busy.warning(busy.MOST) == ""
    assert "21 % of a core went to other programs" in busy.warning(21.2)
    assert "not believe" in busy.warning(21.2)


def test_the_usage_of_this_process_counts() -> None:
    before = busy.usage()
    deadline = before.own + 0.05
    while busy.usage().own < deadline:
        pass
    after = busy.usage()
    assert after.machine > before.machine
    assert busy.others(before, after) < 100 * (os.cpu_count() or 1)
