"""Reads settings from the environment, once, and reports all invalid settings together.

Each service has one settings class, derived from shared.journal.settings. A field `redis_url` is
read from the environment variable REDIS_URL. `--help` and the README show the field's description.
"""

from __future__ import annotations

import sys
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

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
    wrong = _unusable_proxies()
    try:
        made = settings()
    except ValidationError as error:
        wrong = [*_error_lines(settings, error), *wrong]
    if not wrong:
        return made
    first = f"{len(wrong)} invalid setting{'' if len(wrong) == 1 else 's'}:"
    print("\n  ".join([first, *wrong]), file=sys.stderr)
    raise SystemExit(2)


def _unusable_proxies() -> list[str]:
    """Aiohttp would ignore such a proxy and connect directly, or each request would fail.

    A line does not show the value, which may have a password.
    """
    found = getproxies()
    return [
        f"{name.upper()}_PROXY: expected http://host:port, also if it is for https:// URLs"
        for name in ("http", "https")
        if name in found and not _is_http(found[name])
    ]


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:  # also of a port that is no number
        return False


def _error_lines(settings: type[BaseSettings], error: ValidationError) -> list[str]:
    lines = []
    for invalid in error.errors(include_url=False):
        name, *entry = invalid["loc"] or ("",)  # a check of several settings names them itself
        where = [str(name).upper(), *(f"entry {n + 1}" for n in entry if isinstance(n, int))]
        message = invalid["msg"].removeprefix("Value error, ")
        if invalid["type"] == "missing":
            message = f"not set; expected {settings.model_fields[str(name)].description}"
        lines.append(": ".join(filter(None, [*where, message])))
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
