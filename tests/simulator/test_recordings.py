"""The recordings of transactions that the tests read, and what happens when one is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.recordings import recording, simulated_transactions


def test_the_simulator_still_makes_what_was_recorded() -> None:
    """After an intended change of the simulator: `python -m tests.support.recordings`."""
    assert recording("simulator").transactions() == simulated_transactions()


@pytest.mark.parametrize("ci", ["true", ""])
def test_without_the_folder_of_vectors_a_test_is_skipped_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(pytest.skip.Exception, match=r"\.\./shared/vectors does not exist"):
        recording("stellar-core", tmp_path / "vectors")


def test_a_folder_of_vectors_without_the_file_fails_the_test(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"core_transactions\.json is not in it"):
        recording("stellar-core", tmp_path)
