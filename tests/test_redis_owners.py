"""Each structure in Redis has one owner module: only it uses the key of the structure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.test_architecture import ROOT, modules, name_of, tree

SCRIPTS = ("shared.journal.plan", "shared.journal.namespace")
"""Modules that name the keys of the commit's and the claim's Lua scripts."""
REBUILDING = "shared.journal.rebuilding"
"""Writes all of a namespace, for a restore from the archive."""
FOLLOWING = "services.webhooks.reading.following"
"""Waits for the journal and the log of changes in one blocking read."""
OWNERS: dict[str, tuple[str, ...]] = {
    "journal": (
        *("shared.journal.reader", "shared.journal.topic_reader", "shared.journal.size"),
        *(*SCRIPTS, REBUILDING, FOLLOWING),
    ),
    "progress": ("shared.journal.progress", *SCRIPTS, REBUILDING),
    "topic": ("shared.journal.topic_index", "shared.journal.streams", *SCRIPTS, REBUILDING),
    "stream": ("shared.journal.streams", *SCRIPTS, REBUILDING),
    "index": ("shared.journal.stream_indexes", "shared.journal.tokens", *SCRIPTS, REBUILDING),
    "tokens": ("shared.journal.tokens",),
    "dead_letters": ("shared.journal.dead_letters", *SCRIPTS),
    "loss_reports": ("shared.journal.losses",),
    "namespace_owner": ("shared.journal.namespace",),
    "epoch": ("shared.journal.namespace", "shared.auth.revocations"),
    "revoked_token": ("shared.auth.revocations",),
    "revoked_account": ("shared.auth.revocations",),
    "revocations": ("shared.auth.revocations",),
    "challenge": ("shared.auth.revocations",),
    "ticket": ("shared.auth.tickets",),
    "lease": ("services.indexer.app", "services.archiver.commands.restore"),
    "archive": ("shared.archive.mark", *SCRIPTS),
    "archiver_lease": ("services.archiver.turns", "shared.archive.mark"),
    "fence": ("services.indexer.app", *SCRIPTS, "services.archiver.commands.restore"),
    "schedule_lease": ("services.api.streams.notices",),
    "stored_response": (
        *("services.api.http.idempotency", "services.webhooks.delivering.announcing"),
    ),
    "transaction": ("services.api.transactions.submission_store",),
    "transaction_claim": ("services.api.transactions.submission_store",),
    "rate": ("services.api.http.rate_limits",),
    "api_keys": ("services.api.auth.api_keys",),
    "webhooks": (
        *("shared.webhooks.store", "shared.webhooks.progress", "shared.webhooks.attempts"),
        "shared.webhooks.redeliveries",
    ),
    "webhooks_of": ("shared.webhooks.store",),
    "webhook_changes": (
        *("shared.webhooks.changes", "shared.webhooks.store", "shared.webhooks.redeliveries"),
        FOLLOWING,
    ),
    "webhook_progress": ("shared.webhooks.progress", "shared.webhooks.store"),
    "webhook_attempts": (
        *("shared.webhooks.attempts", "shared.webhooks.progress", "shared.webhooks.store"),
    ),
    "webhook_redeliveries": ("shared.webhooks.redeliveries", "shared.webhooks.store"),
    "webhook_partition": (
        *("services.webhooks.partitions.leases", "shared.webhooks.progress"),
        "shared.webhooks.redeliveries",
    ),
    "webhook_dispatchers": ("services.webhooks.partitions.membership",),
    "connections": ("services.fanout.connections.limits",),
}
"""Each structure in Redis and the modules that may use its key; the owner comes first."""
SAMPLES = "shared.redis.durability"
"""Names keys only as samples for ACL DRYRUN; it touches none of them."""


def key_uses(path: Path) -> Iterator[str]:
    """The structures whose keys a module takes from an object named `keys` or `_keys`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and node.attr in OWNERS:
            holder = node.value
            name = getattr(holder, "attr", getattr(holder, "id", ""))
            if name in {"keys", "_keys"}:
                yield node.attr


def test_the_key_of_a_redis_structure_is_used_by_its_owner_alone() -> None:
    foreign = [
        f"{name_of(path)} uses keys.{structure}, owner: {OWNERS[structure][0]}"
        for path in modules("shared", "services")
        if name_of(path) != SAMPLES
        for structure in key_uses(path)
        if name_of(path) not in OWNERS[structure]
    ]
    assert foreign == []


def test_every_key_has_an_owner_that_uses_it() -> None:
    keys = next(
        node
        for node in tree(ROOT / "shared/journal/keys.py").body
        if isinstance(node, ast.ClassDef) and node.name == "Keys"
    )
    names = {each.name for each in keys.body if isinstance(each, ast.FunctionDef)}
    assert names - {"_key", "slot_key"} == set(OWNERS)
    for structure, (owner, *_) in OWNERS.items():
        path = (ROOT / owner.replace(".", "/")).with_suffix(".py")
        assert structure in key_uses(path), f"{owner} does not use keys.{structure}"
