"""Results as JSON: `docs/benchmarks/<case>.json` is the last committed result of a case."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.rows import Row

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/benchmarks"


def write(
    folder: Path, case: str, rows: Sequence[Row], circumstances: Mapping[str, object]
) -> None:
    """Replace the result of a case. The median is there for people who read the file."""
    folder.mkdir(exist_ok=True)
    measured = [asdict(row) | {"median": row.median} for row in rows if row.runs]
    text = json.dumps({**circumstances, "rows": measured}, indent=1, ensure_ascii=False)
    (folder / f"{case}.json").write_text(text + "\n", encoding="utf-8")


def document(folder: Path, case: str) -> dict[str, Any]:
    """The last committed result of a case; empty if there is none yet."""
    path = folder / f"{case}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def read(folder: Path, case: str) -> list[Row]:
    """The rows of the last committed result."""
    return [_row(each) for each in document(folder, case).get("rows", ())]


def _row(fields: dict[str, Any]) -> Row:
    runs = tuple(fields["runs"])
    return Row(
        **{name: value for name, value in fields.items() if name != "median"} | {"runs": runs}
    )


def machine() -> str:
    """The machine in a few words."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{platform.machine()}, {os.cpu_count()} cores, {names[0] if names else 'unknown'}"


def circumstances(others: float) -> dict[str, object]:
    """When and where a result was measured. `others` is what busy.others returned."""
    changed = "+" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _git("rev-parse", "--short", "HEAD") + changed,
        "machine": machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "other_programs": f"{others:.1f} % of a core",
    }


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
