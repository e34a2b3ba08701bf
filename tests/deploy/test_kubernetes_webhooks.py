"""deploy/kubernetes: the dispatchers of webhooks, and what the API has for them."""

from __future__ import annotations

import pytest

from services.webhooks.settings import DispatcherSettings
from tests.deploy.manifests import (
    OVERLAYS,
    PRODUCTION,
    container,
    deployments,
    environment,
    of_kind,
    pod,
    services_of,
)

pytestmark = pytest.mark.io(cached=True)  # the first case starts the tool

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
each_production = pytest.mark.parametrize("overlay", PRODUCTION)


@each_production
def test_the_api_and_the_dispatchers_have_the_key_of_the_webhooks_secrets(overlay: str) -> None:
    for service in services_of(overlay):
        (own,) = [
            [each["valueFrom"] for each in container(deployments(overlay)[service])["env"]
             if each["name"] == "WEBHOOK_SECRET_KEYS"]
        ]  # fmt: skip
        key = {"name": "headrace-secrets", "key": "WEBHOOK_SECRET_KEYS", "optional": True}
        wanted = [{"secretKeyRef": key}] if service in ("api", "webhooks") else []
        assert own == wanted, service


@each_production
def test_a_dispatcher_reaches_receivers_outside_only(overlay: str) -> None:
    labels = deployments(overlay)["webhooks"]["template"]["metadata"]["labels"]
    found = []
    for policy in of_kind(overlay, "NetworkPolicy").values():
        if policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items():
            found += [rule for rule in policy["spec"].get("egress", ()) if "to" in rule]
    blocks = [each["ipBlock"] for rule in found for each in rule["to"] if "ipBlock" in each]
    assert [each["cidr"] for each in blocks] == ["0.0.0.0/0", "::/0"]
    private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}
    assert set(blocks[0]["except"]) == private, "no pod, no service, no metadata server"


@each_overlay
def test_the_api_asks_every_replica_of_each_other_service(overlay: str) -> None:
    asked = environment(overlay, "api")["SYSTEM_URLS"].split(",")
    others = {f"http://headrace-{n}-replicas:8080" for n in services_of(overlay) if n != "api"}
    assert {*asked} == {"http://headrace-keys:8080", *others}
    assert len(asked) == len({*asked})


@each_production
def test_a_dispatcher_has_time_to_end_its_deliveries(overlay: str) -> None:
    grace = pod(deployments(overlay)["webhooks"])["terminationGracePeriodSeconds"]
    given = environment(overlay, "webhooks").get("WEBHOOK_SECONDS")
    assert grace > float(given or DispatcherSettings.model_fields["webhook_seconds"].default)
