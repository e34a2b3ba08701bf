"""Every attack of `make attacks` reaches its goals. The runs of docs/reliability.md are longer."""

from __future__ import annotations

import pytest

from tests.attacks.__main__ import ATTACKS, run
from tests.attacks.figure import Figure, failed
from tests.attacks.metadata import largest


@pytest.mark.io
@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_reaches_its_goals(name: str) -> None:
    assert [figure.row() for figure in run([name]) if not figure.ok] == []


def test_a_figure_above_its_goal_is_not_ok() -> None:
    assert Figure("storage", "added", 8.0, "MB", 8).ok
    assert Figure("storage", "added", 8.1, "MB", 8).row()[-1] == "NOT OK"
    assert failed("storage", "a login", success=True).ok
    assert not failed("storage", "a login", success=False).ok


def test_metadata_has_as_many_emoji_as_wanted() -> None:
    assert sum(map(len, [largest()["label"], largest()["note"]])) == 2200  # type: ignore[arg-type]
    assert largest()["tags"] == ["🌊" * 50] * 20
    assert largest(201) == {"label": "🌊" * 200, "note": "🌊"}
