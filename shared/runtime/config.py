"""Settings: from the environment, once, with all mistakes told at once.

A service's settings are one class here or in the service, built on `Common`; a field's name in
capitals is its variable, and its description is what `--help` and the README say.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.domain.contracts import Named, parse_contracts
from shared.journal.keys import Keys, namespace_of
from shared.journal.plan import Limits
from shared.redis.client import check_url
from shared.web.urls import redacted


class Common(BaseSettings):
    """What every service reads."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    redis_url: str = Field(
        "redis://localhost:6379/0",
        description="where Redis is: redis://, rediss://, redis+sentinel://, redis+cluster://, unix://",
    )
    network_passphrase: str = Field(
        "Test SDF Network ; September 2015", min_length=1, description="the Stellar network"
    )
    contracts: Annotated[tuple[Named, ...], NoDecode] = Field(
        validation_alias=AliasChoices("contracts", "contract_ids"),  # the latter: its former name
        description="the contracts watched, comma-separated: one C…:stream, any number of C…:token",
    )
    namespace: str = Field(
        "",
        pattern=r"^[a-z0-9-]{0,64}$",
        description="prefix of all names in Redis; by default derived from network and contract",
    )
    host: str = Field("127.0.0.1", description="address to listen on; :: takes both IPv6 and IPv4")
    port: int = Field(0, ge=0, le=65535, description="port to listen on; 0 = any, it is logged")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="log from")

    @field_validator("contracts", mode="before")
    @classmethod
    def _parse_contracts(cls, value: object) -> object:
        texts = split_list(value)
        return parse_contracts(map(str, texts)) if isinstance(texts, tuple) else texts

    @field_validator("redis_url")
    @classmethod
    def _usable(cls, value: str) -> str:
        check_url(value)
        return value

    @property
    def keys(self) -> Keys:
        """The names in Redis."""
        default = namespace_of(self.network_passphrase, self.contracts[0].address)
        return Keys(self.namespace or default)


class JournalSettings(Common):
    """What every committer reads."""

    journal_max_length: int = Field(
        1_000_000, ge=1, description="events kept in the journal (about)"
    )
    journal_max_age: int = Field(
        0, ge=0, description="seconds that an event is kept in the journal; 0 = any age"
    )

    @property
    def limits(self) -> Limits:
        """How much of the journal a commit keeps."""
        return Limits(self.journal_max_length, self.journal_max_age)


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


S = TypeVar("S", bound=Common)


def load(settings: type[S], argv: Sequence[str]) -> S:
    """Settings from the environment; prints help or every mistake and exits (0 or 2)."""
    if any(arg in ("-h", "--help") for arg in argv):
        print(describe(settings))
        raise SystemExit(0)
    if argv:
        said = f"unknown argument {argv[0]!r}: settings come from the environment, see --help"
        print(said, file=sys.stderr)
        raise SystemExit(2)
    try:
        return settings()
    except ValidationError as error:
        print("\n".join(_mistakes(error)), file=sys.stderr)
        raise SystemExit(2) from None


def _mistakes(error: ValidationError) -> list[str]:
    lines = [f"{error.error_count()} setting(s) to mend:"]
    for mistake in error.errors(include_url=False):
        name, *entry = mistake["loc"] or ("settings",)
        where = [str(name).upper(), *(f"entry {n + 1}" for n in entry if isinstance(n, int))]
        lines.append(f"  {': '.join(where)}: {mistake['msg'].removeprefix('Value error, ')}")
    return lines


def describe(settings: type[Common]) -> str:
    """The settings as a table of name, default and meaning."""
    rows = [_row(name, field) for name, field in settings.model_fields.items()]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:{width}}  {text}" for name, text in rows]
    return "\n".join(["Settings, from the environment:", *lines])


def _row(name: str, field: FieldInfo) -> tuple[str, str]:
    default = "required" if field.is_required() else f"default {field.default!r}"
    return name.upper(), f"{field.description} ({default})"
