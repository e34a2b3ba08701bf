"""Misbehaviour on demand: which fault strikes where, and how often. Pure bookkeeping.

A surface is `stream` (Horizon's SSE), `page` (of transactions), `ledgers` (a page of them),
`root`, `ledger`, `transaction`, or the name of an RPC method; `horizon`, `rpc` and `*` stand for
several.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from http import HTTPStatus

from deploy.simulator.chain.ledger import Ledger, Transaction
from deploy.simulator.chain.server_view import ServerViews
from deploy.simulator.faults.metas import corrupt, emptied


class FaultKind(StrEnum):
    """What goes wrong; `after` counts the records that a stream delivers before that."""

    RATE_LIMITED = "429"  # an answer; a stream that runs is told in-band, see ERROR
    UNAVAILABLE = "503"
    TIMEOUT = "504"  # with an empty body, as a proxy in front of Horizon answers
    NOT_FOUND = "not_found"  # a proxy's own page in HTML, with `status` (404 unless told)
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
    EMPTY_META = "empty_meta"  # Horizon has a meta with nothing in it, as with SKIP_TXMETA
    STARTING = "starting"  # Horizon does not know its bounds yet: 0; RPC's database is empty
    UNHEALTHY = "unhealthy"  # getHealth is an error; `seconds` is the age of the tip, 0: no tip
    PROCESSING_LIMIT = "processing_limit"  # getEvents of more than `after` ledgers takes too long
    TRIM = "trim"  # at once: history forgets all but the newest `after` ledgers, or one server does
    HOLE = "hole"  # at once: ledgers `first` to `last` are missing inside Horizon's history
    LAG = "lag"  # at once and until forgiven: a server is `after` ledgers behind
    RESET = "reset"  # at once: the chain starts anew at ledger 2, as a testnet reset


OF_CONTENT = frozenset({FaultKind.NO_META, FaultKind.CORRUPT_META, FaultKind.EMPTY_META})
AT_ONCE = frozenset({FaultKind.TRIM, FaultKind.HOLE, FaultKind.LAG, FaultKind.RESET})
OF_ONE_SURFACE = {
    FaultKind.STARTING: "root",
    FaultKind.UNHEALTHY: "getHealth",
    FaultKind.PROCESSING_LIMIT: "getEvents",
}
"""The faults of what a single endpoint says; it takes them itself. RPC can be `starting` too."""
OF_EXCHANGE = frozenset(FaultKind) - OF_CONTENT - AT_ONCE - OF_ONE_SURFACE.keys()
OF_STREAM = frozenset(
    {
        FaultKind.STALL,
        FaultKind.DROP,
        FaultKind.CUT,
        FaultKind.MALFORMED,
        FaultKind.ERROR,
        FaultKind.BYEBYE,
        FaultKind.SLOW,
    }
)
HORIZON = frozenset({"stream", "page", "ledgers", "root", "ledger", "transaction"})
SERVERS = ("horizon", "rpc")

REFUSALS = frozenset(
    {
        FaultKind.RATE_LIMITED,
        FaultKind.UNAVAILABLE,
        FaultKind.TIMEOUT,
        FaultKind.NOT_FOUND,
        FaultKind.HANG,
    }
)
TELLS_PASSPHRASE = frozenset({"root", "getNetwork"})


def kinds_for(surface: str) -> frozenset[FaultKind]:
    """The faults of an exchange that make sense there, so that none is spent in vain."""
    if surface == "stream":
        return OF_STREAM | REFUSALS
    kinds = OF_EXCHANGE - {FaultKind.STALL, FaultKind.BYEBYE}
    if surface in HORIZON or surface == "rpc":  # no single call, which an error would answer
        kinds -= {FaultKind.ERROR}
    return kinds if surface in TELLS_PASSPHRASE else kinds - {FaultKind.PASSPHRASE}


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault that strikes `times` more times: once a request, or once a transaction.

    `seconds`: the pause of a slow one; how long a hanging one hangs (0: for good); how long
    the root still says the old bounds after a trim; how late a processing limit is told.
    `retry_after`: seconds or any text, in the header of an error answer; None is as the server
    does: 1 in a 429 of Horizon that is no stream, else nothing.
    `status`: of a proxy's page. `first`, `last`: the ledgers of a hole, both missing.
    """

    kind: FaultKind
    surface: str = "*"
    times: int = 1
    after: int = 0
    seconds: float = 0.0
    retry_after: int | str | None = None
    status: int = 404
    first: int = 0
    last: int = 0

    def strikes(self, surface: str, kinds: Collection[FaultKind], span: int) -> bool:
        """Whether this fault, of one of `kinds`, concerns the surface, and that many ledgers."""
        group = "horizon" if surface in HORIZON else "rpc"
        enough = self.kind is not FaultKind.PROCESSING_LIMIT or span > self.after
        return self.kind in kinds and self.surface in (surface, group, "*") and enough


