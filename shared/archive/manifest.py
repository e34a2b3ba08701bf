"""The manifest of a segment: which entries it has, its files, its hashes, its signature. Pure.

See docs/decisions/0119-the-chain-runs-over-entries.md.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import orjson

from shared.archive.errors import DamagedArchiveError
from shared.domain.position import Position, parse_position

FORMAT = 1
"""The version of the format of manifests and segments."""

_POSITIONS = ("before", "first", "last")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of one segment.

    `before` is the position before the first entry, and the name of the manifest. `size` is the
    number of bytes of the Parquet file `file`. `chain_before` and `chain` are the chain hashes
    before the first and after the last entry, in hex. Times are in Unix microseconds. `topics` is
    a filter (shared.archive.topic_filter). `erased` names the entries whose body was replaced.

    `progress` are the fields of the progress hash (shared.journal.progress) if the segment ends
    where the journal ended, else empty. They were read before the journal. So the archive has
    every event up to this cursor. `owner` is the network and the contract of the namespace.
    """

    before: Position
    first: Position
    last: Position
    count: int
    size: int
    file: str
    sha256: str
    index: str
    index_sha256: str
    index_size: int
    chain_before: str
    chain: str
    first_published: int
    last_published: int
    first_ledger: int | None
    last_ledger: int | None
    topics: bytes
    erased: tuple[Position, ...] = ()
    progress: Mapping[str, str] = field(default_factory=dict)
    owner: Mapping[str, str] = field(default_factory=dict)
    signature: str | None = None

    def encode(self) -> bytes:
        """The canonical JSON: sorted keys, no spaces, UTF-8."""
        return orjson.dumps(self._document(), option=orjson.OPT_SORT_KEYS)

    def _document(self) -> dict[str, object]:
        document: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        document |= {name: str(document[name]) for name in _POSITIONS}
        document["topics"] = b64encode(self.topics).decode()
        document["erased"] = [str(each) for each in self.erased]
        mappings = {"progress": dict(self.progress), "owner": dict(self.owner)}
        return document | mappings | {"format": FORMAT}

    @classmethod
    def decode(cls, raw: bytes) -> Manifest:
        """Read a manifest. Raises DamagedArchiveError if it is none, or of another format."""
        try:
            document = orjson.loads(raw)
            if document["format"] != FORMAT:
                raise ValueError(f"its format is {document['format']}, expected {FORMAT}")
            known = {each.name: document[each.name] for each in fields(cls)}
            known |= {name: parse_position(known[name]) for name in _POSITIONS}
            known["topics"] = b64decode(known["topics"], validate=True)
            known["erased"] = tuple(map(parse_position, known["erased"]))
        except (ValueError, TypeError, KeyError, binascii.Error) as error:
            raise DamagedArchiveError(f"not a manifest: {raw[:80]!r}: {error!r}") from error
        return cls(**known)

    def signed(self, seed: str | None) -> Manifest:
        """A copy with a signature by the secret seed (`S…`); without one if `seed` is None."""
        if seed is None:
            return replace(self, signature=None)
        from stellar_sdk import Keypair  # noqa: PLC0415  only an archiver with a seed needs it

        signature = Keypair.from_secret(seed).sign(self._unsigned())
        return replace(self, signature=b64encode(signature).decode())

    def check_signature(self, key: str) -> None:
        """Check the signature with the public key (`G…`). Raises DamagedArchiveError."""
        from stellar_sdk import Keypair  # noqa: PLC0415
        from stellar_sdk.exceptions import BadSignatureError  # noqa: PLC0415

        if self.signature is None:
            raise DamagedArchiveError(f"the manifest {self.before} has no signature")
        try:
            signature = b64decode(self.signature, validate=True)
            Keypair.from_public_key(key).verify(self._unsigned(), signature)
        except (BadSignatureError, binascii.Error) as error:
            raise DamagedArchiveError(
                f"the signature of the manifest {self.before} is not by {key}"
            ) from error

    def _unsigned(self) -> bytes:
        return replace(self, signature=None).encode()
