"""Whatever bytes come as an envelope: it is read, or rejected with a sentence."""

from __future__ import annotations

import base64
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import SorobanDataBuilder

from deploy.simulator.chain import accounts
from services.api.errors import EnvelopeRejectedError
from services.api.transactions.calls import Action, ActionCall
from services.api.transactions.envelopes import Terms, assembled, invocation
from services.api.transactions.reading import read_envelope

PASSPHRASE = "a network of the tests"
ALICE, BOB = accounts.address("alice"), accounts.address("bob")
CALL = ActionCall(accounts.STREAMS, Action.CREATE, (ALICE, BOB, accounts.TOKEN, 1_000_000, 1000))
ENVELOPE = base64.b64decode(
    assembled(
        invocation(CALL, Terms(ALICE, 8, 100, 1_770_000_300, PASSPHRASE)),
        SorobanDataBuilder().set_resource_fee(5000).build(),
        (),
    ).to_xdr()
)


def test_an_envelope_is_read() -> None:
    read = read_envelope(base64.b64encode(ENVELOPE).decode(), PASSPHRASE, accounts.STREAMS)
    assert (read.call, read.source, read.max_time) == (CALL, ALICE, 1_770_000_300)
    assert read.resource_fee == 5000


@given(
    st.lists(
        st.tuples(st.integers(0, len(ENVELOPE) - 1), st.integers(0, 255)), min_size=1, max_size=4
    ),
    st.integers(0, 8),
)
def test_a_damaged_envelope_is_read_or_rejected(
    changes: list[tuple[int, int]], missing: int
) -> None:
    damaged = bytearray(ENVELOPE)
    for place, byte in changes:
        damaged[place] = byte
    text = base64.b64encode(bytes(damaged)[: len(damaged) - missing]).decode()
    with suppress(EnvelopeRejectedError):
        read = read_envelope(text, PASSPHRASE, accounts.STREAMS)
        sent = read.envelope.to_xdr()  # not always the same bytes: the padding can differ
        again = read_envelope(sent, PASSPHRASE, accounts.STREAMS)
        assert (again.call, again.hash, again.envelope.to_xdr()) == (read.call, read.hash, sent)


@given(st.text())
def test_any_text_is_rejected(text: str) -> None:
    with suppress(EnvelopeRejectedError):
        read_envelope(text, PASSPHRASE, accounts.STREAMS)
        raise AssertionError(text)
