"""What the simulated contract's events look like: their bytes, their order, who else emits."""

from __future__ import annotations

import base64

from stellar_sdk import Address

from deploy.simulator.chain import accounts
from deploy.simulator.chain.values import emitted, to_scval
from deploy.simulator.contracts.dialect import emission
from deploy.simulator.network import Network as Simulation
from tests.simulator.samples import NOW, QUIET, close, names

SENDER = "GCS2BKDSKSWQT6SMSLBAFLFURPY3ZL74CGURQ5QNE2S2KQOX6XKNNRJG"
RECIPIENT = "GB6QM3Z43JKXJD4MPY7P3VWTHPCPA7ESCAJB5W3KUY6SGHRLXQCE32XD"
TOKEN = "CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2"
CREATED = (
    "AAAAEQAAAAEAAAAHAAAADwAAABBkZXBvc2l0ZWRfYW1vdW50AAAACgAAAAAAAAAAAAAAAAAPLrgAAAAPAAAAD3JhdG"
    "VfcGVyX3NlY29uZAAAAAAKAAAAAAAAAAAAAAAAAAAACwAAAA8AAAAJcmVjaXBpZW50AAAAAAAAEgAAAAAAAAAAfQZv"
    "PNpVdI+Mfj791tM7xPB8khASHttqpj0jHiu8BE0AAAAPAAAABnNlbmRlcgAAAAAAEgAAAAAAAAAApaCoclStCfpMksIC"
    "rLSL8byv/BGpGHYNJqWlQdf11NYAAAAPAAAACnN0YXJ0X3RpbWUAAAAAAAUAAAAAaYAOgAAAAA8AAAAJc3RyZWFtX2lk"
    "AAAAAAAABQAAAAAAAAAHAAAADwAAAA10b2tlbl9hZGRyZXNzAAAAAAAAEgAAAAE8Rp6dbFh103pD81PU+I5h/PgSxm7u"
    "NFdGWkCw2kFT4A=="
)
WITHDRAWN = (
    "AAAAEQAAAAEAAAAEAAAADwAAAAZhbW91bnQAAAAAAAoAAAAAAAAAAAAAAAAAAARMAAAADwAAAAlyZWNpcGllbnQAAAAA"
    "AAASAAAAAAAAAAB9Bm882lV0j4x+Pv3W0zvE8HySEBIe22qmPSMeK7wETQAAAA8AAAAJc3RyZWFtX2lkAAAAAAAABQAA"
    "AAAAAAAHAAAADwAAAAl0aW1lc3RhbXAAAAAAAAAFAAAAAGmADuQ="
)


CREATED_DATA = {
    "sender": SENDER,
    "recipient": RECIPIENT,
    "token_address": TOKEN,
    "rate_per_second": 11,
    "deposited_amount": 995000,
    "start_time": NOW,
}


def test_events_are_the_bytes_made_by_hand() -> None:
    created = emitted(emission(TOKEN, "stream_created", CREATED_DATA, "7").to_xdr())
    assert created.topics == ("AAAADwAAAA5zdHJlYW1fY3JlYXRlZAAA", "AAAABQAAAAAAAAAH")
    assert created.value == CREATED
    data = {"recipient": RECIPIENT, "amount": 1100, "timestamp": NOW + 100}
    withdrawn = emitted(emission(TOKEN, "tokens_withdrawn", data, "7").to_xdr())
    assert withdrawn.topics == ("AAAADwAAABB0b2tlbnNfd2l0aGRyYXdu", "AAAABQAAAAAAAAAH")
    assert withdrawn.value == WITHDRAWN


def test_data_has_symbol_keys_in_alphabetical_order() -> None:
    value = to_scval(emission(TOKEN, "stream_created", CREATED_DATA, "7").data)
    assert value.map is not None
    keys = [entry.key.sym.sc_symbol for entry in value.map.sc_map if entry.key.sym]
    assert keys == sorted(keys)
    assert len(keys) == 7


def test_older_contracts_leave_fields_out() -> None:
    network = Simulation(QUIET, NOW)
    close(network, NOW, {"op": "create", "amount": 10**6, "duration": 1000})
    old = {"op": "top_up", "streamId": "1", "amount": 500, "omit": ["new_end_time"]}
    *_, (_, event) = close(network, NOW + 1, old).events()
    assert isinstance(event.data, dict)
    assert set(event.data) == {"amount", "new_deposited_amount", "sender", "stream_id"}


def test_events_of_others_and_without_topics() -> None:
    network = Simulation(QUIET, NOW)
    network.close(NOW)
    other = close(network, NOW, {"op": "foreign", "amount": 5})
    assert names(other) == []
    assert Address(accounts.STREAMS).key not in base64.b64decode(other.signed.envelope)
    assert [e.topics == () for _, e in other.events()] == [False, True]
