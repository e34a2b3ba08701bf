"""What a replay tells its subscriber about missing events, and how its outcome is counted."""

from __future__ import annotations

from services.fanout import metrics, sse
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.frame import Frame
from shared.domain.position import Position

_OUTCOMES = {name: metrics.REPLAYS.labels(name) for name in metrics.REPLAY_OUTCOMES}
_INCOMPLETE = ("gap", "reset")
_MOST_GAPS = 10  # more become one: at the end that is trimmed, each read can find a new gap


class ReplayNotices:
    """The notices of one replay. `gap`, `reset` and `synced` write one frame each.

    `write` raises ConnectionResetError if the subscriber has disconnected.
    """

    def __init__(self, registry: SubscriberRegistry, subscriber: Subscriber) -> None:
        self._registry = registry
        self._subscriber = subscriber
        self._outcome = "ring"
        self._gaps = 0

    @property
    def too_many_gaps(self) -> bool:
        """True if so many gaps were sent that the next one is the last."""
        return self._gaps >= _MOST_GAPS

    def from_journal(self) -> None:
        """Note that events are read from the journal, not only from memory."""
        if self._outcome == "ring":
            self._outcome = "journal"

    def gap(self, position: Position, to: Position) -> None:
        """The subscriber does not get the events after `position` up to `to`."""
        self._gaps += 1
        self._send("gap", sse.gap(position, to))

    def reset(self, position: Position, why: str) -> Position:
        """The client loads its state again and continues from this position, which is returned."""
        self._subscriber.since = position
        self._send("reset", sse.reset(position, why))
        return position

    def synced(self, position: Position) -> None:
        """All events up to `position` were sent, also if the last ones were for other clients."""
        self._write(sse.sync(position, None, None, None))

    def write(self, data: bytes) -> None:
        """Write bytes that have the subscriber's encoding."""
        if data and not self._registry.write(self._subscriber, data):
            raise ConnectionResetError("the subscriber disconnected during its replay")

    def count(self, outcome: str = "") -> None:
        """Count the outcome at the end of the replay, unless a notice has counted it already."""
        if self._outcome not in _INCOMPLETE:
            _OUTCOMES[outcome or self._outcome].inc()
        metrics.REPLAY_LENGTH.observe(self._subscriber.events)

    def _send(self, outcome: str, frame: bytes) -> None:
        """Count `gap` or `reset` now, because many pages then reload and disconnect."""
        if self._outcome not in _INCOMPLETE:
            _OUTCOMES[outcome].inc()
            self._outcome = outcome
        self._write(frame)

    def _write(self, frame: bytes) -> None:
        self.write(Frame(frame).encoded(self._subscriber.encoding))
