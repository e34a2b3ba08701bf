"""Events that the contract's authors have announced: decoded with their fields, or kept raw."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.chain.values import Typed
from deploy.simulator.contracts import announced
from deploy.simulator.contracts.dialect import emission
from shared.chain.decode.stream_contract import read_event
from shared.chain.decode.stream_events import EVENT_RULES
from shared.chain.xdr import decode_contract_event
from shared.domain.events import Event, EventType
from shared.domain.stream import Stream, claimable, end_time
from shared.domain.topics import topics_of
from shared.domain.transitions import apply
from shared.journal.stream_document import decode_stream, encode_stream
from tests.indexer.handmade import NOW
from tests.shared.chain.decode.test_stream_contract import AT, SOURCE
from tests.shared.samples import stored

ALICE, BOB, CAROL = (accounts.address(each) for each in ("alice", "bob", "carol"))
ADMIN = accounts.address("admin")
TIME = 1_770_000_100
PARTIES = {"sender": ALICE, "recipient": BOB, "tokenAddress": accounts.TOKEN}

FACTS: dict[str, tuple[str, dict[str, Any]]] = {
    "step_vesting_stream_created": (
        "stream.created",
        PARTIES | {
            "depositedAmount": "900", "stepCount": 3, "lastUnlockTime": 4_000_000_000,
            "ratePerSecond": "0", "startTime": NOW,
            "schedule": {"kind": "steps", "lastTime": 4_000_000_000, "steps": []},
        },
    ),
    "hybrid_cliff_stream_created": (
        "stream.created",
        PARTIES | {
            "depositedAmount": "1000", "cliffTime": 3_900_000_000, "cliffUnlockAmount": "400",
            "ratePerSecond": "6", "startTime": NOW,
            "schedule": {
                "kind": "cliff_amount", "cliffTime": 3_900_000_000, "cliffAmount": "400"
            },
        },
    ),
    "allowance_stream_created": (
        "stream.created",
        PARTIES | {
            "ratePerSecond": "1", "startTime": 1_770_000_000, "depositedAmount": "0",
            "schedule": {"kind": "allowance"},
        },
    ),
    "milestone_condition_unlocked": (
        "stream.milestone_unlocked",
        {"milestoneId": 2, "amount": "300", "caller": CAROL, "timestamp": TIME},
    ),
    "dispute_requested": (
        "stream.dispute_requested", {"sender": ALICE, "arbiter": CAROL, "timestamp": TIME}
    ),
    "dispute_resolved": (
        "stream.dispute_resolved", {"arbiter": CAROL, "approved": True, "timestamp": TIME}
    ),
    "stream_closed": ("stream.closed", {"closer": ALICE, "timestamp": TIME}),
    "protocol_pause_status": (
        "contract.pause_changed", {"caller": ADMIN, "paused": True, "timestamp": TIME}
    ),
    "FlowFi.ProtocolPaused": ("contract.pause_changed", {"admin": ADMIN, "isPaused": True}),
    "emergency_guardian_updated": (
        "contract.guardian_updated", {"admin": ADMIN, "guardian": None}
    ),
    "contract_upgraded": (
        "contract.upgraded",
        {
            "admin": ADMIN, "oldWasmHash": "00" * 32, "newWasmHash": "01" * 32, "timestamp": TIME
        },
    ),
    "state_migrated": (
        "contract.state_migrated", {"admin": ADMIN, "oldVersion": 0, "newVersion": 2}
    ),
}  # fmt: skip


def read(name: str, more: dict[str, Typed] | None = None, *, omit: str = "") -> Event:
    emitted = announced.announced(accounts.STREAMS, name, "7")
    assert isinstance(emitted.data, dict)
    emitted.data.update(more or {})
    emitted.data.pop(omit, None)
    raw = decode_contract_event(emitted.to_xdr().to_xdr_bytes())
    return read_event(raw, AT, SOURCE, NOW)


def required(name: str) -> list[str]:
    return [each for each in EVENT_RULES[name].required if each != "guardian"]


def test_every_announced_event_is_here() -> None:
    rules = {name for name, rule in EVENT_RULES.items() if rule.announced}
    assert rules == set(FACTS) == set(announced.NAMES)


@pytest.mark.parametrize("name", FACTS)
def test_an_announced_event_is_decoded_with_its_fields(name: str) -> None:
    event = read(name)
    assert (event.type, event.facts) == FACTS[name]
    assert event.stream_id == (None if event.type.startswith("contract.") else "7")
    assert event.timestamp == event.facts.get("timestamp", NOW)
    later = read(name, {"later_field": Typed("u64", 5)})
    assert later.facts == {**event.facts, "laterField": "5"}


@pytest.mark.parametrize(("name", "field"), [(n, f) for n in FACTS for f in required(n)])
def test_without_a_field_it_is_kept_raw_and_is_no_dead_letter(name: str, field: str) -> None:
    event = read(name, omit=field)
    assert event.type is EventType.CHAIN_UNKNOWN
    assert event.facts["name"] == name.split(".", maxsplit=1)[0]
    assert base64.b64decode(str(event.facts["valueXdr"]))
    wrong = read(name, {field: Typed("string", "wrong")})
    assert wrong.type is EventType.CHAIN_UNKNOWN


@pytest.mark.parametrize("name", [n for n, (kind, _) in FACTS.items() if kind.startswith("stream")])
def test_it_goes_to_the_parties_of_the_stream(name: str) -> None:
    stream = apply(None, read("hybrid_cliff_stream_created"))
    event = read(name)
    topics = topics_of(event, stream, apply(stream, event))
    assert topics[0] == "7"
    assert set(topics[1:]) == {f"user:{ALICE}", f"user:{BOB}"}


def made(name: str) -> Stream:
    """The stream after its creation, as it comes back from its document."""
    stream = stored(apply(None, read(name)))
    document = orjson.loads(encode_stream(stream, NOW)) | {"position": "1-1"}
    read_back = decode_stream(orjson.dumps(document))
    assert read_back.schedule == stream.schedule
    return read_back


def test_a_stream_with_an_amount_at_its_cliff() -> None:
    """400 at the cliff, then 6 a second: the rest of 600 takes 100 s."""
    stream, cliff = made("hybrid_cliff_stream_created"), 3_900_000_000
    assert end_time(stream) == cliff + 100
    amounts = [claimable(stream, cliff + after) for after in (-1, 0, 1, 50, 100, 1000)]
    assert amounts == [0, 400, 406, 700, 1000, 1000]
    withdrawn = read_withdrawal(stream, 406, cliff + 1)
    assert [claimable(withdrawn, cliff + after) for after in (1, 2, 100)] == [0, 6, 594]


def read_withdrawal(stream: Stream, amount: int, now: int) -> Stream:
    facts = {"recipient": BOB, "amount": str(amount), "timestamp": now}
    event = Event(EventType.STREAM_WITHDRAWN, "7", now, facts, AT, SOURCE)
    return stored(apply(stream, event))


@pytest.mark.parametrize(
    ("name", "reason", "end"),
    [
        ("step_vesting_stream_created", "schedule_not_read", 4_000_000_000),
        ("allowance_stream_created", "depends_on_allowance", None),
    ],
)
def test_an_amount_that_the_event_does_not_tell_is_unknown(
    name: str, reason: str, end: int | None
) -> None:
    stream = made(name)
    assert (claimable(stream, NOW), end_time(stream)) == (None, end)
    document = orjson.loads(encode_stream(stream, NOW))
    assert (document["claimable"], document["claimableUnknown"]) == (None, reason)


def test_after_a_milestone_the_amount_is_unknown() -> None:
    stream = stored(
        apply(made("hybrid_cliff_stream_created"), read("milestone_condition_unlocked"))
    )
    document = orjson.loads(encode_stream(stream, NOW))
    assert (document["claimable"], document["claimableUnknown"]) == (None, "depends_on_conditions")


def test_a_schedule_that_a_later_contract_adds_makes_the_amount_unknown() -> None:
    data = {
        "sender": ALICE,
        "recipient": BOB,
        "token_address": accounts.TOKEN,
        "rate_per_second": 1,
        "deposited_amount": 5,
        "start_time": NOW,
    }
    emitted = emission(accounts.STREAMS, "stream_created", data, "7")
    assert isinstance(emitted.data, dict)
    emitted.data["schedule"] = Typed("string", "moon phases")
    event = read_event(decode_contract_event(emitted.to_xdr().to_xdr_bytes()), AT, SOURCE, NOW)
    assert claimable(stored(apply(None, event)), NOW) is None
