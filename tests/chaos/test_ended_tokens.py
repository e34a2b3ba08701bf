"""Events after the end of a token are found, and what a replica that stood still sends is not."""

from __future__ import annotations

from collections.abc import Sequence

from shared.domain.position import Position
from tests.chaos.checker import Kind, ReceivedFrame
from tests.chaos.ended_tokens import EndedToken, check_ended_tokens

STORY = ((3, "a", 99.0), (4, "a", 101.0), (5, "b", 102.0), (6, "a", 103.0), (7, "a", 111.0))
"""The second at which each frame came and was published, less 100, with its token."""


def frames(*story: tuple[float, str, float]) -> Sequence[ReceivedFrame]:
    return [
        ReceivedFrame(at, "fanout-1", "fee", Position(n, 0), token=token, published=published)
        for n, (at, token, published) in enumerate(story)
    ]


def found(story: Sequence[ReceivedFrame], *ends: EndedToken) -> Sequence[str]:
    violations = list(check_ended_tokens("x", story, ends))
    assert {each.kind for each in violations} <= {Kind.ENDED}
    return [each.where for each in violations]


def test_events_published_long_after_the_end_are_violations() -> None:
    story = frames(*STORY)
    assert found(story, EndedToken("a", 100.0)) == ["3-0", "4-0"]
    assert found(story, EndedToken("a", 100.0, 110.0), EndedToken("c", 0.0)) == ["3-0"]
    assert found(story, EndedToken("a", 100.0, 110.0), EndedToken("a", 98.0)) == ["3-0", "4-0"]


def test_a_burst_after_a_pause_is_none() -> None:
    """The connection ends as soon as the replica looks at its tokens again."""
    late = [(9.0 + n / 10, "a", 101.0 + n) for n in range(8)]
    assert not found(frames((3, "a", 99.0), *late), EndedToken("a", 100.0))
