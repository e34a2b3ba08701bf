"""Settings of the API."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import AfterValidator, BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

from services.api.auth.settings import LoginSettings
from shared.archive.settings import ArchiveSettings
from shared.auth.settings import CorsSettings
from shared.domain.tokens import TokenSpec, parse_tokens
from shared.journal.settings import JournalSettings
from shared.runtime.config import http_url, split_list
from shared.webhooks.settings import WebhookSettings

HttpUrls = Annotated[
    tuple[Annotated[str, AfterValidator(http_url)], ...], NoDecode, BeforeValidator(split_list)
]


def _explorer(value: str) -> str:
    return value if value in ("", "off") else http_url(value)


def _optional_url(value: str) -> str:
    return http_url(value) if value else ""


class ApiSettings(JournalSettings, LoginSettings, CorsSettings, ArchiveSettings, WebhookSettings):
    """The settings of the API."""

    fanout_urls: HttpUrls = Field(
        (),
        description="fanout URLs, comma-separated; /events/subscribe redirects to one of them, "
        "/v1/system reads their metrics, /readyz checks that they use the API's namespace",
    )
    ready_urls: HttpUrls = Field(
        (),
        description="/readyz URLs of other services, comma-separated; /readyz of the API includes "
        "their answers, /v1/system reads their /metrics",
    )
    system_urls: HttpUrls = Field(
        (),
        description="URLs of further services that /v1/system shows, comma-separated; a name with "
        "several addresses stands for that many replicas, as in READY_URLS",
    )
    wait_replicas: int = Field(
        0,
        ge=0,
        description="number of Redis replicas that must have a write before the API confirms the "
        "write; if fewer have it, the API answers 503",
    )
    wait_archive: int = Field(
        0,
        ge=0,
        le=60_000,
        description="milliseconds that a change of a stream waits until the archive has it; if "
        "this takes longer, the API answers 503; 0 = does not wait; set it above ARCHIVE_SECONDS "
        "of the archiver",
    )
    api_streams: Literal["on", "off"] = Field(
        "on",
        description="`on`: clients may make streams of the API, which move no money on the chain; "
        "`off`: POST /v1/streams answers 404, and existing streams of the API can still be ended",
    )
    streams_per_account: int = Field(
        1000,
        ge=0,
        description="API streams that one account may make, however they ended; 0 = no limit; "
        "in AUTH_MODE=open there is no limit unless you set this",
    )
    bytes_per_account: int = Field(
        16_777_216,
        ge=0,
        description="bytes of Redis' memory that one account may fill in a day with changes of "
        "streams; 0 = no limit; needs AUTH_MODE=required",
    )
    bytes_per_ip: int = Field(
        268_435_456,
        ge=0,
        description="the same for all accounts of one IP address (IPv6: /64 network); 0 = no "
        "limit; in AUTH_MODE=open there is no limit unless you set this",
    )
    webhooks_per_account: int = Field(
        20,
        ge=0,
        description="webhooks that one account may have; 0 = no limit; in AUTH_MODE=open there is "
        "no limit unless you set this",
    )
    rpc_url: Annotated[str, AfterValidator(_optional_url)] = Field(
        "",
        description="URL of a Stellar RPC server, which prepares and submits transactions; empty = "
        "/v1/transactions answers 404",
    )
    transaction_seconds: int = Field(
        300,
        ge=30,
        le=3600,
        description="seconds of ledger time for which a prepared transaction is valid, so that a "
        "person can sign it",
    )
    max_inclusion_fee: int = Field(
        100_000,
        ge=100,
        le=1_000_000_000,
        description="the highest fee in stroops that a prepared transaction offers to be included; "
        "below that, it offers what 90 % of the calls in the last ledgers paid at most",
    )
    rate_limit_transactions: int = Field(
        60,
        ge=0,
        description="transactions a minute that one account or API key may prepare; 0 = no limit; "
        "in AUTH_MODE=open there is no limit unless you set this, then for each IP address",
    )
    tokens: Annotated[tuple[TokenSpec, ...], NoDecode] = Field(
        (),
        description="symbol and decimals of tokens, comma-separated: C…=USDC:7; used if the "
        "token's contract does not have both, or if the indexer has no RPC_URL",
    )
    explorer_url: Annotated[str, AfterValidator(_explorer)] = Field(
        "",
        description="URL of a block explorer that the console links to, with /ledger/…, /tx/…, "
        "/account/… and /contract/… below it; empty = stellar.expert for the public network and "
        "for testnet, none for other networks; off = none",
    )
    max_body_bytes: int = Field(65536, ge=1, description="largest request body, in bytes")

    @field_validator("tokens", mode="before")
    @classmethod
    def _parse_tokens(cls, value: object) -> object:
        texts = split_list(value)
        return parse_tokens(map(str, texts)) if isinstance(texts, tuple) else texts

    def write_limit(self, name: str) -> int:
        """A limit of writes; 0 = no limit. In AUTH_MODE=open the default is no limit."""
        applies = self.auth_mode == "required" or name in self.model_fields_set
        return int(getattr(self, name)) if applies else 0


SETTINGS = web.AppKey("settings", ApiSettings)
