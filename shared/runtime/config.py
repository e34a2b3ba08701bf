"""Settings: from the environment, once, with all mistakes told at once.

A service's settings are one class in the service, built on shared.journal.settings. The name of a
field in capitals is its environment variable. Its description is what `--help` and the README say.
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
    """The parts of a comma-separated text; anything else as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """Settings from the environment. Prints every mistake and exits with 2 if there is one."""
    try:
        return settings()
    except ValidationError as error:
        print("\n".join(_error_lines(error)), file=sys.stderr)
        raise SystemExit(2) from None


def _error_lines(error: ValidationError) -> list[str]:
    lines = [f"{error.error_count()} setting(s) to mend:"]
    for mistake in error.errors(include_url=False):
        name, *entry = mistake["loc"] or ("settings",)
        where = [str(name).upper(), *(f"entry {n + 1}" for n in entry if isinstance(n, int))]
        lines.append(f"  {': '.join(where)}: {mistake['msg'].removeprefix('Value error, ')}")
    return lines


def describe(settings: type[BaseSettings]) -> str:
    """The settings as a table of name, default and meaning."""
    rows = [_row(name, field) for name, field in settings.model_fields.items()]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:{width}}  {text}" for name, text in rows]
    return "\n".join(["Settings, from the environment:", *lines])


def _row(name: str, field: FieldInfo) -> tuple[str, str]:
    default = "required" if field.is_required() else f"default {field.default!r}"
    return name.upper(), f"{field.description} ({default})"
