"""Every name that Headrace uses in Redis: keys, the channel, and the namespace they stand in.

All keys of a namespace bear one Redis Cluster hash tag, so that a commit touches one slot.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

CHANNEL = "stream-events"
"""Where every committed event is announced; messages name their namespace (shared.journal.wire)."""

_NETWORKS = {
    "Public Global Stellar Network ; September 2015": "public",
    "Test SDF Network ; September 2015": "testnet",
}


def namespace_of(passphrase: str, contract_id: str) -> str:
    """The default namespace of a network and its stream contract, such as `testnet-5f0c1d2e3a4b`.

    A testnet reset keeps the passphrase, so the operator names the next namespace (NAMESPACE).
    """
    digest = hashlib.sha256(f"{passphrase}\n{contract_id}".encode()).hexdigest()
    return f"{_NETWORKS.get(passphrase, 'network')}-{digest[:12]}"


@dataclass(frozen=True, slots=True)
class Keys:
    """The key names of one namespace."""

    namespace: str

    def _key(self, *parts: str) -> str:
        return f"headrace:{{{self.namespace}}}:{':'.join(parts)}"

    @property
    def slot_key(self) -> str:
        """A key of this namespace, for connections that must find the Cluster slot of its keys."""
        return self._key("journal")

    @property
    def journal(self) -> str:
        """Redis Stream of all events; an entry's id is its position."""
        return self._key("journal")

    @property
    def progress(self) -> str:
        """Hash: how far the source is read, as last committed, and where this journal began.

        `cursor`, `ledger` and `closedAt` of the source; `began`, the position before the journal's
        first entry; `told`, the position of the last journal.reset; `server`, the replication id of
        the Redis that the indexer has settled with.
        """
        return self._key("progress")

    @property
    def losses(self) -> str:
        """Hash: what each process knew when it noticed an emptied Redis (shared.journal.losses)."""
        return self._key("losses")

    @property
    def dead_letters(self) -> str:
        """Redis Stream of what the indexer could not decode, raw."""
        return self._key("dead-letters")

    @property
    def lease(self) -> str:
        """The active indexer's token; expires unless renewed."""
        return self._key("lease")

    @property
    def fence(self) -> str:
        """The token of the indexer that was active last; never expires, checked in the commit."""
        return self._key("fence")

    @property
    def epoch(self) -> str:
        """When the data began, in Unix microseconds; absent after a loss (journal.namespace)."""
        return self._key("epoch")

    @property
    def made_for(self) -> str:
        """Hash: network and contracts of the first indexer (shared.journal.namespace)."""
        return self._key("made-for")

    def stream(self, stream_id: str) -> str:
        """JSON document of one stream (shared.journal.wire)."""
        return self._key("stream", stream_id)

    def index(self, name: str) -> str:
        """Sorted set of streams, by an order or by the time of what is due (journal.indexes)."""
        return self._key("index", name)

    def topic(self, name: str) -> str:
        """Sorted set of the positions, padded with zeros, of a topic's events in the journal."""
        return self._key("topic", name)

    def answer(self, digest: str) -> str:
        """What was answered to a request with an Idempotency-Key; expires after a day."""
        return self._key("answer", digest)

    @property
    def schedule_lease(self) -> str:
        """The API replica that tells about the ends of streams; expires unless renewed."""
        return self._key("schedule-lease")

    def ticket(self, digest: str) -> str:
        """A token for one use, under the SHA-256 of its ticket; expires within seconds."""
        return self._key("ticket", digest)

    def revoked_token(self, token_id: str) -> str:
        """Exists while the token of that `jti` is revoked."""
        return self._key("revoke", token_id)

    def revoked_account(self, account: str) -> str:
        """Unix seconds: tokens of the account issued up to then are revoked."""
        return self._key("revoke-all", account)

    @property
    def revocations(self) -> str:
        """Redis Stream of revocations, which ends live connections."""
        return self._key("revocations")

    def connections(self, kind: str, name: str) -> str:
        """Sorted set of the SSE connections that an account or address holds, by expiry."""
        return self._key("connections", kind, name)

    def challenge(self, digest: str) -> str:
        """Exists while a login's challenge, by its hash, could be shown again."""
        return self._key("challenge", digest)

    @property
    def api_keys(self) -> str:
        """Hash: id of an API key to what is known of it; the key itself is nowhere."""
        return self._key("api-keys")

    def rate(self, policy: str, who: str) -> str:
        """Redis microseconds at which somebody's quota of a policy is whole again."""
        return self._key("rate", policy, who)
