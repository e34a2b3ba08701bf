"""deploy/kubernetes as kubectl builds it: the documents of each overlay."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from services.api.settings import ApiSettings
from services.archiver.settings import ArchiverSettings
from services.fanout.settings import FanoutSettings
from services.indexer.settings import IndexerSettings
from services.webhooks.settings import DispatcherSettings
from shared.journal.settings import CommonSettings
from tests.deploy.dockerfile import ROOT
from tests.support.programs import needed

KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
PRODUCTION = [name for name in OVERLAYS if name.startswith("production")]
SERVICES: dict[str, type[CommonSettings]] = {
    "api": ApiSettings,
    "archiver": ArchiverSettings,
    "fanout": FanoutSettings,
    "indexer": IndexerSettings,
    "webhooks": DispatcherSettings,
}
SMALL = ("dev",)
"""Overlays that have no archiver and no dispatchers of webhooks."""

Document = dict[str, Any]


def services_of(overlay: str) -> list[str]:
    """The services of an overlay."""
    absent = {"archiver", "webhooks"} if overlay in SMALL else set()
    return [name for name in SERVICES if name not in absent]


EACH = [(overlay, name) for overlay in OVERLAYS for name in services_of(overlay)]
"""Each service of each overlay."""


@cache
def built(overlay: str) -> tuple[Document, ...]:
    """All documents of an overlay, from `kubectl kustomize`."""
    return tuple(yaml.safe_load_all(made(KUBERNETES / "overlays" / overlay)))


def made(folder: Path) -> str:
    """What `kubectl kustomize` makes of a folder."""
    done = subprocess.run(
        [needed("kubectl"), "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "kustomize warns"
    return done.stdout


def of_kind(overlay: str, kind: str) -> dict[str, Document]:
    """The documents of one kind in an overlay, by name."""
    return {d["metadata"]["name"]: d for d in built(overlay) if d["kind"] == kind}


def deployments(overlay: str) -> dict[str, Document]:
    """The pod templates of an overlay's deployments, by component."""
    found = of_kind(overlay, "Deployment")
    return {name.removeprefix("headrace-"): each["spec"] for name, each in found.items()}


def pod(deployment: Document) -> Document:
    """The pod spec."""
    return dict(deployment["template"]["spec"])


def container(deployment: Document) -> Document:
    """The only container of the pod."""
    (only,) = pod(deployment)["containers"]
    return dict(only)


def environment(overlay: str, component: str) -> dict[str, str]:
    """The environment of the process. Secrets are shown as the name of their key."""
    spec = container(deployments(overlay)[component])
    maps = of_kind(overlay, "ConfigMap")
    found: dict[str, str] = {}
    for source in spec.get("envFrom", ()):
        if "configMapRef" in source:
            found |= maps[source["configMapRef"]["name"]]["data"]
    for variable in spec.get("env", ()):
        secret = variable.get("valueFrom", {}).get("secretKeyRef")
        if secret is None:
            found[variable["name"]] = variable["value"]
        elif not secret.get("optional"):
            found[variable["name"]] = f"secret:{secret['key']}"
    return found


def quantity(text: str) -> float:
    """`500m`, `256Mi` and `2` as numbers."""
    for unit, times in (("m", 0.001), ("Mi", 2**20), ("Gi", 2**30)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * times
    return float(text)
