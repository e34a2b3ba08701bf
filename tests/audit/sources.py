"""Ask a source of known vulnerabilities about pinned packages, with pip-audit's clients.

pip-audit's library is used, and not its command: the command ends in a traceback both when a source
is unreachable and when it has a bug, and silently passes packages that a source does not know.
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
"""It has had known vulnerabilities for years: a source without any for it has no data."""

AWAY = (requests.RequestException, services.ConnectionError, services.ServiceError)
"""The source is unreachable, refuses, or does not send JSON. Any other error is a bug."""


@dataclass
class AuditResult:
    """The vulnerabilities, one line each; `silent` says why there is no complete answer."""

    found: list[str] = field(default_factory=list)
    silent: str = ""


def pinned(files: Iterable[Path]) -> list[ResolvedDependency]:
    """The packages in locked requirements that this platform installs; nothing is downloaded.

    Raises pip-audit's RequirementSourceError if one has no hash or is pinned twice.
    """
    source = RequirementSource([*files], require_hashes=True, disable_pip=True)
    packages = {p for p in source.collect() if isinstance(p, ResolvedDependency)}
    return sorted(packages, key=lambda package: package.name)


def ask(service: VulnerabilityService, packages: Iterable[ResolvedDependency]) -> AuditResult:
    """Ask a source about these packages."""
    result = AuditResult()
    try:
        if not service.query(CONTROL)[1]:
            result.silent = f"knows nothing of {CONTROL.name} {CONTROL.version}, so it has no data"
            return result
        for package in packages:
            answered, vulnerabilities = service.query(package)
            result.found += [_line(package, each) for each in vulnerabilities]
            if answered.is_skipped():
                result.silent = f"knows nothing of {package.name} {package.version}"
    except AWAY as error:
        result.silent = type(error).__name__
    return result


def _line(package: ResolvedDependency, vulnerability: VulnerabilityResult) -> str:
    mended = ", ".join(map(str, vulnerability.fix_versions)) or "no version yet"
    return f"{package.name} {package.version}: {vulnerability.id}, mended in {mended}"
