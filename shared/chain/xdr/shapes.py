"""Skip values that need not be decoded: a shape finds the end of a value.

XDR consists of words of four bytes. So the bytes are converted to numbers once, at the speed of C,
and a shape only adds up indexes of words. A shape is a function of (words, index); it returns the
index after the value. A shape of a fixed size does not check that there are enough words. Indexes
only grow, so the next read or the caller's `finish` notices an index past the end.

See docs/decisions/0095-skipped-xdr-is-read-as-words.md.
"""

import sys
from array import array
from collections.abc import Callable, Mapping
from typing import TypeAlias

from shared.chain.xdr.reader import XdrError, ended_early

WORD = 4
"""Bytes of a word."""

Words: TypeAlias = "array[int]"
Shape: TypeAlias = Callable[[Words, int], int]
Part: TypeAlias = Shape | int  # an int is a fixed size in bytes
# Returns the index after the value's fixed part, and how many values this value contains.
Branch: TypeAlias = Callable[[Words, int], tuple[int, int]]


def words_of(raw: bytes) -> Words:
    """Convert bytes to words. Bytes after the last whole word are left out."""
    words = array("I", raw[: len(raw) & ~(WORD - 1)])
    if sys.byteorder == "little":
        words.byteswap()
    return words


def read_count(words: Words, at: int, least: int) -> tuple[int, int]:
    """Read an array's length; returns the length and the index after it.

    `least`: the size of the shortest possible item, in words. Raises XdrError if too few words
    follow.
    """
    n = words[at]
    at += 1
    if n * least > len(words) - at:
        left = (len(words) - at) * WORD
        raise XdrError(f"{n} items are declared, but only {left} bytes follow", at * WORD - WORD)
    return n, at


def read_flag(words: Words, at: int) -> tuple[int, int]:
    """Read a boolean as 0 or 1. Before an optional value, 1 says that the value is present."""
    value = words[at]
    if value > 1:
        raise XdrError(f"expected a boolean (0 or 1), found {value}", at * WORD)
    return value, at + 1


def fixed(size: int) -> Shape:
    """Create a shape of `size` bytes with any content."""
    count = size // WORD
    return lambda _words, at: at + count


def _shape(part: Part) -> Shape:
    return fixed(part) if isinstance(part, int) else part


def struct(*parts: Part) -> Shape:
    """Create a shape of several values, one after the other."""
    shapes = tuple(_shape(part) for part in parts)

    def skip(words: Words, at: int) -> int:
        for shape in shapes:
            at = shape(words, at)
        return at

    return skip


def union(name: str, arms: Mapping[int, Part]) -> Shape:
    """Create a shape of a union: a discriminant, then the value (arm) that it selects.

    An unknown discriminant raises XdrError.
    """
    sizes = {number: part // WORD + 1 for number, part in arms.items() if isinstance(part, int)}
    shapes = {number: part for number, part in arms.items() if not isinstance(part, int)}

    def skip(words: Words, at: int) -> int:
        number = words[at]
        if number in sizes:
            return at + sizes[number]
        if number in shapes:
            return shapes[number](words, at + 1)
        raise XdrError(f"unknown arm {number} of {name}; expected one of {sorted(arms)}", at * WORD)

    return skip


def array_of(part: Part) -> Shape:
    """Create a shape of a length and that many values, each of which has at least one word."""
    shape = _shape(part)

    def skip(words: Words, at: int) -> int:
        n, at = read_count(words, at, 1)
        for _ in range(n):
            at = shape(words, at)
        return at

    return skip


def optional(part: Part) -> Shape:
    """Create a shape of a value that may be absent."""
    shape = _shape(part)

    def skip(words: Words, at: int) -> int:
        there, at = read_flag(words, at)
        return shape(words, at) if there else at

    return skip


def opaque(words: Words, at: int) -> int:
    """Skip bytes or text: a length, the bytes, and padding to a multiple of four."""
    return at + 1 + (words[at] + 3) // WORD


def tree(name: str, leaves: Mapping[int, int], branches: Mapping[int, Branch]) -> Shape:
    """Create a shape of a recursive union. `name` is for error messages.

    `leaves`: the size in bytes of each case that contains no other values. `branches`: a function
    for each of the other cases. The values that are still to be skipped are counted, without
    recursion, so deep nesting costs nothing. Each value has at least one word, so the time is
    linear in the size of the XDR.
    """
    sizes = {kind: size // WORD + 1 for kind, size in leaves.items()}

    def skip(words: Words, at: int) -> int:
        due = 1
        while due:
            kind = words[at]
            due -= 1
            if kind in sizes:
                at += sizes[kind]
            elif kind in branches:
                at, children = branches[kind](words, at + 1)
                due += children
                if due > len(words) - at:
                    raise XdrError("the bytes end before the value does", len(words) * WORD)
            else:
                raise XdrError(f"unknown type {kind} of {name}", at * WORD)
        return at

    return skip


def children(each: int = 1) -> Branch:
    """Create a branch for a number and that many entries, each of which has `each` values."""

    def branch(words: Words, at: int) -> tuple[int, int]:
        n, at = read_count(words, at, each)
        return at, n * each

    return branch


def maybe(branch: Branch) -> Branch:
    """Create a branch that may be absent."""

    def optional_branch(words: Words, at: int) -> tuple[int, int]:
        there, at = read_flag(words, at)
        return branch(words, at) if there else (at, 0)

    return optional_branch


def cut(shape: Shape, raw: bytes, words: Words, at: int) -> tuple[bytes, int]:
    """The bytes of the value at index `at`, and the index after it. `words` are those of `raw`."""
    end = shape(words, at)
    if end > len(words):
        raise ended_early(raw)
    return raw[at * WORD : end * WORD], end
