"""deploy/kubernetes: overlays are strictly valid and do what docs/operations/ promises."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.deploy.dockerfile import PINNED, ROOT, Image
from tests.deploy.manifests import (
    EACH,
    KUBERNETES,
    OVERLAYS,
    PRODUCTION,
    SERVICES,
    built,
    container,
    deployments,
    environment,
    made,
    of_kind,
    pod,
    quantity,
    services_of,
)
from tests.operations.pages import block
from tests.support.programs import needed

pytestmark = pytest.mark.io(cached=True)  # the first case starts the tool

KEY = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"  # RFC 8037 A.1

# Kinds that Kubernetes itself does not know. What they refer to is checked below.
FOREIGN = {"HTTPRoute", "PrometheusRule", "ScaledObject", "ServiceMonitor"}

VARIANTS = ("ingress", "keda", "volume")
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
each_service = pytest.mark.parametrize(("overlay", "service"), EACH)


def test_overlays() -> None:
    assert ["dev", "production", *(f"production-{n}" for n in VARIANTS)] == OVERLAYS


def test_yamllint_finds_nothing() -> None:
    command = [needed("yamllint"), "--strict", "-c", str(ROOT / "deploy/yamllint.yaml")]
    done = subprocess.run(
        [*command, str(ROOT / "deploy")], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


@pytest.mark.io
@each_overlay
def test_an_overlay_is_strictly_valid(overlay: str) -> None:
    for document in built(overlay):
        if document["kind"] not in FOREIGN:
            kubernetes_validate.validate(document, "1.37", strict=True)


def test_validation_finds_a_mistake() -> None:
    (fanout,) = (d for d in built("dev") if d["metadata"]["name"] == "headrace-fanout" and
                 d["kind"] == "Deployment")  # fmt: skip
    wrong = yaml.safe_load(yaml.safe_dump(fanout).replace("readOnlyRootFilesystem", "readOnly"))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


@each_overlay
def test_every_container_is_hardened_and_has_limits(overlay: str) -> None:
    for name, deployment in deployments(overlay).items():
        spec, one = pod(deployment), container(deployment)
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"cpu", "memory"} <= set(one["resources"]["requests"]), name
        limit = quantity(one["resources"]["limits"]["memory"])
        assert limit >= quantity(one["resources"]["requests"]["memory"]), name
        ours = re.fullmatch(r"headrace-[a-z]+:(\d[\w.-]*|dev)", one["image"])
        assert ours or re.search(PINNED, one["image"]), "a version, and a digest if it is not ours"


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_has_the_user_and_command_of_its_image(service: str) -> None:
    image = Image(service)
    spec = deployments("production")[service]
    user = pod(spec)["securityContext"]
    assert image.last("USER") == f"{user['runAsUser']}:{user['runAsGroup']}"
    (port,) = container(spec)["ports"]
    assert str(port["containerPort"]) == image.environment["PORT"] == image.last("EXPOSE")
    assert container(spec)["image"].split(":")[0] == f"headrace-{service}"


@each_service
def test_a_rollout_never_reduces_capacity(overlay: str, service: str) -> None:
    deployment = deployments(overlay)[service]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    one = container(deployment)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert one[probe]["httpGet"]["path"] in ("/livez", "/readyz")
    assert one["livenessProbe"]["httpGet"]["path"] == "/livez", "Redis away is no reason to die"
    assert one["readinessProbe"]["httpGet"]["path"] == "/readyz"
    keys = {each["topologyKey"] for each in pod(deployment)["topologySpreadConstraints"]}
    assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    budget = of_kind(overlay, "PodDisruptionBudget")[f"headrace-{service}"]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]


@each_overlay
def test_a_fanout_has_time_to_drain(overlay: str) -> None:
    deployment = deployments(overlay)["fanout"]
    sleep = container(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = float(environment(overlay, "fanout")["DRAIN_SECONDS"])
    assert pod(deployment)["terminationGracePeriodSeconds"] >= sleep + drain + 10
    ready = container(deployment)["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] >= 60, "a failover of Redis passes"


@each_service
def test_each_service_can_read_its_settings(
    overlay: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = environment(overlay, service)
    seen["REDIS_URL"] = seen["FEED_REDIS_URL"] = "redis://headrace@redis:6379/0"
    if service == "api":
        seen["JWT_PRIVATE_KEY"] = KEY
    for name, value in seen.items():
        monkeypatch.setenv(name, value)
    SERVICES[service]()
    known = {field.upper() for each in SERVICES.values() for field in each.model_fields}
    assert {name for name in seen if not name.startswith("OTEL_")} <= known


@each_overlay
def test_an_overlay_makes_its_namespace(overlay: str) -> None:
    (namespace,) = of_kind(overlay, "Namespace").values()
    metadata = namespace["metadata"]
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [d["metadata"]["namespace"] for d in built(overlay) if d["kind"] != "Namespace"]
    assert set(others) == {metadata["name"]}


@pytest.mark.parametrize("overlay", PRODUCTION)
def test_secrets_are_only_referenced(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == {}
    for service in SERVICES:
        assert environment(overlay, service)["REDIS_URL"] == f"secret:{service.upper()}_REDIS_URL"
    (settings,) = of_kind(overlay, "ConfigMap").values()
    secrets = {"JWT_SECRET", "JWT_PRIVATE_KEY", "SIGNING_SEED", "ARCHIVE_SIGNING_SEED", "REDIS_URL"}
    secrets |= {"WEBHOOK_SECRET_KEYS"}
    assert not secrets & set(settings["data"])
    assert settings["data"]["AUTH_MODE"] == "required"


@each_overlay
def test_only_the_api_has_a_secret_that_signs_tokens(overlay: str) -> None:
    for service in services_of(overlay):
        spec = container(deployments(overlay)[service])
        names = {variable["name"] for variable in spec["env"]}
        assert ("JWT_PRIVATE_KEY" in names) is (service == "api")
        assert ("ARCHIVE_SIGNING_SEED" in names) is (service == "archiver")
        assert "JWT_SECRET" not in names
    url = environment(overlay, "fanout")["JWKS_URL"]
    assert url == "http://headrace-keys:8080/.well-known/jwks.json"
    policies = of_kind(overlay, "NetworkPolicy")
    api, fanout = (
        {"app.kubernetes.io/name": "headrace", "app.kubernetes.io/component": name}
        for name in ("api", "fanout")
    )
    keys = of_kind(overlay, "Service")["headrace-keys"]["spec"]
    assert keys["selector"] == api
    assert keys["publishNotReadyAddresses"], "an API that is not ready has the keys too"
    assert keys["clusterIP"] == "None", "a fanout tries each address"
    assert [port["port"] for port in keys["ports"]] == [8080]
    (served,) = policies["headrace-keys-served"]["spec"]["ingress"]
    assert policies["headrace-keys-served"]["spec"]["podSelector"]["matchLabels"] == api
    assert served["from"] == [{"podSelector": {"matchLabels": fanout}}]
    (read,) = policies["headrace-keys-read"]["spec"]["egress"]
    assert policies["headrace-keys-read"]["spec"]["podSelector"]["matchLabels"] == fanout
    assert read["to"] == [{"podSelector": {"matchLabels": api}}]


@each_overlay
def test_every_reference_resolves(overlay: str) -> None:
    templates = [d["template"]["metadata"]["labels"] for d in deployments(overlay).values()]
    for name, service in of_kind(overlay, "Service").items():
        chosen = [t for t in templates if service["spec"]["selector"].items() <= t.items()]
        assert len(chosen) == 1, name
    for name, policy in of_kind(overlay, "NetworkPolicy").items():
        labels = policy["spec"]["podSelector"].get("matchLabels", {})
        assert any(labels.items() <= t.items() for t in templates), name


@each_overlay
def test_network_policies_admit_only_named_peers(overlay: str) -> None:
    policies = of_kind(overlay, "NetworkPolicy")
    nothing = policies["headrace-nothing"]["spec"]
    assert nothing["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in nothing
    assert "egress" not in nothing
    for service in services_of(overlay):
        labels = deployments(overlay)[service]["template"]["metadata"]["labels"]
        assert nothing["podSelector"]["matchLabels"].items() <= labels.items()
    redis = policies["headrace-names-and-redis"]["spec"]["egress"][1]
    assert [each["port"] for each in redis["ports"]] == [6379, 6380, 26379], "and Sentinel"


@pytest.mark.parametrize("overlay", PRODUCTION)
def test_only_the_archiver_may_write_the_archive(overlay: str) -> None:
    on_volume = overlay == "production-volume"
    for service in services_of(overlay):
        spec = container(deployments(overlay)[service])
        mounts = {each["mountPath"]: each for each in spec.get("volumeMounts", ())}
        secrets = [e["secretRef"]["name"] for e in spec["envFrom"] if "secretRef" in e]
        writes = service == "archiver"
        if service == "indexer":
            assert (mounts, secrets) == ({}, [])
            continue
        assert secrets == ["headrace-archive" if writes else "headrace-archive-read"]
        assert ("/archive" in mounts) is on_volume
        if on_volume:
            assert mounts["/archive"].get("readOnly", False) is not writes
        assert ("/cache" in mounts) is not writes


def test_settings_of_a_copied_overlay_replace_the_examples(tmp_path: Path) -> None:
    """The block of install.md, in a copy: kustomize applies it after the components."""
    shutil.copytree(KUBERNETES, tmp_path / "deploy/kubernetes")
    done = subprocess.run(
        [needed("bash"), "-ec", block("install.md", "your overlay").text],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = made(tmp_path / "deploy/kubernetes/overlays/mine")
    for line in ("HORIZON_URL: https://horizon.example.org", "RPC_URL: https://rpc.example.org"):
        assert line in text
    assert "registry.example/headrace-archiver:0.1.0" in text
