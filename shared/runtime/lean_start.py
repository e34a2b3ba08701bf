"""Keeps libraries out of the process that nothing in it uses. Import this module before all others.

structlog imports rich and redis-py imports OpenTelemetry whenever these are installed. Together
they take 6 MB and 0.07 s at start-up. rich is used for tracebacks on a terminal only, OpenTelemetry
for traces only. See docs/decisions/0086-a-fanout-imports-only-what-it-uses.md.
"""

from __future__ import annotations

import os
import sys


def leave_out(name: str) -> None:
    """Make `import <name>` raise ImportError, as if the library were not installed."""
    sys.modules.setdefault(name, None)  # type: ignore[arg-type] # None means: cannot be imported


if not sys.stderr.isatty():
    leave_out("rich")
if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
    leave_out("opentelemetry")
