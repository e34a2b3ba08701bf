"""The proof chain: any change of an entry changes it, the cut into segments does not."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from shared.archive.hashes import CHAIN_START, chain_hash, chain_of, entry_hash
from shared.journal.wire import JournalEntry
from tests.shared.archive.written import entries, entry

HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=12)


def test_an_auditor_can_compute_the_hash_of_an_entry_from_its_columns() -> None:
    made = entry(7, ["1", "user:GA"])
    text = b"7-0\n6-0\nstream.created 1 user:GA\n" + made.body
    assert entry_hash(made) == sha256(text).digest()


def test_each_part_of_an_entry_changes_its_hash() -> None:
    made = entry(7, ["1", "user:GA"])
    others: list[JournalEntry] = [
        made._replace(position="8-0"),
        made._replace(previous="5-0"),
        made._replace(type="stream.paused"),
        made._replace(topics=("1",)),
        made._replace(topics=("user:GA", "1")),
        made._replace(body=made.body + b" "),
    ]
    assert len({entry_hash(each) for each in [made, *others]}) == 7


@given(hashes=HASHES, cut=st.integers(0, 12))
def test_the_chain_does_not_depend_on_the_cut(hashes: list[bytes], cut: int) -> None:
    first = chain_of(CHAIN_START, hashes[:cut])
    assert chain_of(first, hashes[cut:]) == chain_of(CHAIN_START, hashes)


@given(hashes=HASHES)
def test_the_chain_links_one_hash_after_the_other(hashes: list[bytes]) -> None:
    chain = CHAIN_START
    for each in hashes:
        chain = chain_hash(chain, each)
    assert chain == chain_of(CHAIN_START, hashes)


def test_two_entries_in_another_order_give_another_chain() -> None:
    one, other = map(entry_hash, entries([["1"], ["2"]]))
    assert chain_of(CHAIN_START, [one, other]) != chain_of(CHAIN_START, [other, one])
