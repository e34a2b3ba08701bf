"""A Bloom filter of topics: says for sure that a segment has no event of a topic. Pure.

One in a hundred answers "perhaps" is wrong. Then the topic index of the segment is read in vain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b

_BITS_PER_TOPIC = 10
_HASHES = 7
"""With 10 bits a topic and 7 hashes, about 0.8 % of the answers "perhaps" are wrong."""


def build_filter(topics: Collection[str]) -> bytes:
    """The filter of these topics, each given once. It has 10 bits for each topic."""
    bits = bytearray(max(8, -(-len(topics) * _BITS_PER_TOPIC // 8)))
    size = len(bits) * 8
    for topic in topics:
        for bit in _bits(topic, size):
            bits[bit >> 3] |= 1 << (bit & 7)
    return bytes(bits)


def may_contain(filter_: bytes, topics: Iterable[str]) -> bool:
    """False if the filter was built without any of these topics. True means: perhaps with one."""
    size = len(filter_) * 8
    return any(
        all(filter_[bit >> 3] >> (bit & 7) & 1 for bit in _bits(topic, size)) for topic in topics
    )


def _bits(topic: str, size: int) -> Iterator[int]:
    digest = int.from_bytes(blake2b(topic.encode(), digest_size=16).digest(), "big")
    first, step = digest >> 64, digest & 0xFFFF_FFFF_FFFF_FFFF | 1
    return ((first + n * step) % size for n in range(_HASHES))
