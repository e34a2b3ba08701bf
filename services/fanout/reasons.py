"""Reasons for logs and metrics: why a subscription is refused, why a connection ends. Pure."""

from __future__ import annotations

from enum import StrEnum


class RefusalReason(StrEnum):
    """Why a subscription is refused for now. The client may come back later."""

    DRAINING = "draining"
    NOT_READY = "not_ready"
    BEHIND = "behind"
    FULL = "full"
    HANDSHAKE_RATE = "handshake_rate"
    PER_USER = "per_user"
    PER_IP = "per_ip"
    UNAVAILABLE = "unavailable"


class EndReason(StrEnum):
    """Why a connection ends without a goodbye. The reasons with one are in problems.Goodbye."""

    GONE = "gone"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    SHUTDOWN = "shutdown"
