"""Skip values that need not be decoded: a shape finds the end of a value.

A shape is a function of (bytes, offset); it returns the offset after the value. A shape of a fixed
size does not check that there are enough bytes. Offsets only grow, so the next read or the caller's
`finish` notices an offset past the end.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from services.indexer.xdr.reader import U32, XdrError, count, ended_early, flag

Shape: TypeAlias = Callable[[bytes, int], int]
Part: TypeAlias = Shape | int  # an int is a fixed size in bytes
# Returns the offset after the value's fixed part, and how many values this value contains.
Branch: TypeAlias = Callable[[bytes, int], tuple[int, int]]


def fixed(size: int) -> Shape:
    """Create a shape of `size` bytes with any content."""
    return lambda _buf, at: at + size


def _shape(part: Part) -> Shape:
    return fixed(part) if isinstance(part, int) else part


def struct(*parts: Part) -> Shape:
    """Create a shape of several values, one after the other."""
    shapes = tuple(_shape(part) for part in parts)

    def skip(buf: bytes, at: int) -> int:
        for shape in shapes:
            at = shape(buf, at)
        return at

    return skip


def union(name: str, arms: Mapping[int, Part]) -> Shape:
    """Create a shape of a union: a discriminant, then the value (arm) that it selects.

    An unknown discriminant raises XdrError.
    """
    shapes = {number: _shape(part) for number, part in arms.items()}

    def skip(buf: bytes, at: int) -> int:
        (number,) = U32(buf, at)
        if number not in shapes:
            raise XdrError(f"unknown arm {number} of {name}; expected one of {sorted(shapes)}", at)
        return shapes[number](buf, at + 4)

    return skip


def array(part: Part) -> Shape:
    """Create a shape of a length and that many values, each of which has at least 4 bytes."""
    shape = _shape(part)

    def skip(buf: bytes, at: int) -> int:
        n, at = count(buf, at, 4)
        for _ in range(n):
            at = shape(buf, at)
        return at

    return skip


def optional(part: Part) -> Shape:
    """Create a shape of a value that may be absent."""
    shape = _shape(part)

    def skip(buf: bytes, at: int) -> int:
        there, at = flag(buf, at)
        return shape(buf, at) if there else at

    return skip


def opaque(buf: bytes, at: int) -> int:
    """Skip bytes or text: a length, the bytes, and padding to a multiple of four."""
    n, at = count(buf, at, 1)
    return at + (n + 3 & ~3)


def tree(name: str, leaves: Mapping[int, int], branches: Mapping[int, Branch]) -> Shape:
    """Create a shape of a recursive union. `name` is for error messages.

    `leaves`: the size in bytes of each case that contains no other values. `branches`: a function
    for each of the other cases. The values that are still to be skipped are counted, without
    recursion, so deep nesting costs nothing. Each value has at least four bytes, so the time is
    linear in the size of the XDR.
    """

    def skip(buf: bytes, at: int) -> int:
        due = 1
        while due:
            (kind,) = U32(buf, at)
            due -= 1
            if kind in leaves:
                at += 4 + leaves[kind]
            elif kind in branches:
                at, children = branches[kind](buf, at + 4)
                due += children
            else:
                raise XdrError(f"unknown type {kind} of {name}", at)
            if 4 * due > len(buf) - at:
                raise ended_early(buf)
        return at

    return skip


def leaf(shape: Shape) -> Branch:
    """Create a branch for a value that contains no other values; `shape` finds its end."""
    return lambda buf, at: (shape(buf, at), 0)


def children(each: int = 1) -> Branch:
    """Create a branch for a number and that many entries, each of which has `each` values."""

    def branch(buf: bytes, at: int) -> tuple[int, int]:
        n, at = count(buf, at, 4 * each)
        return at, n * each

    return branch


def maybe(branch: Branch) -> Branch:
    """Create a branch that may be absent."""

    def optional_branch(buf: bytes, at: int) -> tuple[int, int]:
        there, at = flag(buf, at)
        return branch(buf, at) if there else (at, 0)

    return optional_branch
