"""The form of the pages of docs/operations: each command is in a block that a test can run."""

from __future__ import annotations

import re
import subprocess
from collections import Counter

import pytest

from tests.deploy.dockerfile import ROOT
from tests.operations.pages import ELSEWHERE, FOLDER, PAGES, blocks, compose_blocks
from tests.support.programs import needed

LANGUAGES = {"sh", "text", "env", "json", "yaml"}
LONGEST = 250
"""Lines of a page."""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_short_and_its_blocks_have_a_language_and_a_name(page: str) -> None:
    for each in blocks(page, language=""):
        assert each.language in LANGUAGES, each
        if page not in ELSEWHERE:
            assert each.name or each.language != "sh", f"{each}: name the block, as ```sh start it"
    names = Counter(each.name for each in blocks(page) if each.name)
    assert [name for name, count in names.items() if count > 1] == []
    assert len((FOLDER / page).read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("page", ELSEWHERE)
def test_the_test_of_a_page_exists(page: str) -> None:
    assert page not in PAGES or (ROOT / ELSEWHERE[page]).exists()


@pytest.mark.parametrize("page", PAGES)
def test_no_command_stands_outside_of_a_block_that_is_run(page: str) -> None:
    for each in blocks(page, language=""):
        if each.language != "sh":
            first = re.findall(r"^\s*(?:\$ )?(\w+)", each.text, re.M)
            assert not {"docker", "kubectl", "helm", "sh", "python", "curl"} & set(first), each


@pytest.mark.io(cached=True)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_bash_understands_the_blocks(page: str) -> None:
    for each in blocks(page):
        done = subprocess.run(
            [needed("bash"), "-n"], input=each.text, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{each}: {done.stderr}"


def test_the_blocks_for_compose_are_found() -> None:
    names = [each.name for each in compose_blocks("backup.md")]
    assert names[:2] == ["backup with compose", "restore with compose"]
    assert "drain a node" not in [each.name for each in compose_blocks("drain.md")]
