"""A webhook endpoint: the URL of a receiver, and the events that it gets. Pure.

The API writes endpoints. A dispatcher only reads them, and keeps what it did in
`shared.webhooks.progress`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from shared.domain.events import LOSS_TYPES
from shared.domain.position import Position, parse_position
from shared.domain.topics import Subscription, matches, user_topic
from shared.journal.wire import JournalEntry


class DeliveryOrder(StrEnum):
    """Which deliveries wait for the previous one."""

    ENDPOINT = "endpoint"
    """All: each event waits until the one before it was acknowledged."""
    STREAM = "stream"
    """Those of one stream. Events of different streams are delivered at the same time."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A signing secret as it is stored (shared.webhooks.secrets).

    `expires` is in Unix seconds: from then on the secret signs nothing. None: it does not expire.
    """

    sealed: str
    expires: int | None = None

    def signs(self, now: float) -> bool:
        """True if it has not expired."""
        return self.expires is None or self.expires > now


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. `created` is in Unix seconds.

    * `account`: the owner. With `sees_all`, the endpoint gets the events of all accounts.
    * `batch`: the most events of one delivery. 1: the body is the event itself.
    * `secrets`: the newest first. Each delivery is signed with all that have not expired.
    * `enabled`: False if the owner has paused it.
    * `revision` grows with each change.
    * `generation` grows when delivery begins anew: after `enabled` was set to True, or from another
      position. `begins_after` is the position after which it begins. None: where the previous
      generation stopped.
    """

    id: str
    account: str
    url: str
    subscription: Subscription
    secrets: tuple[SealedSecret, ...]
    created: int
    begins_after: Position | None
    sees_all: bool = False
    description: str = ""
    batch: int = 1
    order: DeliveryOrder = DeliveryOrder.ENDPOINT
    enabled: bool = True
    revision: int = 1
    generation: int = 1

    def wants(self, entry: JournalEntry) -> bool:
        """True if the endpoint gets this event: topic, type, and what its owner may see.

        Parties are checked at each delivery, because a stream can get new parties. Events about
        losses pass every type filter, because the lost events may have had any type.
        """
        subscription = self.subscription
        if not matches(subscription.topics, entry.topics):
            return False
        if subscription.types and entry.type not in subscription.types:
            return entry.type in LOSS_TYPES
        return self.sees_all or not entry.topics or user_topic(self.account) in entry.topics


def encode_endpoint(endpoint: Endpoint) -> bytes:
    """The stored JSON of an endpoint."""
    begins = endpoint.begins_after
    return orjson.dumps(
        {
            "id": endpoint.id,
            "account": endpoint.account,
            "url": endpoint.url,
            "topics": endpoint.subscription.topics,
            "types": sorted(endpoint.subscription.types),
            "secrets": [{"sealed": s.sealed, "expires": s.expires} for s in endpoint.secrets],
            "created": endpoint.created,
            "beginsAfter": None if begins is None else str(begins),
            "seesAll": endpoint.sees_all,
            "description": endpoint.description,
            "batch": endpoint.batch,
            "order": endpoint.order,
            "enabled": endpoint.enabled,
            "revision": endpoint.revision,
            "generation": endpoint.generation,
        }
    )


def parse_endpoint(stored: bytes) -> Endpoint:
    """The endpoint in the JSON that `encode_endpoint` made."""
    document: Mapping[str, Any] = orjson.loads(stored)
    begins = document["beginsAfter"]
    return Endpoint(
        id=document["id"],
        account=document["account"],
        url=document["url"],
        subscription=Subscription(tuple(document["topics"]), frozenset(document["types"])),
        secrets=tuple(SealedSecret(s["sealed"], s["expires"]) for s in document["secrets"]),
        created=document["created"],
        begins_after=None if begins is None else parse_position(begins),
        sees_all=document["seesAll"],
        description=document["description"],
        batch=document["batch"],
        order=DeliveryOrder(document["order"]),
        enabled=document["enabled"],
        revision=document["revision"],
        generation=document["generation"],
    )
