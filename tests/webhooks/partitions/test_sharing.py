"""The partitions are shared: all are taken, and no dispatcher has too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.partitions.sharing import (
    PARTITIONS,
    fair_share,
    partition_of,
    surplus,
    wanted,
)


def test_the_partition_of_an_endpoint_never_changes() -> None:
    assert partition_of("wh_00000000000000000000abcd") == 17
    found = {partition_of(f"wh_{number:024x}") for number in range(10_000)}
    assert found == set(range(PARTITIONS))


@given(
    starts=st.lists(st.integers(0, PARTITIONS - 1), min_size=1, max_size=80),
    owners=st.lists(st.integers(0, 79), min_size=PARTITIONS, max_size=PARTITIONS),
)
def test_from_any_state_two_rounds_share_all_partitions(
    starts: list[int], owners: list[int]
) -> None:
    members = len(starts)
    held = [{n for n, owner in enumerate(owners) if owner == m} for m in range(members)]
    for _ in range(2):
        for own, first in zip(held, starts, strict=True):
            own -= set(surplus(own, members))
            free = set(range(PARTITIONS)).difference(*held)
            own |= set(wanted(own, free, members, first=first))
    assert sorted(n for own in held for n in own) == list(range(PARTITIONS))
    assert all(len(own) <= fair_share(members) for own in held)


def test_a_partition_whose_lease_has_expired_is_not_taken_again_while_it_is_held() -> None:
    """Its deliveries may still run. They end when the renewal says that the lease was lost."""
    held = set(range(32))
    assert wanted(held, range(PARTITIONS), 1, first=0) == list(range(32, PARTITIONS))
