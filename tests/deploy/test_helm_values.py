"""The values of the chart: each one has an effect, and mistakes are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.charts import CHART, by_name, helm, rendered, values_of
from tests.deploy.helm_values import EVERYTHING, scalars
from tests.deploy.manifests import Document
from tests.deploy.test_kubernetes import FOREIGN

pytestmark = pytest.mark.io(cached=True)  # the first case starts the tool

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
SCALERS = ("none", "connections", "cpu", "keda")


def scaled(kind: str) -> str:
    return f'fanout.autoscaling.type="{kind}"'


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("values") / "everything.yaml"
    path.write_text(yaml.safe_dump(EVERYTHING))
    return str(path)


def not_set(schema: dict[str, Any], values: object, path: str = "") -> Iterator[str]:
    """The paths that the schema has and the values lack. The schema must know all keys."""
    node = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if not isinstance(values, dict) or "properties" not in node:
        return
    assert node["additionalProperties"] is False, f"{path} takes unknown keys"
    for key, each in node["properties"].items():
        if key in values:
            yield from not_set(each, values[key], f"{path}.{key}")
        else:
            yield f"{path}.{key}"


def test_the_schema_and_the_defaults_have_the_same_values() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    missing = {path for path in not_set(SCHEMA, defaults) if not path.count(".pod.")}
    assert missing == {".global"}, "Helm adds this one"


def test_every_value_has_an_effect(everything: str) -> None:
    pods = {".indexer.pod", ".api.pod", ".archiver.pod", ".webhooks.pod"}
    assert {*not_set(SCHEMA, EVERYTHING)} == {".global", ".simulated", *pods}
    text = json.dumps([rendered(everything, sets=(scaled(kind),)) for kind in SCALERS])
    assert [each for each in scalars(EVERYTHING) if each not in text] == []


@pytest.mark.parametrize("kind", SCALERS)
def test_all_values_together_are_strictly_valid(everything: str, kind: str) -> None:
    for document in rendered(everything, sets=(scaled(kind),)):
        if document["kind"] not in FOREIGN:
            kubernetes_validate.validate(document, "1.37", strict=True)


def test_every_pod_keeps_to_the_restricted_standard(everything: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, "Restricted"."""
    pods = [pod_of(d) for d in rendered(everything) if pod_of(d)]
    pods += [pod_of(d) for d in rendered(*values_of("dev")) if pod_of(d)]
    assert len(pods) == 12
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def pod_of(document: Document) -> Document:
    """The pod spec of a Deployment or Pod; empty for other kinds."""
    if document["kind"] == "Deployment":
        return document["spec"]["template"]["spec"]
    return document["spec"] if document["kind"] == "Pod" else {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('fanuot={"replicas":3}', "additional properties 'fanuot' not allowed"),
        ('api.pod={"nodeselector":{}}', "additional properties 'nodeselector' not allowed"),
        ("settings.JOURNAL_MAX_BYTES=2000000000", "got number, want string"),
        ('settings.JWT_PRIVATE_KEY="secret"', "invalid propertyName 'JWT_PRIVATE_KEY'"),
        ('settings.WEBHOOK_SECRET_KEYS="secret"', "invalid propertyName 'WEBHOOK_SECRET_KEYS'"),
        ('settings.cors_origins="*"', "invalid propertyName 'cors_origins'"),
        ('fanout.autoscaling.type="both"', "must be one of 'none', 'connections', 'cpu', 'keda'"),
        ("fanout.replicas=-1", "/fanout/replicas"),
        ("archive.enabled=true", "/archive/url"),
        ('settings.ARCHIVE_URL="s3://bucket"', "invalid propertyName 'ARCHIVE_URL'"),
        ("ingress.enabled=true", "/hosts"),
        ("httpRoute.enabled=true", "/hosts"),
        ('hosts=["https://headrace.example.com"]', "/hosts/0"),
        ('image.registry="https://registry.example.com"', "/image/registry"),
        ('networkPolicies.redisPorts=["redis"]', "/networkPolicies/redisPorts/0"),
        ('secrets.apiRedisUrl="redis://api:password@redis"', "/secrets/apiRedisUrl"),
        ('settings.CONTRACTS=""', "settings.CONTRACTS: name the contracts to watch"),
    ],
)
@pytest.mark.io
def test_a_mistake_is_refused_and_named(given: str, message: str) -> None:
    good = 'settings.CONTRACTS="C"'
    done = helm("template", "headrace", str(CHART), "--set-json", good, "--set-json", given)
    assert done.returncode != 0
    assert message in done.stderr


def test_releases_of_one_namespace_do_not_touch_each_other() -> None:
    first, second = (
        [*rendered(*values_of("dev"), release=name)] for name in ("testnet", "headrace-public")
    )
    assert not set(by_name(first)) & set(by_name(second))
    assert ("Service", "testnet-headrace-fanout") in by_name(first)
    assert ("Service", "headrace-public-fanout") in by_name(second)
    templates = [d["spec"]["template"]["metadata"]["labels"] for d in second
                 if d["kind"] == "Deployment"]  # fmt: skip
    for document in first:
        selector = document["spec"].get("selector") if "spec" in document else None
        if selector:
            wanted = selector.get("matchLabels", selector)
            assert not any(wanted.items() <= labels.items() for labels in templates)


