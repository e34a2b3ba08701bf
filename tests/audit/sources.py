"""What a source of known vulnerabilities tells of pinned packages, by pip-audit's own clients.

Its library and not its command: that ends in a traceback both when a source is away and when
something of its own is wrong, and passes in silence what a source does not know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import requests
from packaging.version import Version
from pip_audit import _service as services
from pip_audit._dependency_source import RequirementSource
from pip_audit._service import ResolvedDependency, VulnerabilityResult, VulnerabilityService

CONTROL = ResolvedDependency("jinja2", Version("2.4.1"))
"""Has had known vulnerabilities for years: a source that tells none of them has no data."""

AWAY = (requests.RequestException, services.ConnectionError, services.ServiceError)
"""A source that is not reached, refuses, or answers what is no JSON; all else is a defect."""


@dataclass
class Told:
    """Vulnerabilities found, a line each; `silent` says why those who are not named are unknown."""

    found: list[str] = field(default_factory=list)
    silent: str = ""


def pinned(files: Iterable[Path]) -> list[ResolvedDependency]:
    """The packages of locked requirements that this platform installs; nothing is fetched.

    Raises pip-audit's RequirementSourceError when one has no hash or is pinned in two ways.
    """
    source = RequirementSource([*files], require_hashes=True, disable_pip=True)
    packages = {p for p in source.collect() if isinstance(p, ResolvedDependency)}
    return sorted(packages, key=lambda package: package.name)


def ask(service: VulnerabilityService, packages: Iterable[ResolvedDependency]) -> Told:
    """What a source tells of these packages, as far as it goes."""
    told = Told()
    try:
        if not service.query(CONTROL)[1]:
            told.silent = f"knows nothing of {CONTROL.name} {CONTROL.version}, so it has no data"
            return told
        for package in packages:
            answered, vulnerabilities = service.query(package)
            told.found += [_line(package, each) for each in vulnerabilities]
            if answered.is_skipped():
                told.silent = f"knows nothing of {package.name} {package.version}"
    except AWAY as error:
        told.silent = type(error).__name__
    return told


def _line(package: ResolvedDependency, vulnerability: VulnerabilityResult) -> str:
    mended = ", ".join(map(str, vulnerability.fix_versions)) or "no version yet"
    return f"{package.name} {package.version}: {vulnerability.id}, mended in {mended}"
