"""The settings of every service, and those of every service that writes to the journal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.domain.contracts import ContractSpec, parse_contracts
from shared.journal.keys import Keys, namespace_of
from shared.journal.plan import Retention
from shared.redis.client import check_url
from shared.runtime.config import split_list


class CommonSettings(BaseSettings):
    """Settings of every service."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    redis_url: str = Field(
        "redis://localhost:6379/0",
        description="URL of Redis: redis://, rediss://, redis+sentinel://, redis+cluster://, unix://",
    )
    network_passphrase: str = Field(
        "Test SDF Network ; September 2015",
        min_length=1,
        description="passphrase of the Stellar network",
    )
    contracts: Annotated[tuple[ContractSpec, ...], NoDecode] = Field(
        validation_alias=AliasChoices(
            "contracts", "contract_ids"
        ),  # `contract_ids` is the former name
        description="contracts to watch, comma-separated: one C…:stream, any number of C…:token",
    )
    namespace: str = Field(
        "",
        pattern=r"^[a-z0-9-]{0,64}$",
        description="namespace in all Redis keys; by default derived from network and contract",
    )
    host: str = Field(
        "127.0.0.1", description="address to listen on; :: accepts both IPv6 and IPv4"
    )
    port: int = Field(
        0, ge=0, le=65535, description="port to listen on; 0 = any free port, which is logged"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level that is logged"
    )

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
        """The names of this service in Redis."""
        default = namespace_of(self.network_passphrase, self.contracts[0].address)
        return Keys(self.namespace or default)


class JournalSettings(CommonSettings):
    """Settings of every service that writes to the journal."""

    journal_max_length: int = Field(
        1_000_000, ge=1, description="about how many events the journal keeps"
    )
    journal_max_bytes: int = Field(
        1_500_000_000,
        ge=1,
        description="about how many bytes of Redis' memory the journal may use; set about half of "
        "Redis' maxmemory",
    )
    journal_max_age: int = Field(
        0, ge=0, description="seconds that the journal keeps an event; 0 = no limit"
    )

    @property
    def retention(self) -> Retention:
        """How much of the journal is kept."""
        return Retention(self.journal_max_length, self.journal_max_age, self.journal_max_bytes)
