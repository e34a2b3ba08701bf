"""Ids of connections. The fanout finds a connection by its id without a search.

An id is a keyed hash of the descriptor and of the number of connections that had this descriptor,
followed by the descriptor. So an id names one connection only, and nobody can guess the id of
another one. The descriptor is masked, because clients get their id and need not know how many
connections there are. The ids need 4 bytes for each descriptor.

See docs/decisions/0111-connections-are-listed-and-ended.md.
"""

from __future__ import annotations

import re
import secrets
from array import array
from hashlib import blake2s
from struct import pack

_ID = re.compile(r"([0-9a-f]{16})([0-9a-f]{8})", re.ASCII)
_LARGEST = 0xFFFF_FFFF


class ConnectionIds:
    """The ids of the connections of one process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._uses = array("I")
        """How many connections each descriptor has had."""

    def begin(self, fd: int) -> None:
        """A new connection has this descriptor."""
        missing = fd + 1 - len(self._uses)
        self._uses.extend([0] * max(0, missing))
        self._uses[fd] = (self._uses[fd] + 1) & _LARGEST

    def id_of(self, fd: int) -> str:
        """The id of the latest connection with this descriptor."""
        tag = self._hash(pack("<II", fd, self._uses[fd]), 8)
        return f"{tag.hex()}{fd ^ self._mask(tag):08x}"

    def descriptor_of(self, connection_id: str) -> int | None:
        """The descriptor of a connection; None if no descriptor has this id now."""
        if (found := _ID.fullmatch(connection_id)) is None:
            return None
        fd = int(found[2], 16) ^ self._mask(bytes.fromhex(found[1]))
        is_its_own = fd < len(self._uses) and self.id_of(fd) == connection_id
        return fd if is_its_own else None

    def _mask(self, tag: bytes) -> int:
        return int.from_bytes(self._hash(tag, 4), "little")

    def _hash(self, data: bytes, size: int) -> bytes:
        return blake2s(data, digest_size=size, key=self._key).digest()
