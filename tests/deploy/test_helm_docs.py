"""docs/operations/helm.md: its commands work as they are written."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from services.api.settings import ApiSettings
from tests.deploy.charts import VERSION
from tests.deploy.dockerfile import ROOT
from tests.deploy.manifests import PRODUCTION, SERVICES, environment, of_kind
from tests.operations.pages import blocks
from tests.support.programs import needed

pytestmark = pytest.mark.io(cached=True)  # the first case starts the tool

CONTRACT = "CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2:stream"


def commands(*beginning: str) -> list[str]:
    """The commands of the page that begin so, each in one line."""
    text = "".join(block.text for block in blocks("helm.md")).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.startswith(beginning)]


def run(command: str, folder: Path) -> str:
    """What a command prints, in a shell that finds no cluster."""
    for program in ("helm", "kubectl", "openssl"):
        command = re.sub(rf"^{program} ", f"{needed(program)} ", command)
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env={"HOME": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.io
def test_the_secret_has_the_keys_that_the_pods_read(tmp_path: Path) -> None:
    (key,), (secret,) = commands("openssl"), commands("kubectl -n headrace create secret")
    run(key, tmp_path)
    made = yaml.safe_load(run(f"{secret} --dry-run=client -o yaml", tmp_path))
    for overlay in PRODUCTION:
        for service in SERVICES:
            assert (
                environment(overlay, service)["REDIS_URL"].removeprefix("secret:") in made["data"]
            )
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == (
        "headrace-secrets",
        "headrace",
    )
    private = base64.b64decode(made["data"]["JWT_PRIVATE_KEY"]).decode()
    ApiSettings(contracts=CONTRACT, auth_mode="required", jwt_private_key=private)
    ApiSettings(
        contracts=CONTRACT, redis_url=base64.b64decode(made["data"]["API_REDIS_URL"]).decode()
    )


def test_the_first_command_makes_the_namespace_of_the_overlays() -> None:
    (command,) = commands("kubectl apply -f")
    document = yaml.safe_load((ROOT / command.split()[-1]).read_text())
    for overlay in PRODUCTION:
        assert set(of_kind(overlay, "Namespace")) == {document["metadata"]["name"]}


@pytest.mark.io
def test_the_other_commands_name_what_exists() -> None:
    (apply,) = commands("kubectl apply -k")
    assert (ROOT / apply.split()[-1] / "kustomization.yaml").is_file()
    installations = commands("helm upgrade")
    assert len(installations) == 2
    for command in installations:
        offline = command.replace("upgrade --install", "template").replace("--create-namespace", "")
        assert "kind: Deployment" in run(f"{offline} --kube-version {VERSION}", ROOT)
