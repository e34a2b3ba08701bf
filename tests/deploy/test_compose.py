"""deploy/compose.yaml as a document: complete, with limits, and in agreement with the services."""

from __future__ import annotations

import re
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings as NetworkSettings
from services.api.settings import ApiSettings
from services.archiver.settings import ArchiverSettings
from services.fanout.settings import FanoutSettings
from services.indexer.settings import IndexerSettings
from services.webhooks.settings import DispatcherSettings
from shared.journal.settings import CommonSettings
from tests.deploy.composed import read_compose
from tests.deploy.dockerfile import PINNED, ROOT

pytestmark = pytest.mark.io(cached=True)  # the first case starts the tool

OURS: dict[str, type[CommonSettings]] = {
    "api": ApiSettings,
    "archiver": ArchiverSettings,
    "fanout": FanoutSettings,
    "indexer": IndexerSettings,
    "webhooks": DispatcherSettings,
}
KEY = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"  # RFC 8037 A.1
FERNET = "jLB0mAOqNlKPkTFXeMTuGXbFVsGA5u1yqQzO3kGGeXU="  # 32 bytes in base64
SECRETS = {
    "CONTRACTS": f"{accounts.STREAMS}:stream",
    **{f"{name.upper()}_REDIS_PASSWORD": f"{name}'s" for name in (*OURS, "operator")},
    "JWT_PRIVATE_KEY": KEY,
}


@pytest.fixture(scope="module")
def simulated() -> dict[str, Any]:
    return read_compose("simulated.env")


@pytest.fixture(scope="module")
def testnet() -> dict[str, Any]:
    return read_compose("testnet.env", **SECRETS)


def test_testnet_requires_contracts_and_secrets_from_the_shell() -> None:
    for name in ("CONTRACTS", *(n for n in SECRETS if n.endswith("PASSWORD"))):
        with pytest.raises(ValueError, match=f"required variable {name} is missing a value"):
            read_compose("testnet.env", **{k: v for k, v in SECRETS.items() if k != name})


