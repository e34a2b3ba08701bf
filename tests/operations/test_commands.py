"""Each command of docs/operations, run word by word in a shell, in the order of the pages.

docs/decisions/0103-commands-of-the-pages-are-run.md says what is real in these runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from stellar_sdk import Keypair

from deploy.simulator.chain import accounts
from tests.operations import move_redis, rotate
from tests.operations.pages import ELSEWHERE, PAGES, blocks
from tests.operations.site import Site, site
from tests.operations.subscriber import nothing_is_missed
from tests.operations.terminal import Result
from tests.support.redis_servers import find_servers, one_of_each_kind
from tests.support.tier import at_length

pytestmark = pytest.mark.timeout(300)

FIRST = ["install.md", "compose.md", "scale.md", "first-minutes.md", "dead-letters.md"]
LAST = ["upgrade.md", "drain.md", "move-redis.md"]
ORDER = [*FIRST, *(p for p in PAGES if p not in {*FIRST, *LAST, *ELSEWHERE}), *LAST]
"""The pages in the order in which an operator needs them. Each begins with what the others left."""

PAGES_AT_NIGHT = {
    "dead-letters.md",
    "first-minutes.md",
    "move-redis.md",
    "rotate.md",
    "scale.md",
    "upgrade.md",
    "webhooks.md",
}
"""They take one to two minutes each. tests/deploy/engine runs upgrade.md too."""

NOT_RUN = {
    ("install.md", "try it out with compose"): "tests/deploy/test_topology.py runs simulated.env",
    ("drain.md", "stop everything with compose"): "backup.md has the same command",
    ("drain.md", "start everything with compose"): "backup.md has the same command",
    ("archive.md", "use a bucket with compose"): "it needs a bucket",
    ("archive.md", "end archiving with compose"): "later pages need the archive",
    ("archive.md", "erase the metadata of a stream with compose"): "it needs the id of a stream",
    ("backup.md", "backup"): "tests/deploy/test_redis_backup.py runs it",
    ("backup.md", "restore"): "tests/deploy/test_redis_backup.py runs it",
}
AT_NIGHT = {
    ("archive.md", "stop the services before a restore from the archive"): "it takes a minute",
    ("archive.md", "empty Redis with compose"): "it needs the block before it",
    ("archive.md", "restore from the archive with compose"): "it needs the block before it",
    ("backup.md", "restore with compose"): "tests/deploy/test_redis_backup.py runs it each day",
    ("namespace.md", "fill a new namespace"): "it needs ten seconds of CPU time",
    ("namespace.md", "how far the second indexer is"): "it needs the block before it",
    ("namespace.md", "use the new namespace"): "it needs the block before it",
    ("upgrade.md", "roll back with compose"): "it is the upgrade again",
    ("memory.md", "keep less history"): "it is a restart of two services, as on other pages",
}
"""What runs in `make nightly` only, with the reason."""
REPLACED = {
    ("compose.md", "a certificate for the gateway"): {"sudo install": "install", " -o 101": ""},
    ("dead-letters.md", "verify ledgers with compose"): {"3700029": "3700003"},
    ("dead-letters.md", "verify ledgers in Kubernetes"): {"3700029": "3700003"},
    ("webhooks.md", "more dispatchers with compose"): {"=3": "=2"},
    ("webhooks.md", "more dispatchers in Kubernetes"): {"=3": "=2"},
}
"""What is typed differently: test time, and names of things that exist only in the example."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    server = [*one_of_each_kind(find_servers()).values()][-1]  # a Valkey, if there is one
    async with site(tmp_path_factory.mktemp("site"), server) as opened:
        yield opened


def use_the_simulated_network(here: Site, _: Result) -> None:
    here.set(
        COMPOSE_PROFILES="simulated",
        HORIZON_URL="http://network:8080",
        RPC_URL="http://network:8080/rpc",
        NETWORK_PASSPHRASE="Headrace Local Network ; November 2026",
        CONTRACTS=f"{accounts.STREAMS}:stream",
        START="earliest",
        SIGNING_SEED=Keypair.random().secret,
        DISPATCHERS="1",
    )


