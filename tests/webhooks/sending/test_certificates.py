"""TLS: the certificate must be valid, for this name, and from a known authority."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.webhooks.metrics import Outcome
from services.webhooks.sending.sender import SendResult
from tests.support.proxy import proxying
from tests.webhooks.receivers.certificates import Authority
from tests.webhooks.sending.names import Names
from tests.webhooks.sending.samples import endpoint, message, sending

pytestmark = pytest.mark.io


@asynccontextmanager
async def receiver(context: ssl.SSLContext) -> AsyncIterator[int]:
    """Takes every delivery by TLS. Yields the port."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


async def delivered(context: ssl.SSLContext) -> SendResult:
    """The result of a delivery to https://127.0.0.1."""
    async with receiver(context) as port, sending() as sender:
        return await sender.send(endpoint(f"https://127.0.0.1:{port}/?key=hidden"), message())


async def test_a_valid_certificate(authority: Authority) -> None:
    assert (await delivered(authority.server("127.0.0.1"))).outcome is Outcome.TAKEN


@pytest.mark.parametrize("host", ["xn--bcher-kva.example", "xn--a.example", "SHOP.example"])
async def test_a_name_that_is_not_ascii_is_written_with_xn(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Also a name that means nothing when it is decoded (xn--a), and one in capital letters."""
    names = Names("127.0.0.1")
    monkeypatch.setattr("services.webhooks.sending.resolving.socket.getaddrinfo", names.getaddrinfo)
    async with receiver(authority.server(host.lower())) as port, sending() as sender:
        result = await sender.send(endpoint(f"https://{host}:{port}/"), message())
    assert (result.outcome, result.attempt.error) == (Outcome.TAKEN, "")
    assert host in names.asked


@pytest.mark.parametrize("host", ["xn--strae-oqa.example", "xn--a.example", "shop.example"])
async def test_through_a_proxy_the_certificate_is_checked_for_the_same_name(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """`xn--strae-oqa` is straße, which older rules of names take for strasse."""
    for name in ("https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    names = Names("127.0.0.1")
    monkeypatch.setattr("services.webhooks.sending.resolving.socket.getaddrinfo", names.getaddrinfo)
    async with receiver(authority.server(host)) as port, proxying() as proxy:
        proxy.routes = {host: port}
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with sending() as sender:
            result = await sender.send(endpoint(f"https://{host}:{port}/"), message())
    assert (result.outcome, result.attempt.error) == (Outcome.TAKEN, "")
    assert proxy.asked == [f"CONNECT {host}:{port}"]


async def test_an_expired_certificate(authority: Authority) -> None:
    result = await delivered(authority.server("127.0.0.1", days=-1))
    assert result.outcome is Outcome.UNREACHABLE
    assert result.attempt.error == "the certificate of 127.0.0.1 has expired: renew it"


async def test_a_self_signed_certificate(authority: Authority) -> None:
    result = await delivered(authority.server("127.0.0.1", self_signed=True))
    assert result.outcome is Outcome.UNREACHABLE
    assert "is self-signed" in result.attempt.error


@pytest.mark.parametrize("name", ["127.0.0.2", "evil.example"])
async def test_a_certificate_for_another_host(authority: Authority, name: str) -> None:
    result = await delivered(authority.server(name))
    assert result.outcome is Outcome.UNREACHABLE
    assert result.attempt.error == "the certificate of 127.0.0.1 is for another address"


async def test_an_unknown_authority(tmp_path: Path) -> None:
    result = await delivered(Authority(tmp_path).server("127.0.0.1"))
    assert result.outcome is Outcome.UNREACHABLE
    assert "is signed by an unknown authority" in result.attempt.error


async def test_a_server_without_tls(authority: Authority) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with sending() as sender:
        result = await sender.send(endpoint(f"https://127.0.0.1:{port}/"), message())
    server.close()
    assert result.outcome is Outcome.UNREACHABLE
    assert result.attempt.error.startswith("no TLS connection to 127.0.0.1")
