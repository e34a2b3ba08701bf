"""deploy/kubernetes: who scales the fanouts, where each path leads, who scrapes metrics."""

from __future__ import annotations

import itertools
import re

import pytest
import yaml

from services.api.app import build_app
from services.api.settings import ApiSettings
from tests.deploy.manifests import (
    KUBERNETES,
    PRODUCTION,
    SERVICES,
    Document,
    built,
    deployments,
    environment,
    of_kind,
)

pytestmark = pytest.mark.io(cached=True)  # the first case starts the tool


def autoscalers(overlay: str) -> list[Document]:
    kinds = ("HorizontalPodAutoscaler", "ScaledObject")
    return [d for d in built(overlay) if d["kind"] in kinds]


@pytest.mark.parametrize("overlay", PRODUCTION)
def test_one_autoscaler_scales_the_fanouts_and_scales_down_slowly(overlay: str) -> None:
    (scaler,) = autoscalers(overlay)
    spec = scaler["spec"]
    assert spec["scaleTargetRef"]["name"] == "headrace-fanout"
    assert "replicas" not in deployments(overlay)["fanout"], "applying again would undo it"
    if scaler["kind"] == "ScaledObject":
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        (trigger,) = spec["triggers"]
        target = trigger["metadata"]["threshold"]
        assert trigger["metadata"]["query"].startswith("sum(headrace_fanout_connections{")
        assert f'namespace="{scaler["metadata"]["namespace"]}"' in trigger["metadata"]["query"]
    else:
        behavior = spec["behavior"]
        (metric,) = spec["metrics"]
        target = metric["pods"]["target"]["averageValue"]
        assert metric["pods"]["metric"]["name"] == "headrace_fanout_connections"
    down = behavior["scaleDown"]
    assert down["stabilizationWindowSeconds"] >= 1800
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    most = int(environment(overlay, "fanout")["MAX_CONNECTIONS"])
    assert int(target) <= most * 2 / 3, "those of a lost pod must find room with the others"


def test_the_adapter_serves_the_metric_of_the_autoscaler() -> None:
    (rule,) = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())["rules"][
        "custom"
    ]
    assert rule["name"]["as"] == "headrace_fanout_connections"
    assert rule["seriesQuery"].startswith("headrace_fanout_connections{")


def entrance(overlay: str) -> dict[tuple[str, str], str]:
    """The service for each kind of match and path."""
    found = {}
    for name, route in of_kind(overlay, "HTTPRoute").items():
        for rule in route["spec"]["rules"] if name == "headrace" else ():
            (backend,) = rule["backendRefs"]
            assert len(rule["matches"]) <= 8, "the Gateway API allows no more in a rule"
            for match in rule["matches"]:
                found[match["path"]["type"], match["path"]["value"]] = backend["name"]
    for ingress in of_kind(overlay, "Ingress").values():
        for path in itertools.chain(*(r["http"]["paths"] for r in ingress["spec"]["rules"])):
            kind = "Exact" if path["pathType"] == "Exact" else "PathPrefix"
            found[kind, path["path"]] = path["backend"]["service"]["name"]
    return found


def reached(overlay: str, path: str) -> str | None:
    """The service that answers a path: Exact before prefixes, the longest prefix first."""
    routes = entrance(overlay)
    if ("Exact", path) in routes:
        return routes["Exact", path]
    prefixes = [p for kind, p in routes if kind == "PathPrefix"]
    fitting = [p for p in prefixes if path == p or path.startswith(f"{p}/")]
    return routes["PathPrefix", max(fitting, key=len)] if fitting else None


@pytest.mark.parametrize("overlay", PRODUCTION)
def test_the_entrance_routes_each_path_to_its_service(overlay: str) -> None:
    for path in ("/v1/events/subscribe", "/events/subscribe"):
        assert reached(overlay, path) == "headrace-fanout"
    assert reached(overlay, "/metrics") is None
    settings = ApiSettings(contracts="CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2")
    inside = {"/metrics", "/livez", "/v1/events/subscribe", "/events/subscribe"}
    for resource in build_app(settings).router.resources():
        path = re.sub(r"\{\w+\}", "x", resource.canonical)
        if path not in inside:
            assert reached(overlay, path) == "headrace-api", path
    services = of_kind(overlay, "Service")
    assert set(entrance(overlay).values()) <= set(services)


def test_the_gateway_api_does_not_time_out_subscriptions_and_exports() -> None:
    route = of_kind("production", "HTTPRoute")["headrace"]
    endless = {
        match["path"]["value"]
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
        if rule.get("timeouts") == {"request": "0s", "backendRequest": "0s"}
    }
    assert endless == {
        f"{prefix}/events/{name}" for prefix in ("", "/v1") for name in ("subscribe", "export")
    }


def test_each_entrance_makes_browsers_use_tls() -> None:
    routes = of_kind("production", "HTTPRoute")
    for rule in routes["headrace"]["spec"]["rules"]:
        (header,) = rule["filters"][0]["responseHeaderModifier"]["set"]
        assert header == {"name": "Strict-Transport-Security", "value": "max-age=31536000"}
    redirect = routes["headrace-redirect"]["spec"]
    assert redirect["rules"][0]["filters"][0]["requestRedirect"]["scheme"] == "https"
    assert redirect["parentRefs"][0]["sectionName"] == "http"
    assert routes["headrace"]["spec"]["parentRefs"][0]["sectionName"] == "https"
    (ingress,) = of_kind("production-ingress", "Ingress").values()
    assert ingress["metadata"]["annotations"]["nginx.org/hsts"] == "True"
    assert ingress["spec"]["tls"], "so the controller redirects plain HTTP"


def test_the_ingress_keeps_a_fanout_after_one_failure() -> None:
    """tests/clients/test_gateways.py shows what nginx does without this annotation."""
    (ingress,) = of_kind("production-ingress", "Ingress").values()
    assert ingress["metadata"]["annotations"]["nginx.org/max-fails"] == "0"


@pytest.mark.parametrize("overlay", PRODUCTION)
def test_prometheus_finds_every_service(overlay: str) -> None:
    (monitor,) = of_kind(overlay, "ServiceMonitor").values()
    wanted = monitor["spec"]["selector"]["matchLabels"]
    services = of_kind(overlay, "Service")
    chosen = {n for n, s in services.items() if wanted.items() <= s["metadata"]["labels"].items()}
    assert chosen == {f"headrace-{service}" for service in SERVICES}
    (endpoint,) = monitor["spec"]["endpoints"]
    (job,) = endpoint["relabelings"]
    for name in chosen:
        component = services[name]["metadata"]["labels"]["app.kubernetes.io/component"]
        assert job["replacement"].replace("$1", component) == name, "the alerts name the jobs so"
    for name in chosen:
        assert endpoint["port"] in [port["name"] for port in services[name]["spec"]["ports"]]
