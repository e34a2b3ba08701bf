"""deploy/helm as Helm renders it: the documents of the chart with some values."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from functools import cache
from typing import Any

import yaml

from tests.deploy.dockerfile import ROOT
from tests.deploy.manifests import Document, built
from tests.support.programs import needed

CHART = ROOT / "deploy/helm/headrace"
VALUES = ROOT / "deploy/helm/values"

VERSION = "1.37.0"
"""The version of Kubernetes that Helm assumes when no cluster is there."""

_OF_HELM = ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "helm.sh/chart")
_LABELS = {*_OF_HELM, "app.kubernetes.io/version"}
_ANNOTATIONS = {"checksum/settings", "helm.sh/resource-policy"}
_HASHED = re.compile(r"(headrace-(?:settings|secrets))-[a-z0-9]{10}")


def helm(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Helm that needs no cluster."""
    program = [needed("helm"), command, *arguments, "--kube-version", VERSION]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def values_of(overlay: str) -> tuple[str, ...]:
    """The values files that make the same resources as an overlay of kustomize, in order."""
    names = ["production", overlay] if overlay.startswith("production-") else [overlay]
    return tuple(str(VALUES / f"{name}.yaml") for name in names)


@cache
def rendered(
    *files: str, sets: Sequence[str] = (), release: str = "headrace", namespace: str = "headrace"
) -> tuple[Document, ...]:
    """All documents of the chart with these values files and `--set` arguments."""
    given = [argument for file in files for argument in ("--values", file)]
    given += [argument for each in sets for argument in ("--set-json", each)]
    done = helm("template", release, str(CHART), "--namespace", namespace, *given)
    assert done.returncode == 0, done.stderr
    return tuple(document for document in yaml.safe_load_all(done.stdout) if document)


def is_hook(document: Document) -> bool:
    """Whether Helm applies it only for `helm test`."""
    return "helm.sh/hook" in document["metadata"].get("annotations", {})


def by_name(documents: Sequence[Document]) -> dict[tuple[str, str], Document]:
    """The documents by kind and name."""
    found = {(each["kind"], each["metadata"]["name"]): each for each in documents}
    assert len(found) == len(documents), "two documents have the same name"
    return found


def of_chart(overlay: str) -> dict[tuple[str, str], Document]:
    """What the chart makes with the values of an overlay, without what only Helm adds."""
    namespace = "headrace-dev" if overlay == "dev" else "headrace"
    documents = rendered(*values_of(overlay), namespace=namespace)
    return by_name([_without_helm(each) for each in documents if not is_hook(each)])


def of_overlay(overlay: str) -> dict[tuple[str, str], Document]:
    """What kustomize makes, without the hashes in names and without the namespace itself.

    Helm makes the namespace with `--create-namespace`.
    """
    text = _HASHED.sub(r"\1", yaml.safe_dump_all(built(overlay)))
    documents = [each for each in yaml.safe_load_all(text) if each["kind"] != "Namespace"]
    return by_name(documents)


def _without_helm(value: Any) -> Any:
    """The same without Helm's labels and annotations, such as the checksum for kustomize's hash."""
    if isinstance(value, list):
        return [_without_helm(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: each for key, each in value.items() if key not in _LABELS}
    if _ANNOTATIONS & (kept.get("annotations") or {}).keys():
        kept["annotations"] = {
            k: v for k, v in kept["annotations"].items() if k not in _ANNOTATIONS
        }
        if not kept["annotations"]:
            del kept["annotations"]
    return {key: _without_helm(each) for key, each in kept.items()}
