"""The memory limits of the deployments follow from the settings in the same files.

docs/scaling.md, section "Memory", explains the numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import pytest

from services.fanout.settings import FanoutSettings
from services.webhooks.settings import DispatcherSettings
from tests.deploy.composed import read_compose
from tests.deploy.dockerfile import ROOT
from tests.deploy.manifests import container, deployments, environment, quantity, services_of
from tests.deploy.test_compose import SECRETS

pytestmark = pytest.mark.io(cached=True)  # the first case starts the tool

KB, MB = 1 << 10, 1 << 20
API_CONNECTIONS, GATEWAY_CLIENTS = 500, 10_000
OVERLAYS = ("production", "dev")


def setting(name: str, given: Mapping[str, str]) -> int:
    """A number as the fanout reads it."""
    return int(given.get(name.upper(), FanoutSettings.model_fields[name].default))


def fanout(given: Mapping[str, str]) -> float:
    connections = setting("max_connections", given) * 8 * KB
    bounded = setting("ring_bytes", given) + setting("total_backlog_bytes", given)
    return 110 * MB + connections + bounded + 64 * MB + ARCHIVE


ARCHIVE = 170 * MB
API = 110 * MB + API_CONNECTIONS * 160 * KB + 64 * MB + 64 * MB + ARCHIVE
ARCHIVER = 110 * MB + ARCHIVE + 128 * MB
GATEWAY = 20 * MB + GATEWAY_CLIENTS * 37 * KB + 64 * MB
INDEXER = 110 * MB + 64 * MB
DISPATCHER = 110 * MB + 10_000 * 4 * KB + ARCHIVE
"""With 10,000 webhooks. Its deliveries are below."""


def dispatcher() -> float:
    """A delivery has a body of up to 256 KB."""
    fields = DispatcherSettings.model_fields
    places = fields["webhook_connections"].default + fields["webhook_slow_connections"].default
    return DISPATCHER + float(places) * 256 * KB


def limit(needed: float) -> int:
    """The memory limit for a process that can need this much."""
    return math.ceil(needed * 1.25 / (128 * MB)) * 128 * MB


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(read_compose("testnet.env", **SECRETS)["services"])


def test_limits_of_compose(compose: dict[str, Any]) -> None:
    found = {
        name: int(service["deploy"]["resources"]["limits"]["memory"])
        for name, service in compose.items()
    }
    assert found["fanout"] == limit(fanout(compose["fanout"]["environment"]))
    assert found["api"] == limit(API)
    assert found["gateway"] == limit(GATEWAY)
    assert found["indexer"] == limit(INDEXER)
    assert found["archiver"] == limit(ARCHIVER)
    assert found["webhooks"] == limit(dispatcher())


def test_redis_has_room_for_the_journal_and_for_a_fork(compose: dict[str, Any]) -> None:
    text = compose["redis"]["environment"]["REDIS_MAXMEMORY"]
    assert text == "1gb"
    most = 1 << 30
    assert int(compose["redis"]["deploy"]["resources"]["limits"]["memory"]) == 2 * most
    for name in ("indexer", "api"):
        assert int(compose[name]["environment"]["JOURNAL_MAX_BYTES"]) <= most / 2


def test_redis_of_the_overlay_for_development_has_room_for_the_journal() -> None:
    redis = container(deployments("dev")["redis"])
    most = int(redis["args"][redis["args"].index("--maxmemory") + 1].removesuffix("mb")) * MB
    assert int(environment("dev", "indexer")["JOURNAL_MAX_BYTES"]) <= most / 2
    assert quantity(redis["resources"]["limits"]["memory"]) >= most * 1.25, "it never forks"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_limits_of_kubernetes(overlay: str) -> None:
    expected = {
        "fanout": limit(fanout(environment(overlay, "fanout"))),
        "api": limit(API),
        "indexer": limit(INDEXER),
        "archiver": limit(ARCHIVER),
        "webhooks": limit(dispatcher()),
    }
    for name in services_of(overlay):
        wanted = expected[name]
        limits = container(deployments(overlay)[name])["resources"]["limits"]
        assert quantity(limits["memory"]) == wanted, name


def test_the_documentation_has_the_same_limits() -> None:
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    row = re.search(r"^\| \*\*memory limit\*\* \|(.+)\|$", page, re.M)
    assert row
    documented = [int(number) * MB for number in re.findall(r"(\d+) MB", row[1])]
    assert documented == [limit(fanout({})), limit(API), limit(GATEWAY)]
