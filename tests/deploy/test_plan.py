"""Which contracts a local run watches, depending on its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.local.gateway import KINDS, proxy
from deploy.local.plan import archive_url, has_receiver, has_sandbox, parts, read_chain
from deploy.local.ports import Ports
from deploy.local.processes import settings_script
from deploy.simulator.chain import accounts

LUMENS = "CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC"
NAMED = f"{accounts.STREAMS}:stream,{accounts.TOKEN}:token"


@pytest.mark.parametrize(
    ("environment", "contracts"),
    [
        ({}, accounts.STREAMS),
        ({"NETWORK": "testnet"}, LUMENS),
        ({"CONTRACTS": NAMED}, NAMED),
        ({"NETWORK": "testnet", "CONTRACTS": NAMED}, NAMED),
        ({"NETWORK": "testnet", "CONTRACT_IDS": accounts.STREAMS}, accounts.STREAMS),
    ],
)
def test_contracts_default_to_a_busy_one(environment: dict[str, Any], contracts: str) -> None:
    assert read_chain(environment, Ports()).environment["CONTRACTS"] == contracts


def test_only_the_api_gets_the_key_that_signs_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JWT_PRIVATE_KEY", "a key")
    monkeypatch.setenv("GATEWAY", "api")
    started = {part.name: part for part in parts(Ports(), read_chain({}, Ports()), tmp_path)}
    for name in ("indexer", "fanout-1", "fanout-2"):
        assert started[name].environment["JWT_PRIVATE_KEY"] == "", "removed from the environment"
    assert "JWT_PRIVATE_KEY" not in started["api"].environment, "taken from the environment"
    url = f"http://127.0.0.1:{Ports().api}/.well-known/jwks.json"
    assert started["fanout-1"].environment["JWKS_URL"] == url


@pytest.mark.parametrize(
    ("environment", "started"),
    [({}, True), ({"AUTH_MODE": "required"}, False), ({"REDIS_URL": "redis://redis/0"}, False)],
)
def test_a_run_has_a_receiver_only_if_it_can_make_a_webhook_of_its_own(
    environment: dict[str, str], started: bool
) -> None:
    assert has_receiver(environment) is started


def test_a_run_with_webhooks_has_a_dispatcher_that_may_reach_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GATEWAY", "api")
    given = parts(Ports(), read_chain({}, Ports()), tmp_path, webhooks=True)
    started = {part.name: part for part in given}
    for name in ("api", "webhooks"):
        assert started[name].environment["WEBHOOK_ALLOWED_NETWORKS"] == "127.0.0.0/8,::1/128"
    assert started["api"].environment["SYSTEM_URLS"] == f"http://127.0.0.1:{Ports().webhooks}"


@pytest.mark.parametrize(
    ("environment", "offered"),
    [
        ({}, True),
        ({"AUTH_MODE": "open"}, True),
        ({"AUTH_MODE": "required"}, False),
        ({"NETWORK": "testnet"}, False),
        ({"REDIS_URL": "redis://redis.example/0"}, False),
        ({"GATEWAY": "api"}, False),
    ],
)
def test_the_sandbox_is_offered_only_if_all_it_harms_belongs_to_the_run(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], offered: bool
) -> None:
    monkeypatch.setattr("deploy.local.plan.find_gateway", lambda wanted: (wanted or "caddy", ""))
    assert has_sandbox(read_chain(environment, Ports()), environment) is offered


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "api"])
def test_a_gateway_leads_to_the_sandbox_only_on_request(kind: str, tmp_path: Path) -> None:
    def configuration(**more: str) -> str:
        proxy(kind, "", port=1, api="a:1", fanouts=["f:1"], folder=tmp_path, **more)
        return next(tmp_path.iterdir()).read_text(encoding="utf-8")

    ways = ("Headrace-Sandbox", "location /sandbox", "handle /sandbox")
    assert not any(way in configuration() for way in ways)
    assert "127.0.0.1:3002" in configuration(sandbox="127.0.0.1:3002")


def test_a_run_archives_in_its_folder_unless_its_redis_belongs_to_somebody_else(
    tmp_path: Path,
) -> None:
    assert archive_url({}, tmp_path) == f"file://{tmp_path}/archive"
    assert archive_url({"REDIS_URL": "redis://redis.example/0"}, tmp_path) == ""
    assert archive_url({"ARCHIVE_URL": "s3://bucket"}, tmp_path) == "s3://bucket"
    assert archive_url({"ARCHIVE_URL": ""}, tmp_path) == ""


@pytest.mark.parametrize("url", ["file:///archive", ""])
def test_a_run_with_an_archive_has_an_archiver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    monkeypatch.setenv("GATEWAY", "api")
    given = parts(Ports(), read_chain({}, Ports()), tmp_path, archive=url)
    started = {part.name: part for part in given}
    assert ("archiver" in started) is bool(url)
    assert {started[name].environment["ARCHIVE_URL"] for name in ("api", "fanout-1")} == {url}
    if url:
        script = settings_script(started["archiver"])
        assert "export NETWORK_PASSPHRASE='Headrace Local Network ; November 2026'\n" in script
        assert "PORT=" not in script
    shown = started["api"].environment.get("SYSTEM_URLS", "")
    assert shown == (f"http://127.0.0.1:{Ports().archiver}" if url else "")
