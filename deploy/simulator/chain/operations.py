"""Calls of the stream contract, as Python values and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from deploy.simulator.chain.accounts import TOKENS, address
from deploy.simulator.chain.accounts import token as token_address
from deploy.simulator.chain.values import Typed

PARTIES = ("sender", "recipient", "admin", "treasury")
OF_CONTRACT = ("initialize", "set_fee", "transfer_admin")
OF_STREAM = ("create", "withdraw", "pause", "resume", "top_up", "cancel")
OF_TOKEN = ("token",)
UPCOMING = ("transfer_recipient", "modify_rate", "cancel_with_pause", "emit")
OTHER = ("foreign", "fail")
NAMES = frozenset((*OF_CONTRACT, *OF_STREAM, *OF_TOKEN, *UPCOMING, *OTHER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call. Each kind of call uses only some of the fields.

    * `sender`, `recipient`, `admin`, `treasury`: names or addresses.
    * `amount`: base units, before fees. `fee_bps`: hundredths of a percent.
    * `token`: the name or address of the token of a new stream.
    * `duration`, `cliff`: seconds. A `cliff` of 0 means that the stream has none.
    * `name`: the name of the event, for an `emit` or a `token`.
    * `form`, `muxed`: see the module `token`.
    * `omit`: fields that the event data lacks, as in older contracts.
    """

    op: str
    stream_id: str = ""
    sender: str = "alice"
    recipient: str = "bob"
    admin: str = "admin"
    treasury: str = "treasury"
    token: str = "usdc"
    amount: int = 0
    duration: int = 0
    cliff: int = 0
    rate: int = 0
    fee_bps: int = 0
    name: str = ""
    form: str = "asset"
    muxed: str = ""
    omit: tuple[str, ...] = ()

    def arguments(self) -> list[Typed]:
        """The arguments of the call, as they are in the envelope."""
        if self.op == "create":
            parties = [Typed("address", address(each)) for each in (self.sender, self.recipient)]
            return [*parties, Typed("i128", self.amount), Typed("u64", self.duration)]
        return [Typed("u64", int(self.stream_id))] if self.stream_id else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A transaction that is not yet in a ledger.

    Its calls succeed or fail together. If there are no calls, it is a classic payment. `meta` is
    the version of its meta, 3 or 4. `memo` is the memo of a payment. If `future` is a key of
    `future_protocol.CHANGES`, the events are in XDR that the SDK does not know. `payer` is the name
    of the account that sends a payment.
    """

    operations: tuple[Operation, ...] = ()
    fee_bump: bool = False
    meta: int = 4
    memo: str | None = None
    future: str | None = None
    payer: str = "alice"


_TEXTS = frozenset({"op", *PARTIES, "token", "name", "form", "muxed"})
_NUMBERS = frozenset({"amount", "duration", "cliff", "rate", "fee_bps"})


def read_operation(body: Mapping[str, object]) -> Operation:
    """Read an operation from JSON with camelCase names.

    A number may be a JSON number or a decimal string. Raises ValueError with the name of the
    invalid field.
    """
    known = {camel(each.name): each.name for each in fields(Operation)}
    if unknown := sorted(set(body) - set(known)):
        raise ValueError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}")
    values = {known[key]: _read(known[key], value) for key, value in body.items()}
    if values.get("op") not in NAMES:
        raise ValueError(f"op must be one of {', '.join(sorted(NAMES))}, not {values.get('op')!r}")
    for party in PARTIES:
        address(str(values.get(party, "alice")))
    token_address(str(values.get("token", next(iter(TOKENS)))))
    return Operation(**values)  # type: ignore[arg-type]  # _read checked each type


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
    """The JSON name of a field: `stream_id` becomes `streamId`."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
