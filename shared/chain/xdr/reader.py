"""Read the basic parts of XDR (RFC 4506): numbers, lengths and opaque bytes. Defines XdrError.

A decoder is a plain function of (bytes, offset). It returns a value and the offset after the value.
Offsets are local variables, because attributes of a reader object would be slower.
"""

import struct
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar

from shared.domain.errors import HeadraceError

P = ParamSpec("P")
T = TypeVar("T")

Unpack: TypeAlias = Callable[[bytes, int], tuple[int]]

U32: Unpack = struct.Struct(">I").unpack_from
I32: Unpack = struct.Struct(">i").unpack_from

_ZEROS = (b"", b"\0", b"\0\0", b"\0\0\0")


class XdrError(HeadraceError, ValueError):
    """The bytes are not the expected XDR.

    `what` says what was found and what was expected; `offset` says where, in bytes.
    """

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} (at byte {offset})")
        self.what = what
        self.offset = offset


def guarded(decode: Callable[Concatenate[bytes, P], T]) -> Callable[Concatenate[bytes, P], T]:
    """Wrap a decoder, so that reading past the end of the bytes raises XdrError."""

    @wraps(decode)
    def guard(raw: bytes, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return decode(raw, *args, **kwargs)
        except (struct.error, IndexError) as error:
            raise ended_early(raw) from error

    return guard


def ended_early(buf: bytes) -> XdrError:
    """Create the error for bytes that end before the value does."""
    return XdrError("the bytes end before the value does", len(buf))


def finish(buf: bytes, at: int) -> None:
    """Raise XdrError if the value does not end exactly at the end of the bytes."""
    if at > len(buf):
        raise ended_early(buf)
    if at < len(buf):
        raise XdrError(f"{len(buf) - at} bytes are left over after the value", at)


def count(buf: bytes, at: int, least: int) -> tuple[int, int]:
    """Read an array's length; returns the length and the offset after it.

    `least`: the size of the shortest possible item, in bytes. Raises XdrError if too few bytes
    follow.
    """
    (n,) = U32(buf, at)
    at += 4
    if n * least > len(buf) - at:
        raise XdrError(f"{n} items are declared, but only {len(buf) - at} bytes follow", at - 4)
    return n, at


def flag(buf: bytes, at: int) -> tuple[int, int]:
    """Read a boolean as 0 or 1. Before an optional value, 1 says that the value is present."""
    (value,) = U32(buf, at)
    if value > 1:
        raise XdrError(f"expected a boolean (0 or 1), found {value}", at)
    return value, at + 4


def opaque(buf: bytes, at: int) -> tuple[bytes, int]:
    """Read bytes: their length, the bytes, and zeros up to a multiple of four bytes."""
    (n,) = U32(buf, at)
    start = at + 4
    end = start + n
    after = (end + 3) & ~3
    if after > len(buf):
        raise XdrError(f"expected {n} bytes and padding, but only {len(buf) - start} follow", at)
    if buf[end:after] != _ZEROS[after - end]:
        raise XdrError("padding must be zero", end)
    return buf[start:end], after
