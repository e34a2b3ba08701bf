"""`make audit`: whether a pinned package has a known vulnerability.

Exit code 1 when one has. Where the data cannot be had, that is said in one line and passes: a
network that lets nothing through says nothing against a package.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pip_audit._service import OsvService, PyPIService, ResolvedDependency, VulnerabilityService

from tests.audit.sources import Told, ask, pinned

REQUIREMENTS = sorted((Path(__file__).parents[2] / "requirements").glob("*.txt"))
SECONDS = 10


def audit(
    sources: Mapping[str, VulnerabilityService], packages: Sequence[ResolvedDependency]
) -> int:
    """Ask one source after the other until one tells of all packages; prints the outcome."""
    silent = []
    for name, service in sources.items():
        told: Told = ask(service, packages)
        if told.found:
            print(f"known vulnerabilities ({name}):", *told.found, sep="\n  ")
            return 1
        if not told.silent:
            print(f"audited {len(packages)} packages: no known vulnerability ({name})")
            return 0
        silent.append(f"{name}: {told.silent}")
    print(f"not audited, as the data cannot be had here ({'; '.join(silent)})")
    return 0


def main() -> int:
    """By OSV, which has the advisories of PyPI and GitHub, else by PyPI."""
    with tempfile.TemporaryDirectory() as folder:  # nothing is kept outside this project
        cache = Path(folder)
        sources = {"OSV": OsvService(cache, SECONDS), "PyPI": PyPIService(cache, SECONDS)}
        return audit(sources, pinned(REQUIREMENTS))


if __name__ == "__main__":
    sys.exit(main())
