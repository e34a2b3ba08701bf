"""The Python types of decoded ScVals: built-in types where possible, else small classes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


class Symbol(str):
    """A Soroban symbol, such as the name of an event. It is equal to a `str` with the same text."""

    __slots__ = ()


class Address(str):
    """A strkey: account G, contract C, muxed M or W, claimable balance B, liquidity pool L."""

    __slots__ = ()


class ExecutableTag(str):
    """The name under which a contract offers its code to other contracts (in a ledger key)."""

    __slots__ = ()


class Pairs(tuple[tuple["ScVal", "ScVal"], ...]):
    """A map that a dict cannot hold: a key is not hashable, or two keys are equal in Python.

    XDR distinguishes U32(1) from U64(1) and Symbol("a") from String("a"); Python does not. The
    entries are kept in the order of the XDR. The class is a tuple, because a vec is a list.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ScError:
    """An error value: the name of its type in the XDR, such as "budget", and its code."""

    kind: str
    code: int


@dataclass(frozen=True, slots=True)
class LedgerKeyInstance:
    """The ledger key of a contract's instance."""


@dataclass(frozen=True, slots=True)
class LedgerKeyNonce:
    """The ledger key of an address's nonce."""

    nonce: int


@dataclass(frozen=True, slots=True)
class ExternalRef:
    """A reference to code that the contract `owner` offers under the name `tag`."""

    owner: Address
    tag: str


@dataclass(frozen=True, slots=True)
class ContractInstance:
    """A contract: its storage, and its code as the SHA-256 of the Wasm or as a reference.

    `executable` is None for the contract of an asset.
    """

    executable: bytes | ExternalRef | None
    storage: "dict[ScVal, ScVal] | Pairs | None"

    def pairs(self) -> "Iterable[tuple[ScVal, ScVal]]":
        """The entries of the storage. If some of their keys are lists, they are no dict."""
        return self.storage.items() if isinstance(self.storage, dict) else self.storage or ()


# void → None; integers, time points and durations → int; string → str; map → dict or Pairs.
ScVal: TypeAlias = (
    "bool | int | str | bytes | list[ScVal] | dict[ScVal, ScVal] | Pairs | ScError"
    " | ContractInstance | LedgerKeyInstance | LedgerKeyNonce | None"
)
