"""deploy/kubernetes and deploy/helm with a real API server: it checks each field and pod."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import yaml

from tests.deploy.api_server import Cluster, api_server
from tests.deploy.charts import CHART, values_of
from tests.deploy.manifests import KUBERNETES, OVERLAYS, deployments
from tests.support.waiting import until

pytestmark = [
    pytest.mark.nightly,  # the short form is in test_kubernetes.py and test_helm.py
    pytest.mark.io(cached=True),
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with api_server(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def values(overlay: str) -> list[str]:
    return [argument for file in values_of(overlay) for argument in ("--values", file)]


def helm_install(cluster: Cluster, overlay: str, namespace: str, *more: str) -> str:
    return cluster.run(
        "helm", "upgrade", "--install", "headrace", str(CHART), "--namespace", namespace,
        "--create-namespace", *values(overlay), *more,
    )  # fmt: skip


@each_overlay
async def test_kubectl_applies_an_overlay_as_the_documentation_says(
    cluster: Cluster, overlay: str
) -> None:
    arguments = ("apply", "--validate=strict", "-k", str(KUBERNETES / "overlays" / overlay))
    cluster.run("kubectl", *arguments)
    again = cluster.run("kubectl", *arguments).splitlines()
    pods = [line for line in again if line.startswith("deployment.apps/")]
    assert [line for line in pods if not line.endswith(" unchanged")] == [], "a pod would restart"


@each_overlay
async def test_the_namespace_admits_every_pod(cluster: Cluster, overlay: str) -> None:
    """It enforces the Pod Security Standard "restricted"."""
    cluster.run("kubectl", "apply", "-k", str(KUBERNETES / "overlays" / overlay))
    namespace = "headrace-dev" if overlay == "dev" else "headrace"
    for name, deployment in deployments(overlay).items():
        pod = {"apiVersion": "v1", "kind": "Pod", **deployment["template"]}
        pod["metadata"] = pod["metadata"] | {"name": name}
        create = ("create", "--namespace", namespace, "--dry-run=server", "--filename", "-")
        cluster.run("kubectl", *create, given=yaml.safe_dump(pod))


@each_overlay
async def test_helm_installs_and_upgrades(cluster: Cluster, overlay: str) -> None:
    namespace = f"helm-{overlay}"
    notes = helm_install(cluster, overlay, namespace)
    assert f"is installed as release headrace in the namespace {namespace}" in notes
    helm_install(cluster, overlay, namespace, "--set-json", 'settings.LOG_LEVEL="warning"')
    get = ("get", "configmap", "headrace-settings", "--namespace", namespace, "--output", "json")
    assert json.loads(cluster.run("kubectl", *get))["data"]["LOG_LEVEL"] == "warning"
    cluster.run("helm", "rollback", "headrace", "--namespace", namespace)
    assert json.loads(cluster.run("kubectl", *get))["data"]["LOG_LEVEL"] != "warning"
    cluster.run("helm", "uninstall", "headrace", "--namespace", namespace)
    left = cluster.run("kubectl", "get", "all", "--namespace", namespace, "--output", "name")
    assert left == ""


async def test_helm_test_waits_for_the_result_of_its_pod(cluster: Cluster) -> None:
    """There is no node, so the test sets the result of the pod."""
    namespace = "helm-test"
    helm_install(cluster, "production", namespace)
    at = ("--namespace", namespace)
    for phase, code in (("Succeeded", 0), ("Failed", 1)):
        process = cluster.start("helm", "test", "headrace", *at)
        find = ("get", "pod", *at, "--field-selector", "status.phase=Pending", "--output", "name")
        await until(lambda: cluster.run("kubectl", *find), what="the pod")  # noqa: B023 - ends here
        status = json.dumps({"status": {"phase": phase}})
        cluster.run("kubectl", "patch", "pod", "headrace-test", *at, "--subresource=status",
                    "--type=merge", "--patch", status)  # fmt: skip
        output, _ = process.communicate(timeout=60)
        assert process.returncode == code, output
        policies = cluster.run("kubectl", "get", "networkpolicy", *at, "--output", "name")
        assert "headrace-test" not in policies, "the test removes its policy"
