"""A clone of the project that has the present version and a next one, with tags for both."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.deploy.dockerfile import ROOT
from tests.deploy.engine.commands import run
from tests.support.programs import needed

NOW, NEXT = VERSIONS = ("v0.1.0", "v0.2.0")
"""The tags, as the pages of docs/operations name them."""

_PARTS = ("clients", "deploy", "requirements", "services", "shared", ".dockerignore")
_CHANGES = {
    "shared/__init__.py": ('__version__ = "', '__version__ = "1000.'),
    "shared/journal/losses.py": (
        "await redis.hvals(keys.loss_reports)",
        "list((await redis.hgetall(keys.loss_reports)).values())",
    ),
    "services/api/auth/api_keys.py": (
        "await self._redis.hvals(self._name)",
        "(await self._redis.hgetall(self._name)).values()",
    ),
    "deploy/redis/users.acl": (" +hvals ", " +hgetall "),
    "deploy/prometheus/alerts-clients.yaml": ("alert: HeadraceLoopLate", "alert: Renamed"),
    "deploy/alertmanager/alertmanager.yaml": ("repeat_interval: 1h", "repeat_interval: 3h"),
    "deploy/grafana/headrace.json": ('"title": "Headrace"', '"title": "Renamed"'),
}
"""The texts that the next version has in other words. Its services call another command of Redis:
the indexer of one version may not do what the indexer of the other version does."""


def clone(folder: Path) -> Path:
    """Make the clone and its .env. The present version is checked out."""
    origin, made = folder / "origin", folder / "headrace"
    for name in _PARTS:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "tls")
            shutil.copytree(ROOT / name, origin / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, origin / name)
    _git(origin, "init", "--quiet")
    for version in VERSIONS:
        if version == NEXT:
            _change(origin)
        _git(origin, "add", ".")
        _git(origin, "commit", "--quiet", "--message", version)
        _git(origin, "tag", version)
    _git(folder, "clone", "--quiet", "--branch", NOW, str(origin), str(made))
    shutil.copy(made / "deploy/simulated.env", made / ".env")
    return made


def check_out(made: Path, version: str) -> None:
    """Check out one of VERSIONS."""
    _git(made, "checkout", "--quiet", version)


def _change(project: Path) -> None:
    for name, (now, then) in _CHANGES.items():
        text = (project / name).read_text(encoding="utf-8")
        assert now in text, f"{name} has no {now}: choose another text for the next version"
        (project / name).write_text(text.replace(now, then), encoding="utf-8")


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=operator", "-c", "user.email=operator@localhost")
    run(needed("git"), "-C", str(folder), *who, "-c", "advice.detachedHead=false", *words)
