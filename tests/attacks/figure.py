"""What an attack measured, and whether that reaches its goal. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `most` is the goal: the number may not be above it."""

    attack: str
    measured: str
    value: float
    unit: str
    most: float

    @property
    def ok(self) -> bool:
        """Whether the goal was reached."""
        return self.value <= self.most

    def row(self) -> tuple[str, ...]:
        """The cells of the table."""
        value, most = (f"{number:,.4g} {self.unit}".strip() for number in (self.value, self.most))
        return self.attack, self.measured, value, most, "ok" if self.ok else "NOT OK"


def failed(attack: str, measured: str, success: bool) -> Figure:
    """A figure that is 0 if something worked, and 1 if it failed."""
    return Figure(attack, measured, float(not success), "failures", 0)
