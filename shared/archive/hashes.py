"""The proof chain: a hash of each entry, and one that links all entries up to it. Pure.

The chain runs over entries. So it does not depend on how the entries are cut into segments: when
small segments are merged, every chain hash stays. An erased body keeps the hash of the original
entry, so the chain can still be verified.

See docs/decisions/0119-the-chain-runs-over-entries.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from shared.journal.wire import JournalEntry

HASH_BYTES = 32

CHAIN_START = bytes(HASH_BYTES)
"""The chain hash before the first entry of an archive."""


def entry_hash(entry: JournalEntry) -> bytes:
    r"""SHA-256 over `<position>\n<previous>\n<type> <topic> <topic>…\n<body>`, 32 bytes."""
    header = " ".join((entry.type, *entry.topics))
    head = f"{entry.position}\n{entry.previous}\n{header}\n"
    return sha256(head.encode() + entry.body).digest()


def chain_hash(before: bytes, hash_of_entry: bytes) -> bytes:
    """The chain hash after an entry: SHA-256 over the chain hash before it and the entry's hash."""
    return sha256(before + hash_of_entry).digest()


def chain_of(before: bytes, hashes: Iterable[bytes]) -> bytes:
    """The chain hash after all these entries."""
    for each in hashes:
        before = sha256(before + each).digest()
    return before
