"""All names that Headrace uses in Redis: the keys, the channel, and the namespace in the names.

All keys of a namespace contain the same Redis Cluster hash tag. So a commit needs one slot only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

CHANNEL = "stream-events"
"""The pub/sub channel of all committed events. Each message names its namespace (journal.wire)."""

_NETWORKS = {
    "Public Global Stellar Network ; September 2015": "public",
    "Test SDF Network ; September 2015": "testnet",
}


def namespace_of(passphrase: str, contract_id: str) -> str:
    """The default namespace of a network and its stream contract, such as `testnet-5f0c1d2e3a4b`.

    After a reset of the testnet the passphrase is the same. So the operator must set NAMESPACE.
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
        """Redis Stream of all events. The id of an entry is the position of its event."""
        return self._key("journal")

    @property
    def progress(self) -> str:
        """Hash: up to where the source has been read (shared.journal.progress)."""
        return self._key("progress")

    @property
    def loss_reports(self) -> str:
        """Hash: what each process knew when it noticed that Redis was emptied (journal.losses)."""
        return self._key("losses")

    @property
    def dead_letters(self) -> str:
        """Redis Stream of raw data that the indexer could not decode (journal.dead_letters)."""
        return self._key("dead-letters")

    @property
    def lease(self) -> str:
        """The token of the active indexer. Expires unless the indexer renews it."""
        return self._key("lease")

    @property
    def fence(self) -> str:
        """The token of the indexer that was active last. Never expires; the commit checks it."""
        return self._key("fence")

    @property
    def epoch(self) -> str:
        """When the data began, in Unix microseconds. Missing after a loss (journal.namespace)."""
        return self._key("epoch")

    @property
    def namespace_owner(self) -> str:
        """Hash: network and contracts of the first indexer (shared.journal.namespace)."""
        return self._key("made-for")

    @property
    def archive(self) -> str:
        """Hash: up to where the events are archived (shared.archive.mark)."""
        return self._key("archive")

    @property
    def archiver_lease(self) -> str:
        """The token of the active archiver. Expires unless the archiver renews it."""
        return self._key("archiver-lease")

    def stream(self, stream_id: str) -> str:
        """JSON document of one stream (shared.journal.stream_document)."""
        return self._key("stream", stream_id)

    def index(self, name: str) -> str:
        """Sorted set of streams: an index or a notice schedule (shared.journal.indexes)."""
        return self._key("index", name)

    @property
    def tokens(self) -> str:
        """Hash from the address of each token to its metadata (shared.journal.tokens)."""
        return self._key("tokens")

    def topic(self, name: str) -> str:
        """Sorted set of the positions of a topic's events (shared.journal.topic_index)."""
        return self._key("topic", name)

    def stored_response(self, digest: str) -> str:
        """The response to a request with an Idempotency-Key. Expires after a day."""
        return self._key("answer", digest)

    def transaction(self, tx_hash: str) -> str:
        """What is known of a submitted transaction (services.api.transactions.submission_store)."""
        return self._key("transaction", tx_hash)

    def transaction_claim(self, tx_hash: str) -> str:
        """Exists while a replica sends this transaction. Expires within seconds."""
        return self._key("transaction-claim", tx_hash)

    @property
    def schedule_lease(self) -> str:
        """The token of the API replica that sends notices. Expires unless it is renewed."""
        return self._key("schedule-lease")

    def ticket(self, digest: str) -> str:
        """The token of a ticket, under the SHA-256 of the ticket. Expires within seconds."""
        return self._key("ticket", digest)

    def revoked_token(self, token_id: str) -> str:
        """Exists while the token whose `jti` is `token_id` is revoked."""
        return self._key("revoke", token_id)

    def revoked_account(self, account: str) -> str:
        """Unix seconds. Tokens of the account issued at or before this time are revoked."""
        return self._key("revoke-all", account)

    @property
    def revocations(self) -> str:
        """Redis Stream of revocations. The fanouts read it to end live connections."""
        return self._key("revocations")

    def connections(self, kind: str, name: str) -> str:
        """Sorted set of the SSE connections of an account or IP address, scored by expiry."""
        return self._key("connections", kind, name)

    def challenge(self, digest: str) -> str:
        """Exists once a login has used this challenge, until the challenge expires."""
        return self._key("challenge", digest)

    @property
    def api_keys(self) -> str:
        """Hash from the id of each API key to its document. The secret itself is not stored."""
        return self._key("api-keys")

    def rate(self, policy: str, client: str) -> str:
        """When a client's quota of a policy is full again: Unix microseconds of Redis' clock."""
        return self._key("rate", policy, client)

    @property
    def webhooks(self) -> str:
        """Hash from the id of each webhook endpoint to its document (shared.webhooks.store)."""
        return self._key("webhooks")

    def webhooks_of(self, account: str) -> str:
        """Sorted set of the endpoints of all logins of an account, scored by creation."""
        return self._key("webhooks-of", account)

    @property
    def webhook_changes(self) -> str:
        """Redis Stream: changes of endpoints, for dispatchers (shared.webhooks.changes)."""
        return self._key("webhook-changes")

    @property
    def webhook_progress(self) -> str:
        """Hash: how far the deliveries to each endpoint are (shared.webhooks.progress)."""
        return self._key("webhook-progress")

    def webhook_attempts(self, endpoint_id: str) -> str:
        """List of the last attempts to deliver to an endpoint (shared.webhooks.attempts)."""
        return self._key("webhook-attempts", endpoint_id)

    def webhook_redeliveries(self, endpoint_id: str) -> str:
        """Hash of the redeliveries that have not ended (shared.webhooks.redeliveries)."""
        return self._key("webhook-redeliveries", endpoint_id)

    def webhook_partition(self, number: int) -> str:
        """The token of the dispatcher that has this partition. Expires unless it is renewed."""
        return self._key("webhook-partition", str(number))

    @property
    def webhook_dispatchers(self) -> str:
        """Sorted set of the dispatchers that run, scored by expiry."""
        return self._key("webhook-dispatchers")
