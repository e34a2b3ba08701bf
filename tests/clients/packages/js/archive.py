"""The package headrace as users get it: packed by npm, installed into an empty project."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.fenced import ROOT
from tests.support.programs import NODE_MODULES, needed, needed_package

PACKAGE = ROOT / "clients/js"

README = "clients/js/README.md"
GUIDE = "docs/clients/javascript.md"


def require_libraries() -> None:
    """Skip the test, or fail it in CI, if React, TypeScript and esbuild are not installed."""
    needed_package("react-dom")


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command in this folder and return its output, which is in the error if it fails."""
    environment = os.environ | {"npm_config_cache": str(folder / ".npm")}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def pack(folder: Path) -> Path:
    """The archive that `npm publish` would upload."""
    npm = (needed("npm"), "pack", "--json", "--pack-destination", folder, PACKAGE)
    [packed] = json.loads(run(npm, folder))
    return folder / str(packed["filename"])


def install(archive: Path, project: Path) -> None:
    """Install the archive into a new project, without any network."""
    project.mkdir()
    (project / "package.json").write_text('{"name": "project", "private": true, "type": "module"}')
    npm = [needed("npm"), "install", "--offline", "--no-audit", "--no-fund"]
    run([*npm, f"./{os.path.relpath(archive, project)}"], project)


def add_libraries(project: Path, *names: str) -> None:
    """Add installed libraries to the project, as if npm had installed them there."""
    for name in names:
        place = project / "node_modules" / name
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(NODE_MODULES / name)


def bundle(project: Path, source: Path, *options: str) -> Path:
    """One file for browsers with the module and all that it imports, as a bundler makes it."""
    target = project / f"{source.stem}.bundle.js"
    esbuild = (NODE_MODULES / ".bin/esbuild", source, "--bundle")
    development = '--define:process.env.NODE_ENV="development"'
    run((*esbuild, "--format=esm", f"--outfile={target}", development, *options), project)
    return target
