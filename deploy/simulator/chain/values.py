"""Contract events as Python values, as XDR, and as the JSON that `/sim/events` shows."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from stellar_sdk import Address, StrKey, scval, xdr


class Typed(NamedTuple):
    """A value and its Soroban type. The type is a key of the table below."""

    kind: str
    value: Any = None


_SCVAL: dict[str, Callable[[Any], xdr.SCVal]] = {
    "address": scval.to_address,
    "bool": scval.to_bool,
    "bytes": scval.to_bytes,
    "i128": scval.to_int128,
    "string": scval.to_string,
    "symbol": scval.to_symbol,
    "u32": scval.to_uint32,
    "u64": scval.to_uint64,
    "vec": lambda items: scval.to_vec([to_scval(item) for item in items]),
    "void": lambda _: scval.to_void(),
}


def to_scval(value: Typed | Mapping[str, Typed]) -> xdr.SCVal:
    """The XDR of a value. A mapping becomes an ScMap with Symbol keys in alphabetical order."""
    if isinstance(value, Typed):
        return _scalar(value)
    return scval.to_struct({name: _scalar(item) for name, item in value.items()})


@lru_cache(maxsize=4096)  # cached, because all events contain the same few addresses and names
def _scalar(value: Typed) -> xdr.SCVal:
    return _SCVAL[value.kind](value.value)


@dataclass(frozen=True, slots=True)
class Emission:
    """An event as a contract publishes it."""

    contract_id: str
    topics: tuple[Typed, ...]
    data: Mapping[str, Typed] | Typed

    def to_xdr(self) -> xdr.ContractEvent:
        """The event as it appears in a transaction meta."""
        topics = [to_scval(topic) for topic in self.topics]
        return xdr.ContractEvent(
            ext=xdr.ExtensionPoint(0),
            contract_id=sc_address(self.contract_id).contract_id,
            type=xdr.ContractEventType.CONTRACT,
            body=xdr.ContractEventBody(0, xdr.ContractEventV0(topics, to_scval(self.data))),
        )


@dataclass(frozen=True, slots=True)
class Emitted:
    """An event in a ledger. `topics`, `value` and `xdr` (the whole event) are in base64 XDR."""

    contract_id: str
    type: str
    topics: tuple[str, ...]
    value: str
    xdr: str

    @property
    def name(self) -> str:
        """The first topic, which is the name of the event; empty if the event has no topics."""
        return str(native(self.topics[0])) if self.topics else ""

    @property
    def stream_id(self) -> str | None:
        """The second topic if it is a number, such as the stream id in the events of a stream."""
        second = native(self.topics[1]) if len(self.topics) > 1 else None
        return str(second) if isinstance(second, int) else None

    @property
    def data(self) -> object:
        """The value as JSON shows it."""
        return native(self.value)


def emitted(event: xdr.ContractEvent) -> Emitted:
    """The event with all the values that Horizon, RPC and `/sim/events` show."""
    body = event.body.v0
    if body is None or event.contract_id is None:
        raise ValueError("only events of contracts, in their version 0, are kept")
    return Emitted(
        contract_id=_strkey(event.contract_id.contract_id.hash),
        type=event.type.name.lower(),
        topics=tuple(topic.to_xdr() for topic in body.topics),
        value=body.data.to_xdr(),
        xdr=event.to_xdr(),
    )


@lru_cache(maxsize=256)
def _strkey(contract: bytes) -> str:
    return StrKey.encode_contract(contract)


@lru_cache(maxsize=4096)
def native(text: str) -> object:
    """The value of a base64 ScVal as JSON: wide integers are strings, bytes are hex.

    None if the SDK cannot read the ScVal (see `future_protocol`).
    """
    try:
        return _plain(xdr.SCVal.from_xdr(text))
    except ValueError:
        return None


_WIDE = frozenset({"SCV_I128", "SCV_U128", "SCV_I256", "SCV_U256"})


def _plain(value: xdr.SCVal) -> object:
    if value.map is not None:
        return {str(_plain(entry.key)): _plain(entry.val) for entry in value.map.sc_map}
    if value.vec is not None:
        return [_plain(item) for item in value.vec.sc_vec]
    native = scval.to_native(value)
    if isinstance(native, Address):
        return native.address
    if isinstance(native, bytes):
        return native.decode() if value.str is not None else native.hex()
    return str(native) if value.type.name in _WIDE else native


@lru_cache(maxsize=256)
def sc_address(address: str) -> xdr.SCAddress:
    """The XDR of an address."""
    return Address(address).to_xdr_sc_address()


def to_base64(raw: bytes) -> str:
    """The bytes in base64, as Horizon and RPC write them."""
    return base64.b64encode(raw).decode()
