"""The results that are committed in docs/benchmarks/."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench import results
from tests.bench.cases import CASES
from tests.bench.comparison import is_regression
from tests.bench.rows import ratio, row


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [row("us", "CPU", "µs", [2.0, 3.0], 1.0), ratio("c", "… C", [1.0], [2.0])]
    results.write(tmp_path, "deliveries", rows, {"commit": "abc"})
    assert results.read(tmp_path, "deliveries") == rows
    document = json.loads((tmp_path / "deliveries.json").read_text())
    assert (document["commit"], document["rows"][0]["median"]) == ("abc", 2.5)


def test_a_peer_that_was_not_installed_is_not_in_the_file(tmp_path: Path) -> None:
    results.write(tmp_path, "memory", [ratio("nchan", "… Nchan", [1.0], [])], {})
    assert results.read(tmp_path, "memory") == []


def test_a_case_without_a_result_has_no_rows(tmp_path: Path) -> None:
    assert results.read(tmp_path, "memory") == []


def test_every_committed_result_belongs_to_a_case_and_is_no_regression_of_itself() -> None:
    for path in results.FOLDER.glob("*.json"):
        assert path.stem in CASES
        rows = results.read(results.FOLDER, path.stem)
        assert len({row.key for row in rows}) == len(rows) > 0
        assert [row.key for row in rows if is_regression(row, row.runs)] == []
