"""Each kind of failure and alarm has its series from the start."""

from __future__ import annotations

import ast
from pathlib import Path

from services.indexer import metrics
from shared.chain import http

SERVICE = Path(metrics.__file__).parent
CHAIN = Path(http.__file__).parent


def kinds(*errors: str) -> set[str]:
    """The literal kinds with which the code raises these errors."""
    found = set()
    for path in (*SERVICE.rglob("*.py"), *CHAIN.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in errors and node.args:
                kind = node.args[0]
                if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
                    found.add(kind.value)
    return found


def test_every_kind_of_failure_is_listed() -> None:
    assert kinds("SourceError", "_transport_error") <= set(metrics.ERRORS)
    assert {"malformed", "unreachable"} <= kinds("SourceError", "_transport_error")


def test_every_kind_of_alarm_is_listed_and_explained() -> None:
    assert kinds("FatalSourceError", "metrics.ALARM.labels") <= set(metrics.ALARMS)
    assert "reset" in kinds("FatalSourceError")
    text = (SERVICE.parents[1] / "docs/operations/indexer.md").read_text(encoding="utf-8")
    table = text.partition("| kind |")[2].partition("\n\n")[0]
    assert [kind for kind in metrics.ALARMS if f"`{kind}`" not in table] == []
