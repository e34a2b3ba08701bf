"""The oracle for the decoder: stellar-sdk's XDR classes, filled with random values.

`throw(cls, seed)` makes a random value of an XDR class of the SDK: the class reads itself from dice
instead of bytes. `native(value)` returns what an SCVal of the SDK should decode to.
"""

import inspect
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any

import pytest
from stellar_sdk import scval, xdr
from xdrlib3 import Unpacker

from shared.chain.xdr import (
    ContractInstance,
    ExecutableTag,
    ExternalRef,
    LedgerKeyInstance,
    LedgerKeyNonce,
    Pairs,
    ScError,
    ScVal,
    XdrError,
)

T = xdr.SCValType
TEXTS = (b"", b"id", b"stream_created", "café".encode(), b"\xff\0\xc3", b"a" * 32)


@cache
def arms(union: Any) -> list[int]:
    return [int(n) for n in re.findall(r"if v == (\d+)", inspect.getsource(union.unpack))]


@cache
def members(enum: Any, union: Any) -> list[int]:
    """The members for which `union` has arms: an Asset, for example, cannot be a pool share."""
    names = re.findall(rf"{enum.__name__}\.(\w+)", inspect.getsource(union.unpack))
    return [int(enum[name]) for name in names if name != "unpack"] or [int(each) for each in enum]


class Dice(Unpacker):
    """A reader without bytes: it looks at its caller, and returns a value that fits there."""

    def __init__(self, seed: int, budget: int = 3000) -> None:
        super().__init__(b"")
        self.random = random.Random(seed)
        self.budget = budget  # of lengths and optionals, so that the value is finite

    def get_buffer(self) -> Any:
        return range(1 << 20)  # the SDK compares lengths with the remaining bytes

    def bits(self, n: int) -> int:
        return self.random.choice((0, 1, 2 ** (n - 1), 2**n - 1, self.random.getrandbits(n)))

    def unpack_int(self) -> int:
        enum = sys._getframe(1).f_locals.get("cls")
        if enum and issubclass(enum, IntEnum):
            return self.random.choice(members(enum, sys._getframe(2).f_locals["cls"]))
        owner = sys._getframe(2).f_locals["cls"]  # the class whose Integer.unpack called
        return self.bits(32) - 2**31 if owner is xdr.Int32 else self.random.choice(arms(owner))

    def unpack_uint(self) -> int:
        asks = sys._getframe(1)
        if asks.f_code.co_qualname == "UnsignedInteger.unpack":
            return self.bits(32)
        if asks.f_code.co_qualname in ("String.unpack", "Opaque.unpack"):
            most: int = asks.f_locals.get("max_size") or asks.f_locals["size"]
            return min(most, len(self.random.choice(TEXTS)))
        self.budget -= 1
        return self.random.choice((0, 1, 1, 2)) if self.budget > 0 else 0

    def unpack_fopaque(self, n: int) -> bytes:
        return self.random.choice([text for text in TEXTS if len(text) == n] or [self.noise(n)])

    def noise(self, n: int) -> bytes:
        return self.random.randbytes(n)

    def unpack_hyper(self) -> int:
        return self.bits(64) - 2**63

    def unpack_uhyper(self) -> int:
        return self.bits(64)

    def unpack_bool(self) -> bool:
        return self.random.random() < 0.5


def throw(cls: Any, seed: int) -> Any:
    return cls.unpack(Dice(seed))


def text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")


def error(value: Any) -> ScError:
    kind = value.error.type.name.removeprefix("SCE_").lower()
    code = value.error.contract_code
    return ScError(kind, value.error.code if code is None else code.uint32)


def mapping(entries: list[xdr.SCMapEntry]) -> dict[ScVal, ScVal] | Pairs:
    pairs = [(native(entry.key), native(entry.val)) for entry in entries]
    try:
        return dict(pairs) if len(dict(pairs)) == len(pairs) else Pairs(pairs)
    except TypeError:
        return Pairs(pairs)


def instance(value: xdr.SCContractInstance) -> ContractInstance:
    executable: bytes | ExternalRef | None = None
    if value.executable.wasm_hash:
        executable = value.executable.wasm_hash.hash
    elif ref := value.executable.external_ref:
        owner = xdr.SCVal(T.SCV_ADDRESS, address=ref.executable_owner)
        executable = ExternalRef(native(owner), text(ref.tag.sc_string))
    storage = mapping(value.storage.sc_map) if value.storage else None
    return ContractInstance(executable, storage)


NATIVES: dict[T, Any] = {
    T.SCV_BOOL: scval.from_bool,
    T.SCV_VOID: scval.from_void,
    T.SCV_ERROR: error,
    T.SCV_U32: scval.from_uint32,
    T.SCV_I32: scval.from_int32,
    T.SCV_U64: scval.from_uint64,
    T.SCV_I64: scval.from_int64,
    T.SCV_TIMEPOINT: scval.from_timepoint,
    T.SCV_DURATION: scval.from_duration,
    T.SCV_U128: scval.from_uint128,
    T.SCV_I128: scval.from_int128,
    T.SCV_U256: scval.from_uint256,
    T.SCV_I256: scval.from_int256,
    T.SCV_BYTES: scval.from_bytes,
    T.SCV_STRING: lambda value: text(value.str.sc_string),
    T.SCV_SYMBOL: lambda value: text(value.sym.sc_symbol),
    T.SCV_VEC: lambda value: value.vec and [native(item) for item in value.vec.sc_vec],
    T.SCV_MAP: lambda value: value.map and mapping(value.map.sc_map),
    T.SCV_ADDRESS: lambda value: scval.from_address(value).address,
    T.SCV_CONTRACT_INSTANCE: lambda value: instance(value.instance),
    T.SCV_LEDGER_KEY_CONTRACT_INSTANCE: lambda _: LedgerKeyInstance(),
    T.SCV_LEDGER_KEY_NONCE: lambda value: LedgerKeyNonce(value.nonce_key.nonce.int64),
    T.SCV_EXECUTABLE_TAG: lambda value: ExecutableTag(text(value.executable_tag.sc_string)),
}


def failure(decode: Callable[[bytes], object], raw: bytes) -> XdrError | None:
    try:
        decode(raw)
    except XdrError as error:
        return error
    return None


def native(value: xdr.SCVal) -> Any:
    return NATIVES[value.type](value)


@pytest.mark.parametrize(
    ("cls", "discriminant"),
    [
        (xdr.SCVal, "type"),
        (xdr.SCAddress, "type"),
        (xdr.LedgerEntryData, "type"),
        (xdr.LedgerEntryChange, "type"),
        (xdr.ClaimPredicate, "type"),
        (xdr.SignerKey, "type"),
        (xdr.ConfigSettingEntry, "config_setting_id"),
    ],
)
def test_the_dice_make_every_arm_and_valid_xdr(cls: Any, discriminant: str) -> None:
    thrown = [throw(cls, seed) for seed in range(500)]
    kinds = Counter(getattr(value, discriminant) for value in thrown)
    assert len(kinds) == len(type(next(iter(kinds))).__members__)
    assert all(cls.from_xdr_bytes(value.to_xdr_bytes()) == value for value in thrown)
