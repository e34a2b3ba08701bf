"""Checks that a client receives no event after its token has ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from tests.chaos.checker import Frames, Kind, Violation, violation

_BURST = 1.0
"""Seconds. Four times the interval in which a replica looks at the tokens of its connections."""


@dataclass(frozen=True, slots=True)
class EndedToken:
    """A token that ended: its holder must get no event published in this time (Unix seconds)."""

    token: str
    since: float
    until: float = inf


def check_ended_tokens(
    observer: str, frames: Frames, ends: Iterable[EndedToken]
) -> Iterable[Violation]:
    """Events that were published after the token of their connection had ended.

    A replica that stood still sends what it has missed at once, before it looks at its tokens. So
    such events count from a second after the first one that arrived.
    """
    spans: dict[str, list[EndedToken]] = {}
    for end in ends:
        spans.setdefault(end.token, []).append(end)
    first: dict[str, float] = {}
    for n, each in enumerate(frames):
        if not any(end.since < each.published < end.until for end in spans.get(each.token, ())):
            continue
        if each.at > first.setdefault(each.token, each.at) + _BURST:
            yield violation(Kind.ENDED, observer, frames, n, n)
