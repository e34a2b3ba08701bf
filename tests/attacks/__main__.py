"""`make attacks`: attack the system at its default limits, and print what it cost.

ATTACKS has the names of some attacks; by default all are run, one after the other. Each begins with
a new system.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Coroutine, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.attacks import history, logs, replays, slow_readers, slow_requests, spam, storage
from tests.attacks.figure import Figure

ATTACKS: Mapping[str, Callable[[Path], Coroutine[Any, Any, list[Figure]]]] = {
    "storage": storage.attack,
    "history": history.attack,
    "replays": replays.attack,
    "spam": spam.attack,
    "requests": slow_requests.attack,
    "subscribers": slow_readers.attack,
    "logs": logs.attack,
}


def run(names: Collection[str]) -> list[Figure]:
    """The figures of these attacks."""
    figures: list[Figure] = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # the workers of nginx may run as another user
            figures += asyncio.run(ATTACKS[name](Path(folder)))
    return figures


def main() -> int:
    """Exit with 1 if a goal was missed, with 2 if there is no such attack."""
    names = os.environ.get("ATTACKS", "").split() or list(ATTACKS)
    if unknown := set(names) - set(ATTACKS):
        print(f"ATTACKS: unknown {' '.join(sorted(unknown))}; expected some of {' '.join(ATTACKS)}")
        return 2
    figures = run(names)
    table = Table("attack", "measured", "figure", "goal: at most", "")
    for figure in figures:
        table.add_row(*figure.row())
    Console(width=140).print(table)
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
