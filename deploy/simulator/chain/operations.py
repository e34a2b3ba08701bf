"""What one may ask of the stream contract: operations, as Python values and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from deploy.simulator.chain.accounts import address
from deploy.simulator.chain.values import Typed

PARTIES = ("sender", "recipient", "admin", "treasury")
OF_CONTRACT = ("initialize", "set_fee", "transfer_admin")
OF_STREAM = ("create", "withdraw", "pause", "resume", "top_up", "cancel")
OF_TOKEN = ("token",)
UPCOMING = ("transfer_recipient", "modify_rate", "emit")
OTHER = ("foreign", "fail")
NAMES = frozenset((*OF_CONTRACT, *OF_STREAM, *OF_TOKEN, *UPCOMING, *OTHER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call; each operation uses the fields it needs.

    `sender`, `recipient`, `admin`, `treasury`: a name or an address. `amount` in base units,
    gross of fees; `duration` in seconds; `fee_bps` in hundredths of a percent. `name` is the event
    of an `emit` or of a `token`, whose `form` and `muxed` are told in `token`; `omit` leaves fields
    out of the events' data, as older contracts did.
    """

    op: str
    stream_id: str = ""
    sender: str = "alice"
    recipient: str = "bob"
    admin: str = "admin"
    treasury: str = "treasury"
    amount: int = 0
    duration: int = 0
    rate: int = 0
    fee_bps: int = 0
    name: str = ""
    form: str = "asset"
    muxed: str = ""
    omit: tuple[str, ...] = ()

    def arguments(self) -> list[Typed]:
        """What the call's envelope shows as its arguments."""
        if self.op == "create":
            parties = [Typed("address", address(each)) for each in (self.sender, self.recipient)]
            return [*parties, Typed("i128", self.amount), Typed("u64", self.duration)]
        return [Typed("u64", int(self.stream_id))] if self.stream_id else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A transaction to come: calls that succeed or fail together; none is a classic payment.

    `meta` is the version of its meta, 3 or 4; `memo` is a payment's; `future` writes its events in
    XDR that the SDK does not know, by a key of `future.CHANGES`.
    """

    operations: tuple[Operation, ...] = ()
    fee_bump: bool = False
    meta: int = 4
    memo: str | None = None
    future: str | None = None


_TEXTS = frozenset({"op", "sender", "recipient", "admin", "treasury", "name", "form", "muxed"})
_NUMBERS = frozenset({"amount", "duration", "rate", "fee_bps"})


def read_operation(body: Mapping[str, object]) -> Operation:
    """An operation from JSON: camelCase names, numbers as numbers or decimal strings.

    Raises ValueError that names the field at fault.
    """
    known = {camel(each.name): each.name for each in fields(Operation)}
    if unknown := sorted(set(body) - set(known)):
        raise ValueError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}")
    values = {known[key]: _read(known[key], value) for key, value in body.items()}
    if values.get("op") not in NAMES:
        raise ValueError(f"op must be one of {', '.join(sorted(NAMES))}, not {values.get('op')!r}")
    for party in PARTIES:
        address(str(values.get(party, "alice")))
    return Operation(**values)  # type: ignore[arg-type]  # _read gave each its type


def _read(name: str, value: object) -> object:
    if name == "omit" and isinstance(value, list):
        return tuple(str(each) for each in value)
    if name == "stream_id" and str(value).isdecimal():
        return str(value)
    if name in _TEXTS and isinstance(value, str):
        return value
    if name in _NUMBERS and isinstance(value, int | str) and str(value).lstrip("-").isdecimal():
        return int(value)
    raise ValueError(f"{camel(name)!r} cannot be {value!r}")


def camel(name: str) -> str:
    """`stream_id` as JSON spells it: `streamId`."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
