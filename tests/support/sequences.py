"""What the real contract answered to random sequences of calls: events and states after each call.

The files are in `../shared/vectors`, outside of this repository. Tests that use them are skipped
where that folder does not exist. `of_today` is the contract as it is deployed. `upcoming` is a
later version with `modifyRate`, `transferRecipient` and streams with a cliff.
"""

from __future__ import annotations

import base64
import gzip
from functools import cache
from typing import Any, NamedTuple

import orjson
import pytest

from tests.support.recordings import VECTORS

FILES = {
    "of_today": "contract_sequences.json.gz",
    "upcoming": "contract_upcoming_sequences.json.gz",
}


class Step(NamedTuple):
    """One call, at `now` in Unix seconds.

    `error` is the contract's error code, None if the call succeeded. `events` has the index of each
    event of the contract among all events of the call, and its XDR. `states` has the state of each
    stream that the call changed. `later` has (stream, Unix seconds, claimable amount).
    """

    now: int
    function: str
    call: dict[str, Any]
    error: int | None
    events: list[tuple[int, bytes]]
    states: dict[str, dict[str, Any]]
    later: list[tuple[str, int, int]]


class Sequence(NamedTuple):
    """The calls of one contract, one transaction each."""

    contract: str
    steps: list[Step]


@cache
def sequences(name: str) -> list[Sequence]:
    """The sequences of a file. Skips the test where the folder does not exist."""
    if not VECTORS.is_dir():
        pytest.skip("../shared/vectors does not exist: the real contract's answers are not checked")
    document = orjson.loads(gzip.decompress((VECTORS / FILES[name]).read_bytes()))
    return [
        Sequence(each["contract"], [_step(step) for step in each["steps"]])
        for each in document["sequences"]
    ]


def _step(step: dict[str, Any]) -> Step:
    return Step(
        now=int(step["t"]),
        function=step["call"]["fn"],
        call=step["call"],
        error=step["result"].get("err"),
        events=[(index, base64.b64decode(text)) for index, text in step["events"]],
        states=step["streams"],
        later=[(stream_id, int(at), int(amount)) for stream_id, at, amount in step["later"]],
    )