def replicas(service: str, count: int) -> Callable[[Site, Result], None]:
    def check(here: Site, result: Result) -> None:
        assert result.text.count(f"headrace-{service}-") == count
        assert len(here.composed.running[service]) == count

    return check


def prints(*texts: str) -> Callable[[Site, Result], None]:
    def check(_: Site, result: Result) -> None:
        for text in texts:
            assert text in result.text + result.errors

    return check


def another_namespace(here: Site, _: Result) -> None:
    assert not here.composed.running["headrace-filling"]
    for name in ("indexer", "api", "fanout"):
        for replica in here.composed.running[name]:
            assert replica.environment["NAMESPACE"] == "second"


AFTER: dict[tuple[str, str], Callable[[Site, Result], None]] = {
    ("install.md", "settings and secrets for compose"): use_the_simulated_network,
    ("install.md", "start with compose"): prints("headrace-fanout-2", "headrace-gateway-1"),
    ("install.md", "the state of all services"): prints('"indexer"', '"fanout'),
    ("install.md", "events as they arrive"): prints('"type":"connected"'),
    ("scale.md", "more fanouts with compose"): replicas("fanout", 4),
    ("scale.md", "fewer fanouts with compose"): replicas("fanout", 2),
    ("dead-letters.md", "verify ledgers with compose"): prints("against horizon: all equal"),
    ("dead-letters.md", "verify the states with compose"): prints("equal"),
    ("namespace.md", "use the new namespace"): another_namespace,
    ("first-minutes.md", "is it ready, with compose"): prints("200 OK", '"ready":true'),
    ("first-minutes.md", "is it ready, in Kubernetes"): prints("200", '"ready":true'),
    ("first-minutes.md", "is Redis well, with compose"): prints("PONG", "aof_enabled:1"),
    ("webhooks.md", "encrypt the secrets of webhooks with compose"): prints("All secrets"),
    ("webhooks.md", "encrypt the secrets of webhooks in Kubernetes"): prints("All secrets"),
    ("webhooks.md", "more dispatchers with compose"): replicas("webhooks", 2),
}
"""What must be true after a block."""


async def run(here: Site, page: str) -> None:
    for each in blocks(page):
        key = page, each.name
        if key not in left_out():
            AFTER.get(key, lambda *_: None)(here, await here.run(each, REPLACED.get(key)))


def left_out() -> set[tuple[str, str]]:
    return {*NOT_RUN, *at_length(AT_NIGHT, {})}


async def upgrade(here: Site) -> None:
    before = {replica.address for replica in here.composed.running["fanout"]}
    await run(here, "upgrade.md")
    assert not before & {replica.address for replica in here.composed.running["fanout"]}


@pytest.mark.io
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=pytest.mark.nightly) if p in PAGES_AT_NIGHT else p for p in ORDER],
)
async def test_the_commands_of_a_page_do_what_it_says(
    here: Site, page: str, tmp_path: Path
) -> None:
    here.terminal.forget()
    match page:
        case "rotate.md":
            await rotate.run(here)
        case "move-redis.md":
            await move_redis.run(here, tmp_path)
        case "scale.md":
            async with nothing_is_missed(here):
                await run(here, page)
        case "upgrade.md":
            async with nothing_is_missed(here):
                await upgrade(here)
        case _:
            await run(here, page)
    missing = {each for each in blocks(page) if (page, each.name) not in left_out()} - here.done
    assert not missing, "blocks that were not run"


def test_the_tables_name_blocks_that_exist() -> None:
    known = {(page, each.name) for page in PAGES for each in blocks(page)}
    assert {*NOT_RUN, *AT_NIGHT, *REPLACED, *AFTER} <= known
