"""The modules of the package in Node, with fakes of a browser and of the API.

The package needs Node 18. Three of these files need Node 20.11: before, the clock for tests cannot
set `Date`. To try another Node with all tests of this folder:
`PATH="$(dirname "$(npx -y -p node@18 which node)"):$PATH" pytest tests/clients/packages/js`.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from shared import __version__
from tests.clients.packages.js.archive import PACKAGE
from tests.support.fenced import ROOT
from tests.support.programs import needed

SOURCE = PACKAGE / "src"


@pytest.mark.io
@pytest.mark.parametrize(
    "file", sorted(Path(__file__).parent.glob("node/*.test.mjs")), ids=lambda path: path.name
)
def test_tests_in_node(file: Path) -> None:
    command = [needed("node"), "--test-reporter=tap", "--test", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert re.search(r"^# pass [1-9]", done.stdout, re.M)


def test_the_package_has_the_version_and_the_license_of_the_project() -> None:
    package = json.loads((PACKAGE / "package.json").read_text())
    assert package["version"] == __version__
    assert f'license = "{package["license"]}"' in (ROOT / "pyproject.toml").read_text()
    assert (PACKAGE / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert "dependencies" not in package


@pytest.mark.parametrize("name", ["headrace", "react", "transactions"])
def test_the_types_name_what_the_module_exports(name: str) -> None:
    declared = _exports((SOURCE / f"{name}.d.ts").read_text())
    text = (SOURCE / f"{name}.js").read_text()
    again = {
        each
        for names in re.findall(r"^export \{ (.*) \};", text, re.M)
        for each in names.split(", ")
    }
    assert declared
    assert declared == _exports(text) | again


def _exports(text: str) -> set[str]:
    return set(re.findall(r"^export (?:async )?(?:class|const|function) (\w+)", text, re.M))
