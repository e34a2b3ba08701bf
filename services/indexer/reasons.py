"""Reasons for a switch from one source to the other, as in logs and metrics. Pure."""

from __future__ import annotations

from enum import StrEnum


class SwitchReason(StrEnum):
    """Why the indexer switched to the other source; label values of the metric."""

    FAILING = "failing"
    UNABLE = "unable"
    STALLED = "stalled"
