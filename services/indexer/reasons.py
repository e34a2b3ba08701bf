"""Reasons for a switch between the two sources; logs and metrics show them. Pure."""

from __future__ import annotations

from enum import StrEnum


class SwitchReason(StrEnum):
    """Why the indexer switched to the other source: the label `why` of the metric for switches."""

    FAILING = "failing"
    UNABLE = "unable"
    STALLED = "stalled"
