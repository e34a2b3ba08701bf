"""When a stream may be tried again after a failure that is not counted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from services.webhooks.delivering.held import HeldEndpoint
from services.webhooks.delivering.outcomes import Outcomes
from services.webhooks.delivering.window import DeliveryWindow
from services.webhooks.metrics import Outcome
from services.webhooks.partitions.leases import HeldPartition
from services.webhooks.sending.sender import SendResult
from shared.domain.position import Position
from shared.domain.topics import Subscription
from shared.journal.wire import JournalEntry
from shared.redis.lease import Lease
from shared.webhooks.attempts import Attempt, AttemptKind
from shared.webhooks.endpoint import DeliveryOrder
from shared.webhooks.progress import Progress, ProgressWrite
from tests.webhooks.delivering.samples import ENDPOINT as SAMPLE

ENDPOINT = replace(SAMPLE, subscription=Subscription(("1", "2")), order=DeliveryOrder.STREAM)


class Writer:
    async def write(self, partition: HeldPartition, write: ProgressWrite) -> bool:
        return True


def failure(at: float, retry_after: float | None) -> SendResult:
    attempt = Attempt(at, AttemptKind.EVENT, "2-0", 1, 0.5, status=503)
    return SendResult(attempt, Outcome.REFUSED, retry_after)


async def test_what_the_receiver_asked_for_counts_although_another_stream_failed_before() -> None:
    """Both requests were under way. Only the second one asked for a wait."""
    now = 10.0
    tools = SimpleNamespace(
        clock=lambda: now, chance=lambda: 0.3, retry_days=3.0, writer=Writer(), announcer=None
    )
    partition = HeldPartition(1, cast(Lease, None))
    held = HeldEndpoint(ENDPOINT, partition, Progress(1, Position(1, 0)))
    window = DeliveryWindow(Position(1, 0), (), by_stream=True)
    for number, stream in ((2, "1"), (3, "2")):
        name, previous = f"{number}-0", f"{number - 1}-0"
        window.add(JournalEntry(name, previous, "stream.withdrawn", (stream,), b"{}"))
    one, two = window.take(1), window.take(1)
    assert one
    assert two
    outcomes = Outcomes(held, cast(Any, tools))
    await outcomes.failed(ENDPOINT, window, failure(9.5, None), one)
    window.free(one)
    now = 11.0
    await outcomes.failed(ENDPOINT, window, failure(9.5, 60.0), two)
    window.free(two)
    assert window.take(1, 11.5) == one
    window.free(one)
    again = window.take(2, 70.0)
    assert again
    assert again.entries == one.entries, "the other stream asked for 60 s"
