"""`kubectl` without a cluster: its commands are checked against the manifests, not carried out.

kubectl itself reads the words. What they name must be in an overlay of deploy/kubernetes: the
namespace, the resource, the container, the labels. What is applied must be valid. A command inside
a pod runs in a process of the same service.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kubernetes_validate
import yaml

from tests.deploy.manifests import OVERLAYS, Document, built
from tests.operations import tools
from tests.operations.engine import Engine
from tests.operations.terminal import Call, Result, UnknownCommandError
from tests.operations.tools import Words

_KINDS = {
    "deployment": "Deployment",
    "deploy": "Deployment",
    "hpa": "HorizontalPodAutoscaler",
    "service": "Service",
    "svc": "Service",
}
_MADE_BY_THE_CLUSTER = {"pods", "events", "poddisruptionbudgets", "nodes"}
_FOREIGN = {"HTTPRoute", "PrometheusRule", "ScaledObject", "ServiceMonitor"}
"""Kinds that Kubernetes itself does not know."""
_VERSION = "1.37"

_WORDS = Words("--ignore-daemonsets", "--delete-emptydir-data", "--prefix", "-w")
_WORDS.values("-n", "-l", "-k", "-f", "-o", "-c", "--tail", "--since", "--timeout", "--replicas")
_WORDS.values("--patch", "--sort-by", "--from-literal").rest("words")


class Cluster:
    """Checks commands of kubectl. `engine` has the processes of the services."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._documents = [document for overlay in OVERLAYS for document in built(overlay)]

    async def carry_out(self, call: Call) -> Result:
        """Check one command. Only commands inside a pod and those without a cluster print."""
        words, inside = call.words[1:], list[str]()
        if "--" in words:
            place = words.index("--")
            words, inside = words[:place], words[place + 1 :]
        answer = await tools.understood_by_kubectl(call, call.words[1:])
        given = _WORDS.parse_args(words)
        self._check_names(given.n, given.l)
        match given.words:
            case ["exec", resource]:
                return await self._enter(call, resource, inside)
            case ["apply"]:
                return await self._apply(call, given.k, given.f)
            case ["patch", kind, name]:
                self._check_patch(self._found(kind, name), given.patch)
            case ["set", "image", resource, image]:
                self._check_container(self._named(resource), image.partition("=")[0])
            case ["rollout", "status" | "undo" | "restart", resource] | ["scale", resource]:
                self._named(resource)
            case ["get", kind, *names]:
                assert kind in _MADE_BY_THE_CLUSTER or all(self._found(kind, n) for n in names)
            case ["logs", *names]:
                assert all(self._named(name) for name in names)
            case ["cordon" | "uncordon" | "drain", _]:
                pass
            case ["create", "secret", "generic", name]:
                assert f"'name': '{name}'" in str(self._documents), f"no pod uses the secret {name}"
            case ["kustomize", _]:
                assert answer, "kustomize needs no cluster"
            case _:
                raise UnknownCommandError("kubectl")
        return answer or Result(0)

    def _check_names(self, namespaces: Iterable[str], selectors: Iterable[str]) -> None:
        known = {d["metadata"].get("namespace") for d in self._documents}
        assert set(namespaces) <= known, f"no such namespace: {namespaces}"
        for selector in selectors:
            wanted = dict(pair.split("=") for pair in selector.split(","))
            labels = [d["spec"]["template"]["metadata"]["labels"] for d in self._of("Deployment")]
            assert any(wanted.items() <= each.items() for each in labels), selector

    def _of(self, kind: str) -> list[Document]:
        return [d for d in self._documents if d["kind"] == kind]

    def _named(self, resource: str) -> Document:
        kind, _, name = resource.partition("/")
        return self._found(kind, name)

    def _found(self, kind: str, name: str) -> Document:
        found = [d for d in self._of(_KINDS[kind]) if d["metadata"]["name"] == name]
        assert found, f"no overlay has {kind}/{name}"
        return found[-1]

    def _check_container(self, deployment: Document, name: str) -> None:
        names = [each["name"] for each in deployment["spec"]["template"]["spec"]["containers"]]
        assert name in names, f"containers: {names}"

    def _check_patch(self, document: Document, patches: Iterable[str]) -> None:
        for patch in patches:
            _validate(_merged(document, yaml.safe_load(patch)))

    async def _apply(self, call: Call, folders: list[str], files: list[str]) -> Result:
        """Build and validate what would be applied, also the namespaces that it needs."""
        texts = []
        for folder in folders:
            shown = await tools.kubectl(call, "kustomize", folder)
            assert (shown.code, shown.errors) == (0, ""), shown.errors
            texts.append(shown.text)
        for file in files:
            texts.append(call.stdin.decode() if file == "-" else (call.folder / file).read_text())
        documents = [d for text in texts for d in yaml.safe_load_all(text)]
        assert documents, "nothing is applied"
        for document in documents:
            if document["kind"] not in _FOREIGN:
                _validate(document)
        return Result(0)

    async def _enter(self, call: Call, resource: str, command: list[str]) -> Result:
        """Run a command in a pod, unless the page has just run the same one with compose."""
        name = self._named(resource)["metadata"]["name"].removeprefix("headrace-")
        if result := self._engine.done.get((name, *command)):
            return result
        code, output, errors = await self._engine.composed.run(name, command, call.stdin)
        return Result(code or 0, output, errors)


def _validate(document: Document) -> None:
    kubernetes_validate.validate(document, _VERSION, strict=True)


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
