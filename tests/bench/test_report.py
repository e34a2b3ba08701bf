"""The tables of docs/benchmarks.md come from the committed results."""

from __future__ import annotations

from pathlib import Path

from tests.bench import report, results
from tests.bench.cases import CASES
from tests.bench.rows import row

PAGE = "# Page\n\n<!-- results: storm startup -->\nold\n<!-- end -->\n\nmore\n"
ORIGIN = {"date": "2026-11-29", "commit": "abc", "machine": "x", "kernel": "6", "python": "3.11"}


def test_the_page_shows_the_committed_results() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    assert page == report.rendered(page, results.FOLDER), "run python -m tests.bench.report"


def test_the_page_has_a_table_for_each_case() -> None:
    assert sorted(report.cases(report.PAGE.read_text(encoding="utf-8"))) == sorted(CASES)


def test_a_table_has_the_rows_of_its_cases_and_their_origin(tmp_path: Path) -> None:
    results.write(tmp_path, "storm", [row("r", "resumed", "/s", [9.0, 7.0, 8.0], 8.5)], ORIGIN)
    page = report.rendered(PAGE, tmp_path)
    assert "| resumed | 8 (7–9) /s | ≤ 8.50 /s | reached |\n" in page
    assert "| `startup` is not measured yet | | | |\n" in page
    assert "\n`storm`: 2026-11-29, commit abc, x, Linux 6, Python 3.11.\n" in page
    assert page.startswith("# Page\n")
    assert page.endswith("<!-- end -->\n\nmore\n")
    assert "old" not in page


def test_writing_a_page_again_changes_nothing(tmp_path: Path) -> None:
    results.write(tmp_path, "storm", [row("r", "resumed", "/s", [9.0])], ORIGIN)
    page = report.rendered(PAGE, tmp_path)
    assert report.rendered(page, tmp_path) == page
