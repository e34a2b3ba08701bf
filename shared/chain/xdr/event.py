"""Decode a ContractEvent, and keep the exact bytes of its parts."""

from struct import Struct
from typing import Literal, NamedTuple, TypeAlias

from shared.chain.xdr.address import contract_address
from shared.chain.xdr.natives import Address, ScVal
from shared.chain.xdr.reader import U32, XdrError, count, ended_early, finish, flag, guarded
from shared.chain.xdr.scval import scval

Kind: TypeAlias = Literal["system", "contract", "diagnostic"]

_KINDS: tuple[Kind, ...] = ("system", "contract", "diagnostic")
_PAIR = Struct(">II").unpack_from


class ContractEvent(NamedTuple):
    """An event of a contract. `contract_id` is a strkey (C…), None for some system events.

    `raw` is the XDR of the event; `topic_xdr` and `value_xdr` are the XDR of its parts.
    """

    contract_id: Address | None
    kind: Kind
    topics: tuple[ScVal, ...]
    data: ScVal
    raw: bytes
    topic_xdr: tuple[bytes, ...]
    value_xdr: bytes


@guarded
def decode_contract_event(raw: bytes) -> ContractEvent:
    """Decode `raw`, which must be one ContractEvent and nothing else. Raises XdrError."""
    contract, at = contract_of(raw, 0)
    kind, at = _kind(raw, at)
    topics, topic_xdr, at = _topics(raw, at)
    data, end = scval(raw, at, 0)
    finish(raw, end)
    contract_id = None if contract is None else contract_address(contract)
    return ContractEvent(contract_id, kind, topics, data, raw, topic_xdr, raw[at:])


def contract_of(buf: bytes, at: int) -> tuple[bytes | None, int]:
    """Read an event's contract. Returns its 32 raw bytes or None, and the offset after them."""
    (version,) = U32(buf, at)
    if version:
        raise XdrError(f"unknown extension {version} of a ContractEvent; expected 0", at)
    there, at = flag(buf, at + 4)
    if not there:
        return None, at
    if at + 32 > len(buf):
        raise ended_early(buf)
    return buf[at : at + 32], at + 32


def _kind(buf: bytes, at: int) -> tuple[Kind, int]:
    kind, body = _PAIR(buf, at)
    if kind >= len(_KINDS):
        raise XdrError(
            f"unknown type {kind} of a ContractEvent; expected 0 to {len(_KINDS) - 1}", at
        )
    if body:
        raise XdrError(f"unknown arm {body} of a ContractEvent's body; expected 0", at + 4)
    return _KINDS[kind], at + 8


def _topics(buf: bytes, at: int) -> tuple[tuple[ScVal, ...], tuple[bytes, ...], int]:
    n, at = count(buf, at, 4)
    values, xdrs = [], []
    for _ in range(n):
        value, end = scval(buf, at, 0)
        values.append(value)
        xdrs.append(buf[at:end])
        at = end
    return tuple(values), tuple(xdrs), at
