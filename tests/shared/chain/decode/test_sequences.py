"""Answers of the real contract, through the decoder, the rules, the commit and the commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.chain.decode.stream_contract import read_event
from shared.chain.xdr import decode_contract_event
from shared.domain import commands
from shared.domain.commands import CommandRefusedError
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, toid
from shared.domain.schedule import Schedule, ScheduleKind
from shared.domain.stream import Stream, claimable
from shared.domain.transitions import apply
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.shared.samples import stored
from tests.support.sequences import FILES, Sequence, Step, sequences

COMMANDS = {
    "pause": commands.pause,
    "resume": commands.resume,
    "withdraw": commands.withdraw,
    "cancel": commands.cancel,
}
API = {*COMMANDS, "topUp"}


def decoded(sequence: Sequence) -> Iterator[tuple[Step, list[Event]]]:
    """The steps of a sequence, one ledger each, with the contract's events as we decode them."""
    for ledger, step in enumerate(sequence.steps, start=1):
        source = Provenance(sequence.contract, ledger, "2026-07-21T18:01:10Z", "ab" * 32, True)
        events = [
            read_event(decode_contract_event(raw), Position(toid(ledger, 1), n), source, step.now)
            for n, raw in step.events
        ]
        yield step, events


def follow(states: dict[str, Stream | None], step: Step, events: list[Event]) -> None:
    """Apply the events. No event tells that a stream has a cliff, so it is added here."""
    for event in events:
        if event.stream_id is not None:
            states[event.stream_id] = apply(states.get(event.stream_id), event)
    if step.function == "createCliff" and step.error is None:
        cliff = Schedule(kind=ScheduleKind.CLIFF, cliff_time=step.now + int(step.call["cliff"]))
        for stream_id in step.states:
            states[stream_id] = replace(stored(states[stream_id]), schedule=cliff)


def is_zombie(state: dict[str, Any]) -> bool:
    """True after pause, cancel, resume: the contract says Active, but nothing can move any more."""
    return state["status"] == "Active" and not state["active"]


def differences(ours: Stream, theirs: dict[str, Any], now: int) -> dict[str, tuple[str, str]]:
    """The fields in which our state is not the contract's. A terminal stream has no pause."""
    mine = {
        "sender": ours.sender,
        "recipient": ours.recipient,
        "token": ours.token,
        "rate": ours.rate,
        "deposited": ours.deposited,
        "withdrawn": ours.withdrawn,
        "start": ours.start_time,
    }
    if is_zombie(theirs):
        mine |= {"active": not ours.terminal}
    else:
        mine |= {"anchor": ours.last_update_time, "status": ours.status.capitalize()}
    if theirs["active"]:
        mine |= {"pausedAt": ours.paused_at}
    pairs = {name: (str(value), str(theirs[name])) for name, value in mine.items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("name", FILES)
def test_states_and_amounts_after_each_event_are_the_contracts(name: str) -> None:
    for sequence in sequences(name):
        states: dict[str, Stream | None] = {}
        for step, events in decoded(sequence):
            follow(states, step, events)
            for stream_id, state in step.states.items():
                stream = stored(states[stream_id])
                assert differences(stream, state, step.now) == {}, (step, stream)
                assert claimable(stream, step.now) == int(state["claimable"])
            for stream_id, at, amount in step.later:
                assert claimable(stored(states[stream_id]), at) == amount


@pytest.mark.parametrize("name", FILES)
def test_commands_of_the_api_cause_the_contracts_events(name: str) -> None:
    compared = refused = 0
    for sequence in sequences(name):
        states: dict[str, Stream | None] = {}
        for step, events in decoded(sequence):
            before = states.get(step.call.get("id", ""))
            if before and not before.terminal and step.function in API:
                decided = answered(step, before, events)
                assert decided is None or decided == besides_fees(events)
                compared, refused = compared + 1, refused + (decided is None)
            follow(states, step, events)
    assert compared > 150
    assert refused < compared / 10


def besides_fees(events: list[Event]) -> list[tuple[EventType, Any]]:
    """The events as the API makes them. The API takes no fee."""
    return [(e.type, e.facts) for e in events if e.type is not EventType.STREAM_FEE_COLLECTED]


def answered(step: Step, stream: Stream, events: list[Event]) -> list[tuple[EventType, Any]] | None:
    """The events of the command, None if both refuse it, or if its end is beyond all times.

    Today's contract keeps the lowest 64 bits of such an end.
    """
    try:
        if step.function == "topUp":
            net = events[-1].require_number("amount")
            decided = commands.top_up(stream, net, step.now)
        else:
            decided = COMMANDS[step.function](stream, step.now)
    except CommandRefusedError as refusal:
        if step.error is None and "after the last possible time" not in str(refusal):
            raise
        return None
    assert step.error is None
    return [(each.type, each.facts) for each in decided]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", FILES)
async def test_the_journal_holds_the_contracts_states(name: str, redis: Redis, keys: Keys) -> None:
    for n, sequence in enumerate(sequences(name)):
        committer = Committer(redis, Keys(f"{keys.namespace}-{n}"))
        for step, events in decoded(sequence):
            if events:
                await committer.record(events, progress={})
            loaded = await committer.streams.load(list(step.states))
            for stream_id, state in step.states.items():
                assert differences(stored(loaded[stream_id]), state, step.now) == {}
