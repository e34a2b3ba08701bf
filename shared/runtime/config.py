"""Reads settings from the environment, once, and reports all invalid settings together.

Each service has one settings class, derived from shared.journal.settings. A field `redis_url` is
read from the environment variable REDIS_URL. `--help` and the README show the field's description.
"""

from __future__ import annotations

import sys
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from shared.runtime.urls import redacted


def http_url(value: str) -> str:
    """Validate an http(s) URL. A trailing slash is removed unless the URL has a query."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{redacted(value)}: expected http://… or https://…")
    return value if parts.query else value.rstrip("/")


def split_list(value: object) -> object:
    """Split a comma-separated string into its parts. Other values are returned unchanged."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """Read the settings from the environment.

    If some are invalid, prints all invalid settings and exits with code 2.
    """
    try:
        return settings()
    except ValidationError as error:
        print("\n".join(_error_lines(settings, error)), file=sys.stderr)
        raise SystemExit(2) from None


def _error_lines(settings: type[BaseSettings], error: ValidationError) -> list[str]:
    count = error.error_count()
    lines = [f"{count} invalid setting{'' if count == 1 else 's'}:"]
    for invalid in error.errors(include_url=False):
        name, *entry = invalid["loc"] or ("",)  # a check of several settings names them itself
        where = [str(name).upper(), *(f"entry {n + 1}" for n in entry if isinstance(n, int))]
        message = invalid["msg"].removeprefix("Value error, ")
        if invalid["type"] == "missing":
            message = f"not set; expected {settings.model_fields[str(name)].description}"
        lines.append("  " + ": ".join(filter(None, [*where, message])))
    return lines


def describe(settings: type[BaseSettings]) -> str:
    """The settings as a table of name, default and meaning."""
    rows = [_row(name, field) for name, field in settings.model_fields.items()]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:{width}}  {text}" for name, text in rows]
    return "\n".join(["Settings, from the environment:", *lines])


def _row(name: str, field: FieldInfo) -> tuple[str, str]:
    default = "required" if field.is_required() else f"default {_written(field.default)}"
    return name.upper(), f"{field.description} ({default})"


def _written(default: object) -> str:
    """A default value as one would write it in the environment."""
    text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return text or "empty"
