"""A real API server of Kubernetes, with etcd, but without nodes: it checks and stores resources.

`make apiserver` builds the programs. The server accepts any field in the kinds of other projects:
those of the Gateway API, of KEDA and of the Prometheus operator.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.support.programs import needed
from tests.support.waiting import free_port, until

_FOREIGN = {
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
}
_TOKEN = "token-of-the-test"


class Cluster:
    """Runs kubectl and helm with a server that has no nodes."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._folder = folder
        self._environment = os.environ | {"KUBECONFIG": str(folder / "kubeconfig")}
        access = {"cluster": {"server": url, "insecure-skip-tls-verify": True}, "name": "test"}
        (folder / "kubeconfig").write_text(
            yaml.safe_dump(
                {
                    "clusters": [access],
                    "users": [{"name": "test", "user": {"token": _TOKEN}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                    "current-context": "test",
                }
            )
        )

    def run(self, program: str, *arguments: str, given: str | None = None) -> str:
        """What a command prints. Fails if the command fails, or if the server warns."""
        done = subprocess.run(
            [needed(program), *arguments], env=self._environment, input=given,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr, done.stderr
        return done.stdout

    def start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that waits for something."""
        return subprocess.Popen(
            [needed(program), *arguments], env=self._environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    async def is_ready(self) -> bool:
        """Whether the server accepts requests."""
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            try:
                async with session.get(f"{self.url}/readyz", ssl=False) as response:
                    return response.status == 200
            except aiohttp.ClientError:
                return False


@asynccontextmanager
async def api_server(folder: Path) -> AsyncIterator[Cluster]:
    """Start etcd and an API server that knows all kinds. Data and logs are in `folder`."""
    for program in ("etcd", "kube-apiserver", "kubectl", "openssl"):
        needed(program)
    storage, port = f"http://127.0.0.1:{free_port()}", free_port()
    cluster = Cluster(folder, f"https://127.0.0.1:{port}")
    running = [_etcd(folder, storage), _server(folder, storage, port)]
    try:
        await until(cluster.is_ready, seconds=120, what="the API server")
        kinds = yaml.safe_dump_all([_kind(name, api) for name, api in _FOREIGN.items()])
        cluster.run("kubectl", "apply", "--filename", "-", given=kinds)
        cluster.run("kubectl", "wait", "--for=condition=Established", "crd", "--all")
        yield cluster
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait)


def _kind(name: str, api: str) -> dict[str, Any]:
    """The definition of a kind that may have any field."""
    group, _, version = api.partition("/")
    plural = f"{name.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, only for a test"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": name, "plural": plural},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def _etcd(folder: Path, url: str) -> subprocess.Popen[bytes]:
    peers = f"http://127.0.0.1:{free_port()}"
    return _started(
        folder,
        "etcd",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
    )


def _server(folder: Path, storage: str, port: int) -> subprocess.Popen[bytes]:
    key, tokens = folder / "accounts.key", folder / "tokens.csv"
    make_key = [needed("openssl"), "genrsa", "-out", str(key), "2048"]
    subprocess.run(make_key, check=True, capture_output=True)
    tokens.write_text(f'{_TOKEN},admin,1,"system:masters"\n')
    return _started(
        folder,
        "kube-apiserver",
        f"--etcd-servers={storage}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=AlwaysAllow",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-account-issuer=https://localhost",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--disable-admission-plugins=ServiceAccount",  # no controller makes accounts and tokens
    )


def _started(folder: Path, program: str, *options: str) -> subprocess.Popen[bytes]:
    with (folder / f"{program}.log").open("wb") as log:
        return subprocess.Popen([needed(program), *options], stdout=log, stderr=log)
