"""What a decoded ScVal is: a Python native where there is one, else a small type."""

from dataclasses import dataclass
from typing import TypeAlias


class Symbol(str):
    """A Soroban symbol: a name such as an event's or a field's. Equal to the same text as `str`."""

    __slots__ = ()


class Address(str):
    """A strkey: account G, contract C, muxed M or W, claimable balance B, liquidity pool L."""

    __slots__ = ()


class ExecutableTag(str):
    """The name under which a contract offers its code to others (a ledger key's value)."""

    __slots__ = ()


class Pairs(tuple[tuple["ScVal", "ScVal"], ...]):
    """A map that no dict can hold: some key is unhashable, or equals another one in Python.

    XDR tells U32(1) from U64(1) and Symbol("a") from String("a"); natives do not. Nothing is lost:
    the entries stand here in the order of the XDR. A tuple, so as not to pass for a vec.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ScError:
    """An error value: `kind` as the XDR names it ("contract", "budget"), and its code."""

    kind: str
    code: int


@dataclass(frozen=True, slots=True)
class LedgerKeyInstance:
    """The key under which a ledger keeps a contract's instance."""


@dataclass(frozen=True, slots=True)
class LedgerKeyNonce:
    """The key under which a ledger keeps an address's nonce."""

    nonce: int


@dataclass(frozen=True, slots=True)
class ExternalRef:
    """Code that another contract, `owner`, offers under the name `tag`."""

    owner: Address
    tag: str


@dataclass(frozen=True, slots=True)
class ContractInstance:
    """A contract: its code (SHA-256 of the Wasm, a reference, None for an asset) and storage."""

    executable: bytes | ExternalRef | None
    storage: "dict[ScVal, ScVal] | Pairs | None"


# void → None; every integer, time point and duration → int; string → str; map → dict or Pairs.
ScVal: TypeAlias = (
    "bool | int | str | bytes | list[ScVal] | dict[ScVal, ScVal] | Pairs | ScError"
    " | ContractInstance | LedgerKeyInstance | LedgerKeyNonce | None"
)
