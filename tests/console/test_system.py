"""GET /v1/system: the metrics of all services, each once, and services that do not answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from services.api.console.routes import content_security_policy
from services.api.system.measures import ARCHIVER, WEBHOOKS, parse_metrics, parse_versions, totals
from services.api.system.routes import metrics_urls
from services.archiver import metrics as archiver_metrics
from services.webhooks import metrics as webhook_metrics
from tests.console.browser import User, user
from tests.console.samples import connections
from tests.support.installation import Client, Installation, installation
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)
shared_loop = pytest.mark.asyncio(loop_scope="session")


def test_a_service_that_is_listed_twice_is_asked_once() -> None:
    urls = ["http://f1:80", "http://f1:80/readyz", "http://f2:80/deep/readyz"]
    assert metrics_urls(urls) == ["http://f1:80/metrics", "http://f2:80/deep/metrics"]


def test_metrics_are_added_up_over_labels() -> None:
    registry = CollectorRegistry()
    events = Counter("headrace_fanout_events_total", "x", ["via"], registry=registry)
    events.labels("channel").inc(5)
    events.labels("journal").inc(2)
    Gauge("headrace_fanout_connections", "x", registry=registry).set(3)
    kind, measures = parse_metrics(generate_latest(registry).decode())
    assert kind == "fanout"
    assert (measures["events"], measures["connections"], measures["deliveries"]) == (7, 3, 0)
    assert parse_metrics("") == ("other", {})
    with pytest.raises(ValueError, match="="):
        parse_metrics("<html>=no metrics</html>")


@pytest.mark.parametrize(
    ("service", "metrics", "wanted"),
    [("archiver", archiver_metrics, ARCHIVER), ("webhooks", webhook_metrics, WEBHOOKS)],
)
def test_a_service_is_known_by_its_own_metrics(
    service: str, metrics: ModuleType, wanted: Mapping[str, str]
) -> None:
    registry = CollectorRegistry()
    for each in vars(metrics).values():
        if isinstance(each, Counter | Gauge):
            registry.register(each)
    text = generate_latest(registry).decode()
    kind, measures = parse_metrics(text)
    assert kind == service
    names = {name.partition(":")[0] for name in wanted.values()}
    assert names <= set(re.findall(r"^\w+", text, re.M))
    part = {"kind": kind, "trouble": None, "measures": measures}
    (total,) = totals([part, part | {"trouble": "does not answer"}])
    assert (total["replicas"], total["answering"]) == (2, 1)


def test_the_webhooks_of_one_state_are_counted() -> None:
    text = "".join(
        f'headrace_webhook_endpoints{{state="{state}"}} {count}\n'
        for state, count in (("active", 5), ("failing", 2), ("disabled", 1))
    )
    _, measures = parse_metrics(text)
    assert (measures["endpoints"], measures["failing"], measures["disabled"]) == (8, 2, 1)


def test_versions_are_read_from_the_labels() -> None:
    registry = CollectorRegistry()
    labels = ["server", "version", "core"]
    info = Gauge("headrace_indexer_upstream_info", "x", labels, registry=registry)
    protocol = Gauge("headrace_indexer_protocol", "x", ["server"], registry=registry)
    assert parse_versions(generate_latest(registry).decode()) == {}
    info.labels("horizon", '9"}\\', "stellar-core 30.0.0 (ab)").set(1)
    protocol.labels("horizon").set(30)
    info.labels("rpc", "", "").set(1)
    protocol.labels("rpc").set(0)
    assert parse_versions(generate_latest(registry).decode()) == {
        "horizon": {"version": '9"}\\', "core": "stellar-core 30.0.0 (ab)", "protocol": 30},
        "rpc": {"version": "", "core": "", "protocol": 0},
    }


def test_the_policy_allows_redirects_to_fanouts_only() -> None:
    assert "connect-src 'self';" in content_security_policy(())
    assert "connect-src 'self' http://f1:80 https://f2;" in content_security_policy(
        ["http://f1:80/x", "https://f2"]
    )


@pytest.mark.io
@shared_loop
async def test_the_view_shows_the_numbers_of_all_services(whole: Installation) -> None:
    gateway = whole.ports.gateway
    clients = [Client(whole, "all=true", gateway) for _ in range(3)]
    try:
        await until(lambda: all(client.names for client in clients), what="three greetings")
        await until(lambda: _counts(whole, 3), what="the same number from the API")
    finally:
        for client in clients:
            await client.close()
    system = await until(lambda: _answered(whole), what="an answer of each service")
    kinds = [part["kind"] for part in system["parts"]]
    assert sorted(kinds) == ["fanout", "fanout", "indexer"]
    (indexer,) = [part for part in system["parts"] if part["kind"] == "indexer"]
    assert indexer["measures"]["active"] == 1
    assert indexer["measures"]["ledger"] > 0
    version = {"version": "30.0.0-headrace", "core": "stellar-core 30.0.0 (headrace)"}
    assert indexer["versions"]["horizon"] == version | {"protocol": 30}
    assert all(part["versions"] == {} for part in system["parts"] if part is not indexer)
    assert indexer["measures"]["ledgerClosedAt"] == pytest.approx(system["asOf"], abs=15)


@pytest.mark.io
@shared_loop
async def test_the_view_shows_the_versions_of_the_servers(someone: User) -> None:
    page = await someone.open("#/system")
    card = page.locator(".part", has_text="indexer")
    await expect(card).to_contain_text("30.0.0-headrace, core 30.0.0 (headrace), protocol 30")


async def _answered(whole: Installation) -> dict[str, Any] | None:
    """The system. None while a service answers too late, or the indexer knows no versions yet."""
    status, system = await whole.get(whole.ports.gateway, "/v1/system")
    assert status == 200
    parts = system["parts"]
    is_known = any("horizon" in part["versions"] for part in parts)
    return system if is_known and not any(part["trouble"] for part in parts) else None


async def _counts(whole: Installation, least: int) -> bool:
    """Whether it shows the numbers of the fanouts. Pages of other tests change them meanwhile."""
    held = 0.0
    for port in whole.ports.fanouts:
        async with whole.session.get(f"{whole.url(port)}/metrics") as response:
            _, measures = parse_metrics(await response.text())
            held += measures["connections"]
    return sum((await connections(whole)).values()) == held >= least


@pytest.mark.io
@shared_loop
async def test_without_a_proxy_the_page_follows_the_redirect_to_a_fanout(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY", "api")
    async with (
        installation(tmp_path, CLOSE_SECONDS="0.5") as bare,
        user(browser, bare.url(bare.ports.gateway)) as someone,
    ):
        page = await someone.open("#/live")
        await expect(page.locator("#status")).to_have_attribute("data-kind", "live")
        await page.wait_for_selector(".event .late:not(:empty)")
        assert someone.noise == []
