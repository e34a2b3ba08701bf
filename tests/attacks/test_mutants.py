"""Each safeguard against attacks has a test that fails without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attacks.mutants import MUTANTS
from tests.support.tier import one_in_test

_ROOT = Path(__file__).parents[2]


@pytest.mark.io
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", one_in_test([*MUTANTS]))
def test_a_removed_safeguard_is_noticed(name: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.attacks.mutants"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", MUTANTS[name].test],
        cwd=_ROOT,
        env=os.environ | {"MUTATION": name},
        capture_output=True,
        text=True,
        check=False,
    )
    *_, summary = done.stdout.splitlines()
    assert "1 failed" in summary, done.stdout
    assert "error" not in summary, done.stdout


@pytest.mark.parametrize("test", sorted({mutant.test for mutant in MUTANTS.values()}))
def test_the_tests_that_notice_exist(test: str) -> None:
    path, _, function = test.partition("::")
    assert f"def {function}" in (_ROOT / path).read_text(encoding="utf-8")
