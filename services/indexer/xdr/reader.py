"""Primitives of XDR (RFC 4506): numbers, lengths, opaque bytes, and the one error of this package.

A decoder here is a plain function of (bytes, position) that returns a value and the position after
it. There is no cursor object: positions are local variables, which is what makes decoding quick.
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
    """Bytes that are not the XDR they should be.

    `what` says what was found and what would be right, `offset` where, in bytes from the start.
    """

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} (at byte {offset})")
        self.what = what
        self.offset = offset


def guarded(decode: Callable[Concatenate[bytes, P], T]) -> Callable[Concatenate[bytes, P], T]:
    """Let `decode` read past the end of its bytes: that becomes an `XdrError`."""

    @wraps(decode)
    def guard(raw: bytes, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return decode(raw, *args, **kwargs)
        except struct.error as error:
            raise ended_early(raw) from error

    return guard


def ended_early(buf: bytes) -> XdrError:
    """Return the error for bytes that end before the value does."""
    return XdrError("the bytes end before the value does", len(buf))


def finish(buf: bytes, at: int) -> None:
    """Refuse bytes that go on after the value, or a value that goes on after the bytes."""
    if at > len(buf):
        raise ended_early(buf)
    if at < len(buf):
        raise XdrError(f"{len(buf) - at} bytes are left over after the value", at)


def count(buf: bytes, at: int, least: int) -> tuple[int, int]:
    """Read an array's length; items of `least` bytes or more must fit in what is left."""
    (n,) = U32(buf, at)
    at += 4
    if n * least > len(buf) - at:
        raise XdrError(f"{n} items are declared, but only {len(buf) - at} bytes follow", at - 4)
    return n, at


def flag(buf: bytes, at: int) -> tuple[int, int]:
    """Read a boolean, which is also how an optional says whether it is there."""
    (value,) = U32(buf, at)
    if value > 1:
        raise XdrError(f"{value} stands where a boolean, 0 or 1, is due", at)
    return value, at + 4


def opaque(buf: bytes, at: int) -> tuple[bytes, int]:
    """Read bytes of a declared length, and the zeros that pad them to a multiple of four."""
    (n,) = U32(buf, at)
    start = at + 4
    end = start + n
    after = (end + 3) & ~3
    if after > len(buf):
        raise XdrError(f"{n} bytes and padding are due, but only {len(buf) - start} follow", at)
    if buf[end:after] != _ZEROS[after - end]:
        raise XdrError("padding must be zero", end)
    return buf[start:end], after
