"""Misbehaviour on demand: which fault strikes where, and how often. Pure bookkeeping.

A surface is `stream` (Horizon's SSE), `page`, `root`, `ledger`, `transaction`, or the name of an
RPC method; `horizon`, `rpc` and `*` stand for several.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from deploy.local.network.ledger import Transaction
from deploy.local.network.values import to_base64
from deploy.local.network.views import Views


class Kind(StrEnum):
    """What goes wrong; `after` counts the records that a stream delivers before that."""

    RATE_LIMITED = "429"
    UNAVAILABLE = "503"
    TIMEOUT = "504"  # with an empty body, as a proxy in front of Horizon answers
    HANG = "hang"  # the request is taken and never answered
    STALL = "stall"  # the stream goes silent, the connection stays
    DROP = "drop"  # the TCP connection is aborted between two frames
    CUT = "cut"  # the TCP connection is aborted inside a frame
    MALFORMED = "malformed"  # JSON that breaks off; a stream goes on with the next record
    ERROR = "error"  # `event: error` in the stream; a JSON-RPC time-out
    BYEBYE = "byebye"  # the normal end, early
    SLOW = "slow"  # bytes drip, `seconds` between the drops
    PASSPHRASE = "passphrase"  # another network's passphrase
    NO_META = "no_meta"  # a transaction with events comes without its meta
    CORRUPT_META = "corrupt_meta"  # a bit of a transaction's first event is flipped
    TRIM = "trim"  # at once: history forgets all but the newest `after` ledgers, or one server does
    LAG = "lag"  # at once and until forgiven: a server is `after` ledgers behind
    RESET = "reset"  # at once: the chain starts anew at ledger 2, as a testnet reset


OF_CONTENT = frozenset({Kind.NO_META, Kind.CORRUPT_META})
AT_ONCE = frozenset({Kind.TRIM, Kind.LAG, Kind.RESET})
OF_EXCHANGE = frozenset(Kind) - OF_CONTENT - AT_ONCE
OF_STREAM = frozenset(
    {Kind.STALL, Kind.DROP, Kind.CUT, Kind.MALFORMED, Kind.ERROR, Kind.BYEBYE, Kind.SLOW}
)
HORIZON = frozenset({"stream", "page", "root", "ledger", "transaction"})
SERVERS = ("horizon", "rpc")

REFUSALS = frozenset({Kind.RATE_LIMITED, Kind.UNAVAILABLE, Kind.TIMEOUT, Kind.HANG})
TELLS_PASSPHRASE = frozenset({"root", "getNetwork"})


def kinds_for(surface: str) -> frozenset[Kind]:
    """The faults of an exchange that make sense there, so that none is spent in vain."""
    if surface == "stream":
        return OF_STREAM | REFUSALS
    kinds = OF_EXCHANGE - {Kind.STALL, Kind.BYEBYE}
    if surface in HORIZON:
        kinds -= {Kind.ERROR}
    return kinds if surface in TELLS_PASSPHRASE else kinds - {Kind.PASSPHRASE}


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault that strikes `times` more times: once a request, or once a transaction.

    `seconds`: the pause of a slow one, how long a hanging one hangs (0: for good).
    `retry_after`: seconds, in the header of an error answer; None leaves it out.
    """

    kind: Kind
    surface: str = "*"
    times: int = 1
    after: int = 0
    seconds: float = 0.0
    retry_after: int | None = None

    def strikes(self, surface: str, kinds: Collection[Kind]) -> bool:
        """Whether this fault, of one of `kinds`, concerns the surface."""
        group = "horizon" if surface in HORIZON else "rpc"
        return self.kind in kinds and self.surface in (surface, group, "*")


def read_fault(body: Mapping[str, object]) -> Fault:
    """A fault from JSON: {"kind": …} and, where they matter, the other fields in camelCase.

    Raises ValueError that says what is wrong.
    """
    match body:
        case {"kind": str(kind), **rest} if kind in set(Kind):
            pass
        case _:
            raise ValueError(f"kind must be one of {', '.join(Kind)}")
    fault = Fault(kind=Kind(kind))
    for name, value in rest.items():
        match name, value:
            case "surface", str():
                fault.surface = value
            case "times" | "after", int() if value >= 0:
                setattr(fault, name, value)
            case "seconds", int() | float() if value >= 0:
                fault.seconds = float(value)
            case "retryAfter", int() | None:
                fault.retry_after = value
            case _:
                raise ValueError(f"{name!r} cannot be {value!r}")
    return fault


class Faults:
    """The faults that wait to strike, in the order in which they were armed."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self.views = Views()

    def arm(self, fault: Fault) -> None:
        """Let it strike `fault.times` times from now on."""
        self._armed.append(fault)

    def clear(self) -> None:
        """Behave."""
        self._armed.clear()
        self.views.clear()

    def armed(self) -> list[dict[str, object]]:
        """What is still to strike, for the control surface."""
        return [asdict(fault) for fault in self._armed if fault.times > 0]

    def take(self, surface: str, kinds: Collection[Kind]) -> Fault | None:
        """The first fault that strikes here now; it has one time less afterwards."""
        for fault in self._armed:
            if fault.times > 0 and fault.strikes(surface, kinds):
                fault.times -= 1
                return fault
        return None

    def distort(self, surface: str, transaction: Transaction) -> Transaction:
        """The transaction as this surface shows it now; one without events is left alone."""
        if not any(transaction.operations):
            return transaction
        fault = self.take(surface, OF_CONTENT)
        if fault is None:
            return transaction
        return (
            replace(transaction, meta=None) if fault.kind is Kind.NO_META else corrupt(transaction)
        )


def corrupt(transaction: Transaction) -> Transaction:
    """The transaction with the last bit of its first event's data flipped, in events and meta.

    The XDR stays readable; only the hash in the result tells.
    """
    operation = next(n for n, events in enumerate(transaction.operations) if events)
    event, *others = transaction.operations[operation]
    raw = base64.b64decode(event.xdr)
    flipped = raw[:-1] + bytes([raw[-1] ^ 1])
    value = base64.b64decode(event.value)
    bad = replace(event, xdr=to_base64(flipped), value=to_base64(value[:-1] + flipped[-1:]))
    operations = list(transaction.operations)
    operations[operation] = (bad, *others)
    meta = base64.b64decode(transaction.meta or "").replace(raw, flipped, 1)
    return replace(transaction, meta=to_base64(meta), operations=tuple(operations))