def read_fault(body: Mapping[str, object]) -> Fault:
    """A fault from JSON: {"kind": …} and, where they matter, the other fields in camelCase.

    Raises ValueError that says what is wrong.
    """
    match body:
        case {"kind": str(kind), **rest} if kind in set(FaultKind):
            pass
        case _:
            raise ValueError(f"kind must be one of {', '.join(FaultKind)}")
    fault = Fault(kind=FaultKind(kind))
    for name, value in rest.items():
        match name, value:
            case "surface", str():
                fault.surface = value
            case "times" | "after" | "first" | "last", int() if value >= 0:
                setattr(fault, name, value)
            case "status", int() if value in set(HTTPStatus) and value >= 400:
                fault.status = value
            case "seconds", int() | float() if value >= 0:
                fault.seconds = float(value)
            case "retryAfter", int() | str() | None:
                fault.retry_after = value
            case _:
                raise ValueError(f"{name!r} cannot be {value!r}")
    if fault.kind is not FaultKind.STARTING or fault.surface != "rpc":
        fault.surface = OF_ONE_SURFACE.get(fault.kind, fault.surface)
    if fault.kind is FaultKind.HOLE and not 0 < fault.first <= fault.last:
        raise ValueError("a hole needs `first` and `last`, the numbers of two ledgers in order")
    return fault


class Faults:
    """The faults that wait to strike, in the order in which they were armed."""

    def __init__(self, views: ServerViews | None = None) -> None:
        self._armed: list[Fault] = []
        self.views = views or ServerViews()

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

    def take(self, surface: str, kinds: Collection[FaultKind], span: int = 0) -> Fault | None:
        """The first fault that strikes here now; it has one time less afterwards.

        `span`: how many ledgers are asked for.
        """
        for fault in self._armed:
            if fault.times > 0 and fault.strikes(surface, kinds, span):
                fault.times -= 1
                return fault
        return None

    def waits(self, surface: str, kind: FaultKind) -> bool:
        """Whether such a fault is to strike there; it stays as it is."""
        return any(each.times > 0 and each.strikes(surface, {kind}, 0) for each in self._armed)

    def shown(self, surface: str, record: Transaction | Ledger) -> Transaction | Ledger:
        """The record as this surface shows it now; a ledger is always as it is."""
        return record if isinstance(record, Ledger) else self.distort(surface, record)

    def distort(self, surface: str, transaction: Transaction) -> Transaction:
        """The transaction as this surface shows it now; one without events is left alone."""
        if not any(transaction.operations):
            return transaction
        kinds = OF_CONTENT if surface in HORIZON else OF_CONTENT - {FaultKind.EMPTY_META}
        match self.take(surface, kinds):
            case None:
                return transaction
            case Fault(kind=FaultKind.NO_META):
                return replace(transaction, meta=None)
            case Fault(kind=FaultKind.EMPTY_META):
                return emptied(transaction)
        return corrupt(transaction)
