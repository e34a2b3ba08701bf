"""`make audit`: check whether a pinned package has a known vulnerability.

The exit code is 1 if one has. If no source of vulnerabilities can be reached, one line says so and
the exit code is 0: a network without access is no finding against a package.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pip_audit._service import OsvService, PyPIService, ResolvedDependency, VulnerabilityService

from tests.audit.sources import AuditResult, ask, pinned

REQUIREMENTS = sorted((Path(__file__).parents[2] / "requirements").glob("*.txt"))
SECONDS = 10


def audit(
    sources: Mapping[str, VulnerabilityService], packages: Sequence[ResolvedDependency]
) -> int:
    """Ask the sources in turn until one knows all packages; prints the outcome."""
    silent = []
    for name, service in sources.items():
        result: AuditResult = ask(service, packages)
        if result.found:
            print(f"known vulnerabilities ({name}):", *result.found, sep="\n  ")
            return 1
        if not result.silent:
            print(f"audited {len(packages)} packages: no known vulnerability ({name})")
            return 0
        silent.append(f"{name}: {result.silent}")
    print(f"not audited, as the data cannot be had here ({'; '.join(silent)})")
    return 0


def main() -> int:
    """Audit with OSV, which has the advisories of PyPI and GitHub, else with PyPI."""
    with tempfile.TemporaryDirectory() as folder:  # nothing is stored outside this project
        cache = Path(folder)
        sources = {"OSV": OsvService(cache, SECONDS), "PyPI": PyPIService(cache, SECONDS)}
        return audit(sources, pinned(REQUIREMENTS))


if __name__ == "__main__":
    sys.exit(main())
