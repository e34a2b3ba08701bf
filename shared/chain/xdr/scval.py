"""Decode an ScVal to a Python value. A table has one small decoder for each discriminant.

In a string that is not UTF-8, wrong bytes become backslash escapes, because JSON cannot hold
surrogates. The XDR still has the exact bytes.
"""

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import TypeAlias

from shared.chain.xdr.address import address
from shared.chain.xdr.natives import (
    ContractInstance,
    ExecutableTag,
    ExternalRef,
    LedgerKeyInstance,
    LedgerKeyNonce,
    Pairs,
    ScError,
    ScVal,
    Symbol,
)
from shared.chain.xdr.reader import (
    I32,
    U32,
    Unpack,
    XdrError,
    count,
    ended_early,
    finish,
    flag,
    guarded,
    opaque,
)

# Soroban's host allows a depth of 100. A level needs two of the 1,000 frames that Python allows.
MAX_DEPTH = 200
MAX_SYMBOL = 32
_SYMBOL = 15

_ERROR_KINDS = (
    "contract",
    "wasm_vm",
    "context",
    "storage",
    "object",
    "crypto",
    "events",
    "budget",
    "value",
    "auth",
)

Decoder: TypeAlias = Callable[[bytes, int, int], tuple[ScVal, int]]
Map: TypeAlias = dict[ScVal, ScVal] | Pairs


@guarded
def decode_scval(raw: bytes) -> ScVal:
    """Decode `raw`, which must be one ScVal and nothing else. Raises XdrError."""
    value, end = scval(raw, 0, 0)
    finish(raw, end)
    return value


def scval(buf: bytes, at: int, depth: int) -> tuple[ScVal, int]:
    """Read the ScVal at offset `at`. `depth`: how many values contain this one. Raises XdrError."""
    (kind,) = U32(buf, at)
    if kind >= len(_DECODERS):
        raise XdrError(f"unknown type {kind} of an ScVal; expected 0 to {len(_DECODERS) - 1}", at)
    return _DECODERS[kind](buf, at + 4, depth)


def _bool(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    value, at = flag(buf, at)
    return value == 1, at


def _void(_buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    return None, at


def _error(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    (kind,) = U32(buf, at)
    if kind >= len(_ERROR_KINDS):
        raise XdrError(
            f"unknown type {kind} of an SCError; expected 0 to {len(_ERROR_KINDS) - 1}", at
        )
    (code,) = (I32 if kind else U32)(buf, at + 4)
    return ScError(_ERROR_KINDS[kind], code), at + 8


def _number(form: str) -> Decoder:
    """Create a decoder of a number. `form`: one struct letter for each word, the highest first."""
    words = Struct(form)
    unpack, size = words.unpack_from, words.size

    def narrow(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
        return unpack(buf, at)[0], at + size

    def wide(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
        value = 0
        for word in unpack(buf, at):
            value = value << 64 | word
        return value, at + size

    return narrow if size <= 8 else wide


def _bytes(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    return opaque(buf, at)


def _string(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    return text(buf, at)


def _symbol(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    raw, end = opaque(buf, at)
    if len(raw) > MAX_SYMBOL:
        raise XdrError(f"a symbol has {len(raw)} bytes; the maximum is {MAX_SYMBOL}", at)
    return _named(raw), end


def text(buf: bytes, at: int) -> tuple[str, int]:
    """Read a string; returns it and the offset after it."""
    raw, at = opaque(buf, at)
    return raw.decode(errors="backslashreplace"), at


@lru_cache(maxsize=4096)
def _named(raw: bytes) -> Symbol:
    return Symbol(raw.decode(errors="backslashreplace"))


def _vec(buf: bytes, at: int, depth: int) -> tuple[ScVal, int]:
    there, at = flag(buf, at)
    if not there:
        return None, at  # XDR allows an absent vec or map; the host never writes one
    n, at = count(buf, at, 4)
    depth = _deeper(depth, at)
    items = []
    for _ in range(n):
        item, at = scval(buf, at, depth)
        items.append(item)
    return items, at


def _map(buf: bytes, at: int, depth: int) -> tuple[Map | None, int]:
    there, at = flag(buf, at)
    if not there:
        return None, at
    n, at = count(buf, at, 8)
    depth = _deeper(depth, at)
    pairs: list[tuple[ScVal, ScVal]] = []
    for _ in range(n):
        (kind,) = U32(buf, at)
        # Nearly all keys are symbols.
        key, at = _symbol(buf, at + 4, depth) if kind == _SYMBOL else scval(buf, at, depth)
        value, at = scval(buf, at, depth)
        pairs.append((key, value))
    return _mapping(pairs), at


def _deeper(depth: int, at: int) -> int:
    if depth >= MAX_DEPTH:
        raise XdrError(f"values are nested more than {MAX_DEPTH} deep", at)
    return depth + 1


def _mapping(pairs: list[tuple[ScVal, ScVal]]) -> Map:
    try:
        entries = dict(pairs)
    except TypeError:  # a key is not hashable
        return Pairs(pairs)
    return entries if len(entries) == len(pairs) else Pairs(pairs)


def _address(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    return address(buf, at)


def _instance(buf: bytes, at: int, depth: int) -> tuple[ScVal, int]:
    executable, at = _executable(buf, at)
    storage, at = _map(buf, at, depth)
    return ContractInstance(executable, storage), at


def _executable(buf: bytes, at: int) -> tuple[bytes | ExternalRef | None, int]:
    (kind,) = U32(buf, at)
    if kind == 0:
        return _hash(buf, at + 4)
    if kind == 1:
        return None, at + 4
    if kind == 2:
        owner, end = address(buf, at + 4)
        tag, end = text(buf, end)
        return ExternalRef(owner, tag), end
    raise XdrError(f"unknown type {kind} of a ContractExecutable; expected 0 to 2", at)


def _hash(buf: bytes, at: int) -> tuple[bytes, int]:
    if at + 32 > len(buf):
        raise ended_early(buf)
    return buf[at : at + 32], at + 32


def _key_instance(_buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    return LedgerKeyInstance(), at


def _key_nonce(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    (nonce,) = _NONCE(buf, at)
    return LedgerKeyNonce(nonce), at + 8


def _tag(buf: bytes, at: int, _depth: int) -> tuple[ScVal, int]:
    name, at = text(buf, at)
    return ExecutableTag(name), at


_NONCE: Unpack = Struct(">q").unpack_from
_u64 = _number(">Q")
_DECODERS: tuple[Decoder, ...] = (
    _bool,
    _void,
    _error,
    _number(">I"),
    _number(">i"),
    _u64,
    _number(">q"),
    _u64,  # time point
    _u64,  # duration
    _number(">QQ"),
    _number(">qQ"),
    _number(">QQQQ"),
    _number(">qQQQ"),
    _bytes,
    _string,
    _symbol,
    _vec,
    _map,
    _address,
    _instance,
    _key_instance,
    _key_nonce,
    _tag,
)
