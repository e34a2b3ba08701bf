"""The dashboard as code. `python -m deploy.grafana.dashboard` writes it to headrace.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy.grafana.panels import ROWS, Panel

FILE = Path(__file__).with_name("headrace.json")
_WIDTH = 24
_HEIGHT = 8


def dashboard() -> dict[str, Any]:
    """The JSON model that Grafana reads."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        place = {"x": 0, "y": y, "w": _WIDTH, "h": 1}
        panels.append({"type": "row", "title": title, "gridPos": place, "panels": []})
        lines = -(-len(row) // 4)
        width = _WIDTH // min(4, -(-len(row) // lines))
        for n, panel in enumerate(row):
            line, column = divmod(n, _WIDTH // width)
            place = {"x": column * width, "y": y + 1 + _HEIGHT * line, "w": width, "h": _HEIGHT}
            panels.append(_panel(panel, place))
        y += 1 + _HEIGHT * lines
    for number, each in enumerate(panels, 1):
        each["id"] = number
    return {
        "uid": "headrace",
        "title": "Headrace",
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "panels": panels,
    }


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "prometheus"}
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(65 + n), "datasource": source, "expr": query, "legendFormat": legend}
            for n, (query, legend) in enumerate(panel.queries)
        ],
    }


def text() -> str:
    """The text of headrace.json."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
