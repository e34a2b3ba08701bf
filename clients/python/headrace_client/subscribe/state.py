"""The state of a subscription, for programs that show it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class State:
    """Whether a subscription is connected.

    `reason` says why there is no connection, and `wait_seconds` when the next one is tried.
    `lag_seconds` and `ledger` are from the last `sync`.
    """

    status: Literal["connecting", "live", "waiting", "closed"] = "connecting"
    reason: str = ""
    wait_seconds: float = 0.0
    lag_seconds: float | None = None
    ledger: int | None = None
