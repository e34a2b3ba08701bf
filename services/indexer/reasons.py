"""Reasons for a switch between two sources, as in logs and metrics. Pure."""

from __future__ import annotations

from enum import StrEnum


class SwitchReason(StrEnum):
    """Reasons for a switch, as they stand in the metric."""

    FAILING = "failing"
    UNABLE = "unable"
    STALLED = "stalled"