def test_only_an_autoscaler_or_the_chart_sets_the_number_of_fanouts(everything: str) -> None:
    for kind in SCALERS:
        documents = rendered(everything, sets=(scaled(kind),))
        found = by_name(documents)
        fanout = found["Deployment", "other-name-fanout"]["spec"]
        scalers = {"HorizontalPodAutoscaler", "ScaledObject"} & {d["kind"] for d in documents}
        assert ("replicas" in fanout) is (kind == "none")
        assert len(scalers) == (kind != "none")


def test_a_service_adds_variables_and_replaces_the_rest(everything: str) -> None:
    found = by_name(rendered(everything))
    api, fanout = (pod_of(found["Deployment", f"other-name-{n}"]) for n in ("api", "fanout"))
    names = [[v["name"] for v in pod["containers"][0]["env"]][-2:] for pod in (api, fanout)]
    assert names == [["ARCHIVE_CACHE_DIR", "EVERY_ENV"], ["EVERY_ENV", "FANOUT_ENV"]]
    assert api["priorityClassName"] == "every-priority"
    assert fanout["priorityClassName"] == "fanout-priority"
    assert fanout["tolerations"] == [{"key": "fanout-taint", "operator": "Exists"}]


def test_a_changed_setting_restarts_the_pods(everything: str) -> None:
    before, after = (
        [
            d["spec"]["template"]
            for d in rendered(everything, sets=sets)
            if d["kind"] == "Deployment"
        ]
        for sets in ((), ('settings.START="earliest"',))
    )
    assert len(before) == 5
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_without_an_archive_no_pod_has_its_parts(everything: str) -> None:
    documents = rendered(everything, sets=("archive.enabled=false",))
    assert ("Deployment", "other-name-archiver") not in by_name(documents)
    assert "PersistentVolumeClaim" not in {d["kind"] for d in documents}
    text = json.dumps(documents)
    assert [word for word in ("archive-", "ARCHIVE_") if word in text] == []


def test_without_webhooks_no_pod_has_their_parts(everything: str) -> None:
    """The API makes webhooks all the same, so it must encrypt their secrets."""
    documents = rendered(everything, sets=("webhooks.enabled=false",))
    assert ("Deployment", "other-name-webhooks") not in by_name(documents)
    workloads = [d for d in documents if d["kind"] in ("Deployment", "Service", "ConfigMap")]
    variables = by_name(documents)["Deployment", "other-name-api"]["spec"]["template"]["spec"][
        "containers"
    ][0]["env"]
    (key,) = [each for each in variables if each["name"] == "WEBHOOK_SECRET_KEYS"]
    variables.remove(key)
    assert "webhook" not in json.dumps(workloads).lower()


def test_an_archive_can_be_on_a_volume_that_exists(everything: str) -> None:
    documents = rendered(everything, sets=('archive.volume.existingClaim="mine"',))
    assert "PersistentVolumeClaim" not in {d["kind"] for d in documents}
    pods = [pod_of(d) for d in documents if d["kind"] == "Deployment"]
    claims = [v["persistentVolumeClaim"] for p in pods for v in p.get("volumes", ())
              if "persistentVolumeClaim" in v]  # fmt: skip
    assert [each["claimName"] for each in claims] == ["mine"] * 4
    assert [each.get("readOnly", False) for each in claims].count(False) == 1, "the archiver"


def test_without_network_policies_there_is_none(everything: str) -> None:
    documents = rendered(everything, sets=("networkPolicies.enabled=false",))
    assert "NetworkPolicy" not in {d["kind"] for d in documents}


def test_the_notes_say_what_to_do_next(tmp_path: Path) -> None:
    """Helm shows them only with a cluster, so a copy of the chart renders them as a resource."""
    shutil.copytree(CHART, tmp_path / "headrace")
    chart = tmp_path / "headrace"
    (chart / "templates/NOTES.txt").rename(chart / "files/notes")
    note = 'kind: Note\ntext: {{ tpl (.Files.Get "files/notes") . | toJson }}'
    (chart / "templates/note.yaml").write_text(note)
    shown = {}
    for overlay in ("dev", "production"):
        files = [part for file in values_of(overlay) for part in ("--values", file)]
        done = helm("template", "headrace", str(chart), *files, "-s", "templates/note.yaml")
        shown[overlay] = yaml.safe_load(done.stdout)["text"]
    assert "helm test headrace -n default --logs" in shown["dev"]
    assert "AUTH_MODE=open: everyone may read and change everything" in shown["dev"]
    assert "port-forward service/headrace-fanout 8080" in shown["dev"]
    assert "https://headrace.example.com/" in shown["production"]
    for name in ("FANOUT", "ARCHIVER", "WEBHOOKS"):
        assert f"headrace-secrets: {name}_REDIS_URL" in shown["production"]
    assert (
        "kubectl label namespace <of your entrance> headrace/entrance=true" in shown["production"]
    )
    assert "AUTH_MODE=open" not in shown["production"]
