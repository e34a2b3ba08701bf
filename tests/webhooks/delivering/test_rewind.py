"""What an endpoint gets after a loss: simulated with a journal that forgets its end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.delivering.rewind import Loss, rewound
from services.webhooks.delivering.window import DeliveryWindow
from shared.domain.position import Position
from shared.journal.wire import JournalEntry
from shared.webhooks.progress import Progress

API = 1 << 50


def chain(ledger: int, n: int = 0) -> Position:
    return Position(ledger, n)


def by_api(ledger: int, n: int = 0) -> Position:
    return Position(ledger, API + n)


def test_what_was_acknowledged_after_the_common_position_is_remembered() -> None:
    loss = Loss(chain(3), (chain(4), chain(5), chain(6)))
    assert rewound(Progress(1, chain(5)), loss) == Progress(1, chain(3), (chain(4), chain(5)))


def test_an_endpoint_that_is_below_the_loss_loses_nothing() -> None:
    progress = Progress(1, chain(2), failures=3)
    assert rewound(progress, Loss(chain(3), (chain(4),))) == progress


def test_events_above_the_position_are_remembered_too() -> None:
    progress = Progress(1, chain(2), (chain(5), by_api(5)))
    lost = Loss(chain(3), (chain(4), chain(5), by_api(5)))
    after = rewound(progress, lost)
    assert (after.position, after.acknowledged, after.lost) == (chain(2), (chain(5),), by_api(5))


def test_a_reset_that_is_owed_is_not_forgotten_in_the_next_loss() -> None:
    first = rewound(Progress(1, by_api(3)), Loss(chain(3), (by_api(3),)))
    assert rewound(first, Loss(chain(2), ())).lost == by_api(3)


@given(
    before=st.integers(0, 20),
    taken=st.sets(st.integers(0, 39)),
    lost=st.integers(0, 20),
    api=st.sets(st.integers(1, 20)),
    new=st.sets(st.integers(1, 30)),
)
def test_nothing_of_the_chain_is_delivered_twice_and_nothing_is_left_out(
    before: int, taken: set[int], lost: int, api: set[int], new: set[int]
) -> None:
    journal = sorted([chain(n) for n in range(1, 21)] + [by_api(n) for n in api])
    kept, gone = journal[:lost], journal[lost:]
    above = tuple(journal[n] for n in sorted(taken) if before <= n < len(journal))
    done = [*journal[:before], *above]
    position = journal[before - 1] if before else chain(0)
    common = kept[-1] if kept else chain(0)
    progress = rewound(Progress(1, position, above), Loss(common, tuple(gone)))
    back = [each for each in gone if not each.by_clock] + [chain(n, 1) for n in new]
    again = sorted(kept + [each for each in back if each > common])
    window = DeliveryWindow(progress.position, progress.acknowledged)
    got = []
    for previous, here in zip([chain(0), *again], again, strict=False):
        entry = JournalEntry(str(here), str(previous), "stream.created", ("1",), b"{}")
        if here > progress.position:
            window.add(entry)
            if delivery := window.take(1):
                got.append(here)
                window.acknowledge(delivery)
                window.free(delivery)
    assert not set(got) & set(done)
    assert set(got) == {each for each in again if each not in done}
    gone_for_ever = [each for each in done if each.by_clock and each in gone]
    assert progress.lost == max(gone_for_ever, default=None)