def test_every_service_has_limits_a_health_check_and_hardening(simulated: dict[str, Any]) -> None:
    for name, service in simulated["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        assert "build" in service or "healthcheck" in service, name
        if "build" not in service:
            assert re.search(PINNED, service["image"]), "a version and a digest"


def test_there_are_two_of_each_service(simulated: dict[str, Any]) -> None:
    assert {
        name: simulated["services"][name]["deploy"]["replicas"] for name in OURS
    } == dict.fromkeys(OURS, 2)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("network", ["simulated", "testnet"])
def test_each_service_can_read_its_settings(
    name: str, network: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = request.getfixturevalue(network)["services"][name]["environment"]
    settings = OURS[name]
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    settings()
    known = {field.upper() for field in settings.model_fields}
    assert {v for v in environment if not v.startswith("OTEL_")} <= known, "settings nobody reads"


def test_a_fanout_has_time_to_drain(simulated: dict[str, Any]) -> None:
    fanout = simulated["services"]["fanout"]
    environment = fanout["environment"]
    assert seconds(fanout["stop_grace_period"]) > float(environment["DRAIN_SECONDS"]) + 2


def test_no_container_needs_an_engine_that_may_raise_limits(simulated: dict[str, Any]) -> None:
    assert not [name for name, each in simulated["services"].items() if "ulimits" in each]


def seconds(text: str) -> float:
    minutes, _, rest = text.rpartition("m")
    return 60 * float(minutes or 0) + float(rest.removesuffix("s") or 0)


def test_only_services_can_reach_redis(simulated: dict[str, Any]) -> None:
    assert simulated["networks"]["back"]["internal"] is True
    services = simulated["services"]
    redis = {"redis", "redis-replica"}
    assert all(set(services[name]["networks"]) == {"back"} for name in redis)
    assert {name for name in services if "back" in services[name]["networks"]} == redis | {*OURS}
    published = {name for name in services if services[name].get("ports")}
    assert published == {"gateway", "grafana", "alertmanager"}


def test_redis_is_published_at_a_named_address_only() -> None:
    published = "compose.published.yaml"
    with pytest.raises(ValueError, match="REDIS_ADDRESS"):
        read_compose("simulated.env", published)
    services = read_compose("simulated.env", published, REDIS_ADDRESS="10.0.0.1")["services"]
    redis = services["redis"]
    (port,) = redis["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("10.0.0.1", "6379", 6379)
    assert set(redis["networks"]) == {"back", "outside"}
    assert redis["environment"]["REDIS_ADDRESS"] == "10.0.0.1"
    assert "ports" not in services["redis-replica"]


def test_services_can_use_a_redis_elsewhere() -> None:
    elsewhere = {"REDIS_HOST": "10.0.0.2:6379", "REDIS_SERVERS": "0"}
    services = read_compose("simulated.env", **elsewhere)["services"]
    assert services["redis"]["scale"] == 0
    for name in OURS:
        assert "@10.0.0.2:6379/0" in services[name]["environment"]["REDIS_URL"]


def test_the_gateway_has_the_port_of_the_readme(simulated: dict[str, Any]) -> None:
    ports = {p["target"]: p["published"] for p in simulated["services"]["gateway"]["ports"]}
    assert ports == {8080: "3001", 8443: "3443"}


def test_services_trust_the_gateway_for_client_addresses(simulated: dict[str, Any]) -> None:
    (front,) = simulated["networks"]["front"]["ipam"]["config"]
    for name in ("api", "fanout"):
        assert simulated["services"][name]["environment"]["TRUSTED_PROXIES"] == front["subnet"]


def test_services_use_the_passphrase_of_the_simulated_network(simulated: dict[str, Any]) -> None:
    environment = simulated["services"]["indexer"]["environment"]
    assert environment["NETWORK_PASSPHRASE"] == NetworkSettings().network_passphrase
    assert environment["CONTRACTS"] == f"{accounts.STREAMS}:stream,{accounts.TOKEN}:token"


def test_only_the_api_has_a_secret_that_signs(testnet: dict[str, Any]) -> None:
    services = testnet["services"]
    assert services["api"]["environment"]["JWT_PRIVATE_KEY"] == KEY
    environment = services["fanout"]["environment"]
    assert environment["JWKS_URL"] == "http://api:8080/.well-known/jwks.json"
    for name in services.keys() - {"api"}:
        given = services[name].get("environment", {})
        assert not {"JWT_PRIVATE_KEY", "JWT_SECRET"} & given.keys(), name
        assert KEY not in str(services[name]), name


def test_testnet_requires_tokens(simulated: dict[str, Any], testnet: dict[str, Any]) -> None:
    for name in ("api", "fanout"):
        assert simulated["services"][name]["environment"]["AUTH_MODE"] == "open"
        assert testnet["services"][name]["environment"]["AUTH_MODE"] == "required"


def test_only_the_archiver_may_write_the_archive(testnet: dict[str, Any]) -> None:
    services = testnet["services"]
    mounted = {
        name: each.get("read_only", False)
        for name, service in services.items()
        for each in service.get("volumes", ())
        if each["target"] == "/archive"
    }
    assert mounted == {"archiver": False, "api": True, "fanout": True, "webhooks": True}
    for name in mounted:
        environment = services[name]["environment"]
        assert environment["ARCHIVE_URL"] == "file:///archive"
        assert ("ARCHIVE_SIGNING_SEED" in environment) is (name == "archiver")


def test_the_api_and_the_dispatchers_have_the_same_settings_of_webhooks() -> None:
    given = {"WEBHOOK_SECRET_KEYS": FERNET, "WEBHOOK_ALLOWED_NETWORKS": "10.1.0.0/16"}
    services = read_compose("testnet.env", **SECRETS, **given)["services"]
    for name, service in services.items():
        environment = service.get("environment", {})
        own = {key: environment[key] for key in given if key in environment}
        assert own == (given if name in ("api", "webhooks") else {}), name


def test_settings_that_the_file_does_not_name_come_from_a_file_of_their_own(
    tmp_path: Path,
) -> None:
    (tmp_path / "deploy").mkdir()
    for name in ("compose.yaml", "testnet.env"):
        copy(ROOT / "deploy" / name, tmp_path / "deploy")
    given = {"WEBHOOKS_PER_ACCOUNT": "7", "HTTPS_PROXY": "http://proxy:3128"}
    lines = [f"{name}={value}\n" for name, value in given.items()]
    (tmp_path / "settings.env").write_text("".join([*lines, "LOG_LEVEL=debug\n"]))
    services = read_compose("testnet.env", folder=tmp_path / "deploy", **SECRETS)["services"]
    for name in OURS:
        environment = services[name]["environment"]
        assert given.items() <= environment.items(), name
        assert environment["LOG_LEVEL"] == "info", "the file names it, so it belongs into .env"
    others = services.keys() - OURS.keys()
    assert not [name for name in others if "HTTPS_PROXY" in services[name].get("environment", {})]


def test_requests_between_the_services_use_no_proxy_if_it_is_set_as_the_page_says(
    testnet: dict[str, Any],
) -> None:
    page = (ROOT / "docs/operations/proxies.md").read_text("utf-8")
    (no_proxy,) = re.findall(r"^NO_PROXY=(\S+) ", page, re.M)
    for name in OURS:
        values = ",".join(testnet["services"][name]["environment"].values())
        hosts = {host for host in re.findall(r"http://([\w-]+):8080", values) if host in OURS}
        assert hosts <= {*no_proxy.split(",")}, name


def test_an_installation_can_do_without_webhooks() -> None:
    services = read_compose("simulated.env", DISPATCHERS="0")["services"]
    assert services["webhooks"]["deploy"]["replicas"] == 0


def test_a_dispatcher_has_time_to_end_its_deliveries(simulated: dict[str, Any]) -> None:
    grace = seconds(simulated["services"]["webhooks"]["stop_grace_period"])
    assert grace > DispatcherSettings.model_fields["webhook_seconds"].default


def test_an_installation_can_do_without_an_archive() -> None:
    none = {"ARCHIVE_URL": "", "ARCHIVERS": "0", "SYSTEM_URLS": "http://api:8080"}
    services = read_compose("simulated.env", **none)["services"]
    assert services["archiver"]["deploy"]["replicas"] == 0
    for name in ("api", "fanout"):
        assert services[name]["environment"]["ARCHIVE_URL"] == ""
