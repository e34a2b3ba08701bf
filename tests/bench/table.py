"""Rows as text: one line of the table that `make bench` prints, and the words of numbers."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.comparison import change, is_regression
from tests.bench.rows import Row

HEADER = "| what | measured (range) | goal | | committed | change |\n|---|---|---|---|---|---|"


def line(row: Row, before: Sequence[float]) -> str:
    """One row beside its goal and the last committed result (`before`, its runs)."""
    old = measured(Row(row.key, row.what, row.unit, tuple(before))) if before else ""
    moved = change(row, before)
    text = "" if moved is None else f"{moved:+.0%}"
    if is_regression(row, before):
        text += " REGRESSION"
    return f"| {row.what} | {measured(row)} | {goal(row)} | {verdict(row)} | {old} | {text} |"


def measured(row: Row) -> str:
    """The median and the range of the runs, such as `1.08 (1.02–1.28)`."""
    if not row.runs:
        return "not installed"
    text = number(row.median)
    low, high = number(min(row.runs)), number(max(row.runs))
    if low != high:
        text += f" ({low}–{high})"
    return f"{text} {row.unit}".strip()


def goal(row: Row) -> str:
    """The goal, such as `≤ 1.12`; empty without one."""
    if row.goal is None:
        return ""
    sign = "≤" if row.better == "lower" else "≥"
    return f"{sign} {number(row.goal)} {row.unit}".strip()


def verdict(row: Row) -> str:
    """`reached` or `missed`; empty without a goal or a run."""
    return {True: "reached", False: "missed", None: ""}[row.reached]


def number(value: float) -> str:
    """Three digits at least, such as 0.45, 12.3, 281, 12,345."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
