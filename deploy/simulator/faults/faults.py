"""The faults: where each fault applies, and how often. Stores faults and counts their uses. Pure.

A fault applies to surfaces. A surface is `stream` (Horizon's SSE), `page` (of transactions),
`ledgers` (a page of ledgers), `root`, `ledger`, `transaction`, or the name of an RPC method.
`horizon`, `rpc` and `*` each stand for several surfaces.
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
    """What goes wrong. In a stream, a fault happens after `after` records."""

    RATE_LIMITED = "429"  # an HTTP answer; for an error in an open stream, see ERROR
    UNAVAILABLE = "503"
    TIMEOUT = "504"  # with an empty body, like the answer of a proxy before Horizon
    NOT_FOUND = "not_found"  # an HTML page of a proxy, with `status` (404 by default)
    HANG = "hang"  # the server accepts the request and does not answer
    STALL = "stall"  # the stream sends nothing more, and the connection stays open
    DROP = "drop"  # the TCP connection is aborted between two frames
    CUT = "cut"  # the TCP connection is aborted inside a frame
    MALFORMED = "malformed"  # JSON that ends too early; a stream then sends the next record
    ERROR = "error"  # `event: error` in the stream; for JSON-RPC, a time-out
    BYEBYE = "byebye"  # the normal end of a stream, but too early
    SLOW = "slow"  # bytes are sent slowly, with pauses of `seconds`
    PASSPHRASE = "passphrase"  # the server reports the passphrase of another network
    NO_META = "no_meta"  # a transaction with events is sent without its meta
    CORRUPT_META = "corrupt_meta"  # one bit is flipped in the first event of a transaction
    EMPTY_META = "empty_meta"  # Horizon sends an empty meta, as with SKIP_TXMETA
    STARTING = "starting"  # Horizon reports ledger 0 until its first check; RPC's database is empty
    UNHEALTHY = "unhealthy"  # getHealth fails; the last ledger is `seconds` old (0: there is none)
    PROCESSING_LIMIT = "processing_limit"  # getEvents takes too long for more than `after` ledgers
    TRY_AGAIN_LATER = "try_again_later"  # sendTransaction does not take the transaction
    DISCARDED = "discarded"  # a transaction is accepted, and is never in a ledger
    DELAYED = "delayed"  # a transaction is accepted, and `after` ledgers close without it
    OVERTAKEN = "overtaken"  # another transaction takes the sequence number of an accepted one
    FEE_SURGE = "fee_surge"  # at once, until cleared: the least inclusion fee is `fee` stroops
    ARCHIVED = "archived"  # at once: the entry of stream `stream_id` is archived, or the contract's
    TRIM = "trim"  # at once: all servers (or one) drop all but the newest `after` ledgers
    HOLE = "hole"  # at once: ledgers `first` to `last` are missing inside Horizon's history
    LAG = "lag"  # at once, until cleared: a server lags `after` ledgers behind
    RESET = "reset"  # at once: the chain starts again at ledger 2, like a reset of the testnet


OF_CONTENT = frozenset({FaultKind.NO_META, FaultKind.CORRUPT_META, FaultKind.EMPTY_META})
OF_SUBMISSION = frozenset(
    {
        FaultKind.TRY_AGAIN_LATER,
        FaultKind.DISCARDED,
        FaultKind.DELAYED,
        FaultKind.OVERTAKEN,
    }
)
AT_ONCE = frozenset(
    {
        FaultKind.FEE_SURGE,
        FaultKind.ARCHIVED,
        FaultKind.TRIM,
        FaultKind.HOLE,
        FaultKind.LAG,
        FaultKind.RESET,
    }
)
OF_ONE_SURFACE = {
    FaultKind.STARTING: "root",
    FaultKind.UNHEALTHY: "getHealth",
    FaultKind.PROCESSING_LIMIT: "getEvents",
    **dict.fromkeys(OF_SUBMISSION, "sendTransaction"),
}
"""Each of these faults belongs to one surface, which applies it. `starting` is also for RPC."""
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
    """The faults that have an effect on this surface. No other fault may be used up there."""
    if surface == "stream":
        return OF_STREAM | REFUSALS
    kinds = OF_EXCHANGE - {FaultKind.STALL, FaultKind.BYEBYE}
    if surface in HORIZON or surface == "rpc":  # only streams and single calls have `error`
        kinds -= {FaultKind.ERROR}
    return kinds if surface in TELLS_PASSPHRASE else kinds - {FaultKind.PASSPHRASE}


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault that can apply `times` more times, once to each request or each transaction.

    * `seconds`: the pause in a slow answer; how long a request hangs (0: for ever); how long the
      root reports the old bounds after a trim; after how long a processing limit is reported.
    * `retry_after`: the header of an error answer, in seconds or as any text. If it is None, the
      server sends its own header: 1 in a 429 of Horizon outside of a stream, else no header.
    * `status`: the status of a proxy's page.
    * `first`, `last`: the first and the last missing ledger of a hole.
    * `fee`: the least inclusion fee in a surge, in stroops.
    * `stream_id`: the stream whose entry is archived.
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
    fee: int = 100
    stream_id: str = ""

    def strikes(self, surface: str, kinds: Collection[FaultKind], span: int) -> bool:
        """True if the fault is in `kinds` and applies to this surface and number of ledgers."""
        group = "horizon" if surface in HORIZON else "rpc"
        enough = self.kind is not FaultKind.PROCESSING_LIMIT or span > self.after
        return self.kind in kinds and self.surface in (surface, group, "*") and enough


def read_fault(body: Mapping[str, object]) -> Fault:
    """Read a fault from JSON: {"kind": …} and, if needed, the other fields in camelCase.

    Raises ValueError with the reason if it is invalid.
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
            case "times" | "after" | "first" | "last" | "fee", int() if value >= 0:
                setattr(fault, name, value)
            case "status", int() if value in set(HTTPStatus) and value >= 400:
                fault.status = value
            case "seconds", int() | float() if value >= 0:
                fault.seconds = float(value)
            case "streamId", str() if value.isdecimal():
                fault.stream_id = value
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
    """The faults that can still apply, in the order in which they were added."""

    def __init__(self, views: ServerViews | None = None) -> None:
        self._armed: list[Fault] = []
        self.views = views or ServerViews()

    def arm(self, fault: Fault) -> None:
        """Add a fault. From now on it applies `fault.times` times."""
        self._armed.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._armed.clear()
        self.views.clear()

    def armed(self) -> list[dict[str, object]]:
        """The faults that can still apply, for the control API."""
        return [asdict(fault) for fault in self._armed if fault.times > 0]

    def take(self, surface: str, kinds: Collection[FaultKind], span: int = 0) -> Fault | None:
        """The first fault that applies here now, or None. Its `times` becomes one less.

        `span` is the number of ledgers in the request.
        """
        for fault in self._armed:
            if fault.times > 0 and fault.strikes(surface, kinds, span):
                fault.times -= 1
                return fault
        return None

    def waits(self, surface: str, kind: FaultKind) -> bool:
        """True if a fault of this kind can still apply to this surface. `times` does not change."""
        return any(each.times > 0 and each.strikes(surface, {kind}, 0) for each in self._armed)

    def shown(self, surface: str, record: Transaction | Ledger) -> Transaction | Ledger:
        """The record as this surface returns it now. Ledgers are never changed."""
        return record if isinstance(record, Ledger) else self.distort(surface, record)

    def distort(self, surface: str, transaction: Transaction) -> Transaction:
        """The transaction as this surface returns it now. Only one with events can be changed."""
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
