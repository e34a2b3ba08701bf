"""Each block of a page that a reader can run is run by a test.

docs/decisions/0110-documentation-is-a-site.md says how.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES
from tests.support.fenced import ROOT, Block, fenced
from tests.support.programs import needed

RUNNABLE = {"sh", "js", "html", "python", "sql"}
SHOWN = {"json", "text", "env", "yaml", ""}
"""Languages of blocks that only show something: they contain no command."""
TESTS = {
    "README.md": "tests/docs/test_readme_examples.py",
    "docs/api.md": "tests/api/reference/test_examples.py",
    "docs/clients/javascript.md": "tests/docs/test_headrace_js.py",
    "docs/guides/export-the-history.md": "tests/docs/test_guides.py",
    "docs/guides/follow-from-a-program.md": "tests/docs/test_guides.py",
    "docs/guides/query-the-archive.md": "tests/api/streams/test_summary_of_archive.py",
    "docs/guides/streams-on-chain.md": "tests/docs/test_transactions_guide.py",
    "docs/guides/subscribe-with-a-login.md": "tests/docs/test_login_guide.py",
    "docs/guides/webhooks.md": "tests/docs/test_webhooks_guide.py",
    "docs/transactions.md": "tests/system/test_transactions.py",
    "docs/tutorial.md": "tests/docs/test_tutorial.py",
}
"""The test that runs the blocks of a page. Blocks with nothing but `make` need none."""

_MAKE = re.compile(r"^(?:\w+='[^']*' )?make\b[^#\n]*", re.M)


def _is_only_make(block: Block) -> bool:
    return all(_MAKE.match(line) for line in block.text.splitlines() if line)


@pytest.mark.parametrize("page", PAGES)
def test_a_test_runs_the_blocks_of_a_page(page: str) -> None:
    for block in fenced(page):
        assert block.language in RUNNABLE | SHOWN, f"{block}: unknown language"
        if block.language in SHOWN:
            first = set(re.findall(r"^(?:\$ )?(\w+)", block.text, re.M))
            assert not first & {"curl", "docker", "kubectl", "make", "python", "sh"}, block
        elif not _is_only_make(block):
            assert page in TESTS, f"{block}: no test runs this block; add the test to TESTS"
            name = page.removeprefix("docs/")
            assert name in (ROOT / TESTS[page]).read_text(encoding="utf-8"), TESTS[page]


def test_the_table_names_pages_that_exist() -> None:
    assert set(TESTS) <= set(PAGES)


@pytest.mark.io(cached=True)
@pytest.mark.parametrize("page", [page for page in PAGES if fenced(page, "sh")])
def test_make_knows_the_targets_of_a_page(page: str, tmp_path: Path) -> None:
    text = "\n".join(block.text for block in fenced(page, "sh"))
    for command in _MAKE.findall(text):
        done = subprocess.run(
            [needed("bash"), "-c", f"{command.replace('make', 'make --dry-run', 1)}"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"
