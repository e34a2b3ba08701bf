"""A payment stream, as the API and the events show it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from headrace_client.model.fields import Json, required, whole, whole_or_none

Status = Literal["active", "paused", "completed", "cancelled"]
Origin = Literal["chain", "api"]
Acceptance = Literal["pending", "accepted", "hidden"]


@dataclass(frozen=True, slots=True)
class Claimable:
    """The amount that the recipient can withdraw at `as_of` (Unix seconds), in base units."""

    amount: int
    as_of: int


@dataclass(frozen=True, slots=True)
class Step:
    """An amount that becomes claimable at `time` (Unix seconds)."""

    time: int
    amount: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the money of a stream becomes claimable: see "Schedules" in docs/api.md."""

    kind: str
    cliff_time: int | None = None
    cliff_amount: int | None = None
    last_time: int | None = None
    steps: tuple[Step, ...] = ()

    @classmethod
    def from_json(cls, document: Json) -> Schedule:
        """The schedule in a JSON object."""
        steps = document.get("steps") or ()
        return cls(
            kind=required(document, "kind"),
            cliff_time=document.get("cliffTime"),
            cliff_amount=whole_or_none(document.get("cliffAmount")),
            last_time=document.get("lastTime"),
            steps=tuple(Step(step["time"], whole(step["amount"])) for step in steps),
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream after its latest event. Amounts are in base units, times in Unix seconds.

    `version` grows by one with each event. `claimable` is None if the amount is not known;
    `claimable_unknown` then says why. `document` is the whole JSON object.
    """

    id: str
    version: int
    origin: Origin
    contract_id: str | None
    sender: str
    recipient: str
    token_address: str
    rate_per_second: int
    deposited_amount: int
    withdrawn_amount: int
    refunded_amount: int
    start_time: int
    last_update_time: int
    end_time: int | None
    paused_at: int | None
    status: Status
    ending: str | None
    acceptance: Acceptance
    schedule: Schedule
    claimable: Claimable | None
    claimable_unknown: str | None
    archived: bool
    metadata: Mapping[str, Any]
    state_ledger: int | None
    created_at: int
    updated_at: int
    position: str | None
    document: Json

    @classmethod
    def from_json(cls, document: Json) -> Stream:
        """The stream in a JSON object. Raises ProtocolError if it is none."""
        claimable = document.get("claimable")
        return cls(
            id=required(document, "id"),
            version=required(document, "version"),
            origin=required(document, "origin"),
            contract_id=document.get("contractId"),
            sender=required(document, "sender"),
            recipient=required(document, "recipient"),
            token_address=required(document, "tokenAddress"),
            rate_per_second=whole(required(document, "ratePerSecond")),
            deposited_amount=whole(required(document, "depositedAmount")),
            withdrawn_amount=whole(required(document, "withdrawnAmount")),
            refunded_amount=whole(required(document, "refundedAmount")),
            start_time=required(document, "startTime"),
            last_update_time=required(document, "lastUpdateTime"),
            end_time=document.get("endTime"),
            paused_at=document.get("pausedAt"),
            status=required(document, "status"),
            ending=document.get("ending"),
            acceptance=document.get("acceptance", "accepted"),
            schedule=Schedule.from_json(document.get("schedule") or {"kind": "unknown"}),
            claimable=claimable and Claimable(whole(claimable["amount"]), claimable["asOf"]),
            claimable_unknown=document.get("claimableUnknown"),
            archived=document.get("archived", False),
            metadata=document.get("metadata") or {},
            state_ledger=document.get("stateLedger"),
            created_at=required(document, "createdAt"),
            updated_at=required(document, "updatedAt"),
            position=document.get("position"),
            document=document,
        )
