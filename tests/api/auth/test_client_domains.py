"""Client domains: the key of the wallet's domain must sign, and the fetch is restricted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult
from pytest_aiohttp import AiohttpClient
from redis.asyncio import Redis
from stellar_sdk import Keypair

from services.api.app import build_app
from services.api.auth.client_domains import (
    MAX_TOML_BYTES,
    fetch_toml,
    is_public_name,
    read_bounded,
    signing_key,
)
from services.api.errors import ClientDomainRejectedError
from services.api.settings import ApiSettings
from shared.journal.keys import Keys
from shared.web.public_resolver import PublicResolver
from tests.api.auth.samples import ALICE, WALLETS, Horizon, challenge, claims_of, log_in, signed
from tests.api.samples import TOKEN, time_is_known
from tests.support.data import begun_long_ago
from tests.support.proxy import proxying
from tests.support.web_client import StartApi, WebClient

WALLET = Keypair.random()


@pytest.fixture
def served(
    aiohttp_client: AiohttpClient, redis: Redis, redis_url: str, keys: Keys, horizon: Horizon
) -> StartApi:
    """Start an API with a fake fetcher for some domains."""

    async def start(
        files: Mapping[str, bytes], allowed: str = "wallet.example,other.example"
    ) -> WebClient:
        async def fetch(domain: str) -> bytes:
            if domain not in files:
                raise ClientDomainRejectedError(f"the stellar.toml of {domain} cannot be read")
            return files[domain]

        await begun_long_ago(redis, keys)
        settings = ApiSettings(
            redis_url=redis_url, contracts=(TOKEN,), namespace=keys.namespace,
            horizon_url=horizon.url, client_domains=allowed, **WALLETS,
        )  # fmt: skip
        return await time_is_known(await aiohttp_client(build_app(settings, fetch=fetch)))

    return start


TOML = f'SIGNING_KEY = "{WALLET.public_key}"\n'.encode()


async def test_the_signature_of_a_client_domain_is_checked(served: StartApi) -> None:
    client = await served({"wallet.example": TOML})
    query = {"client_domain": "Wallet.example"}
    token = await log_in(client, ALICE.public_key, ALICE, WALLET, **query)
    assert claims_of(token)["client_domain"] == "wallet.example"
    envelope = await challenge(client, ALICE.public_key, **query)
    for keypairs in ((ALICE,), (WALLET,)):
        body = {"transaction": signed(envelope, *keypairs)}
        assert (await client.post("/v1/auth", json=body)).status == 401


@pytest.mark.parametrize(
    ("domain", "files", "allowed"),
    [
        ("unknown.example", {"unknown.example": TOML}, "wallet.example"),
        ("wallet.example", {}, "*"),
        ("wallet.example", {"wallet.example": b"SIGNING_KEY = 5"}, "*"),
        ("wallet.example", {"wallet.example": b'SIGNING_KEY = "GABC"'}, "*"),
        ("wallet.example", {"wallet.example": b"= ["}, "*"),
        ("wallet.example", {"wallet.example": b"\xff"}, "*"),
        ("wallet.example", {"wallet.example": b"a = " + b"[" * 50_000}, "*"),
        ("localhost", {"localhost": TOML}, "*"),
        ("127.0.0.1", {"127.0.0.1": TOML}, "*"),
        ("wallet.example:8080", {"wallet.example:8080": TOML}, "*"),
        ("user@wallet.example", {"user@wallet.example": TOML}, "*"),
    ],
)
async def test_unusable_client_domains_are_rejected(
    served: StartApi, domain: str, files: dict[str, Any], allowed: str
) -> None:
    client = await served(files, allowed)
    query = {"account": ALICE.public_key, "client_domain": domain}
    response = await client.get("/v1/auth", params=query)
    document = await response.json()
    assert (response.status, document["error"]) == (400, document["detail"])


async def test_without_client_domains_the_parameter_is_ignored(wallets: WebClient) -> None:
    token = await log_in(wallets, ALICE.public_key, ALICE, client_domain="wallet.example")
    assert "client_domain" not in claims_of(token)


@pytest.mark.parametrize(
    "name",
    ["", "a", "a.b", "localhost", "1.2.3.4", "0x7f.1", "[::1]", "a..example", "-a.example",
     "a.example.", "a.example/x", "a.example?x", "a.exa\nmple", "ä.example", "a" * 64 + ".example"],
)  # fmt: skip
def test_names_that_are_not_public(name: str) -> None:
    assert not is_public_name(name)


def test_public_names() -> None:
    assert all(map(is_public_name, ("wallet.example", "a.b-c.example", "x1.co")))


class Names(aiohttp.abc.AbstractResolver):
    """A DNS resolver with the answers of a test."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            {"hostname": host, "host": h, "port": port, "family": family, "proto": 0, "flags": 0}
            for h in self.hosts
        ]

    async def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("hosts", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["fe80::1%eth0"]])
async def test_a_name_with_a_private_address_is_rejected(hosts: list[str]) -> None:
    with pytest.raises(OSError, match="not public"):
        await PublicResolver(Names(*hosts)).resolve("evil.example", 443)
    assert await PublicResolver(Names("8.8.8.8")).resolve("good.example", 443)


@pytest.mark.io
async def test_the_real_fetcher_does_not_reach_private_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached = []

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(1)
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: Names("127.0.0.1"))
    with pytest.raises(ClientDomainRejectedError):
        await fetch_toml(f"inside.example:{port}")
    server.close()
    assert reached == []


@pytest.mark.io
@pytest.mark.parametrize(
    ("host", "asked"), [("8.8.8.8", ["CONNECT wallet.example:443"]), ("10.0.0.1", [])]
)
async def test_behind_a_proxy_the_name_must_also_be_public(
    monkeypatch: pytest.MonkeyPatch, host: str, asked: list[str]
) -> None:
    """The proxy may have a private address. The wallet's domain may not."""
    for name in ("https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: Names(host))
    async with proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ClientDomainRejectedError):
            await fetch_toml("wallet.example")
        assert proxy.asked == asked


@pytest.mark.parametrize(
    ("status", "size", "good"),
    [
        (200, MAX_TOML_BYTES, True),
        (200, MAX_TOML_BYTES + 1, False),
        (302, 5, False),
        (404, 5, False),
    ],
)
async def test_only_a_200_within_the_size_limit_is_read(
    aiohttp_client: AiohttpClient, status: int, size: int, good: bool
) -> None:
    async def answer(_: web.Request) -> web.Response:
        headers = {"Location": "http://127.0.0.1/"} if status == 302 else {}
        return web.Response(status=status, body=b"x" * size, headers=headers)

    app = web.Application()
    app.router.add_get("/", answer)
    client = await aiohttp_client(app)
    response = await client.get("/", allow_redirects=False)
    if good:
        assert len(await read_bounded(response)) == size
    else:
        with pytest.raises(ValueError, match=r"status|large"):
            await read_bounded(response)


async def test_the_signing_key_of_a_domain() -> None:
    async def fetch(domain: str) -> bytes:
        assert domain == "wallet.example"
        return TOML

    assert await signing_key("wallet.example", fetch) == WALLET.public_key
