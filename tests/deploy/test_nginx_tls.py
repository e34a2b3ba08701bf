"""TLS at the deployment's gateway: ciphers, redirects, HSTS, and what the services learn of it."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.clients.raw_client import RawClient, get
from tests.deploy.gateways import NGINX, Gateway, certificate, gateway
from tests.deploy.standin import StandIn
from tests.support.name_server import NameServer, name_server
from tests.support.programs import needed

pytestmark = [
    pytest.mark.io,
    pytest.mark.timeout(60),
    pytest.mark.asyncio(loop_scope="module"),
]

AS_OTHERS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if not os.getuid() else []
"""The start of a command in which root may read only what the modes of files allow."""
CLOSE = b"Connection: close"
HTTPS, HTTP = b"X-Forwarded-Proto: https", b"X-Forwarded-Proto: http"
HSTS = b"Strict-Transport-Security: max-age=31536000\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api_names() -> AsyncIterator[NameServer]:
    async with name_server({"api": ["127.0.0.1"]}) as names:
        yield names


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(
    api: StandIn, api_names: NameServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder)
    settings = {"API": f"api:{api.port}", "PUBLIC_TLS_PORT": 3443}
    async with gateway(folder, api_names, **settings) as front:
        yield front


async def plain(front: Gateway, request: bytes) -> bytes:
    """The whole answer to a request without TLS."""
    client = await RawClient.connect(front.port, request)
    await client.wait_closed()
    return bytes(client.received)


async def encrypted(front: Gateway, request: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """The whole answer to a request by TLS. Raises ssl.SSLError."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", front.tls_port, ssl=context or trusting()
    )
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def trusting(
    version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED, ciphers: str = "DEFAULT"
) -> ssl.SSLContext:
    """A client with one version and some ciphers, which accepts every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    if version != ssl.TLSVersion.MAXIMUM_SUPPORTED:
        context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "ciphers", "accepted"),
    [
        ("TLSv1_3", "DEFAULT", True),
        ("TLSv1_2", "ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("TLSv1_2", "ECDHE-ECDSA-CHACHA20-POLY1305", True),
        ("TLSv1_2", "ECDHE-ECDSA-AES128-SHA", False),
        ("TLSv1_2", "ECDHE-ECDSA-AES256-SHA384", False),
        ("TLSv1_2", "ECDHE-ECDSA-AES128-CCM8", False),
        ("TLSv1_1", "ALL", False),
    ],
)
async def test_only_modern_ciphers_are_accepted(
    front: Gateway, version: str, ciphers: str, accepted: bool
) -> None:
    context = trusting(ssl.TLSVersion[version], ciphers)
    request = get("/gateway/livez", CLOSE)
    if accepted:
        assert (await encrypted(front, request, context)).startswith(b"HTTP/1.1 200")
        return
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await encrypted(front, request, context)


async def test_plain_http_is_redirected(front: Gateway, api: StandIn) -> None:
    for method in ("GET", "POST"):
        answer = await plain(front, get("/v1/streams?a=1%20b", CLOSE, HTTPS, method=method))
        assert answer.startswith(b"HTTP/1.1 308"), "a client may not say that it used TLS"
        assert b"Location: https://test:3443/v1/streams?a=1%20b\r\n" in answer
        assert b"Strict-Transport-Security" not in answer
    assert (await plain(front, get("/gateway/livez", CLOSE))).startswith(b"HTTP/1.1 200")
    proof = await plain(front, get("/.well-known/acme-challenge/token", CLOSE))
    assert proof.split()[1] in (b"403", b"404"), "there is none"
    assert not [path for path in api.paths if path.startswith("/v1/streams")]


async def test_answers_by_tls_have_hsts(front: Gateway, api: StandIn) -> None:
    for path in ("/v1/by-tls", "/metrics", "/v1/events/subscribe"):  # nobody serves the last one
        answer = await encrypted(front, get(path, CLOSE, HTTP))
        assert answer.count(HSTS) == 1, path
        assert answer.count(b"X-Content-Type-Options: nosniff\r\n") == 1, path
    assert dict(api.requests)["/v1/by-tls"]["X-Forwarded-Proto"] == "https"
    local = get("/v1/by-tls", CLOSE).replace(b"Host: test", b"Host: localhost:3443")
    assert b"Strict-Transport-Security" not in await encrypted(front, local)


async def test_a_trusted_proxy_says_whether_its_client_used_tls(
    tmp_path: Path, api: StandIn, api_names: NameServer
) -> None:
    certificate(tmp_path)
    settings = {"API": f"api:{api.port}", "TRUSTED_PROXIES": "127.0.0.0/8"}
    async with gateway(tmp_path, api_names, **settings) as front:
        answer = await plain(front, get("/v1/by-proxy", CLOSE, HTTPS))
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.count(HSTS) == 1
        assert dict(api.requests)["/v1/by-proxy"]["X-Forwarded-Proto"] == "https"
        assert dict(api.requests)["/v1/by-proxy"]["X-Forwarded-For"] == "127.0.0.1"
        answer = await plain(front, get("/v1/by-proxy", CLOSE, HTTP))
        assert b"Location: https://test/v1/by-proxy\r\n" in answer, "port 443"


@pytest.mark.parametrize(("file", "mode"), [("tls.key", 0), ("tls.key", 0o200), ("tls.crt", 0o200)])
async def test_without_a_readable_key_plain_http_is_served(
    tmp_path: Path, api: StandIn, api_names: NameServer, file: str, mode: int
) -> None:
    certificate(tmp_path)
    user = f"{os.getuid()}:{os.getgid()}"
    if mode:
        (tmp_path / file).chmod(mode)
        reason = f"its mode is {mode:o}, its owner {user}"
    else:
        (tmp_path / file).unlink()
        reason = "it does not exist"
    async with gateway(tmp_path, api_names, AS_OTHERS, API=f"api:{api.port}") as front:
        assert (await plain(front, get("/v1/plain", CLOSE))).startswith(b"HTTP/1.1 200")
    log = (tmp_path / "nginx.log").read_text()
    assert f"user {user} cannot read {tmp_path}/{file}: {reason}. TLS is off" in log


async def test_with_a_key_of_another_certificate_plain_http_is_served(
    tmp_path: Path, api: StandIn, api_names: NameServer
) -> None:
    certificate(tmp_path)
    first = (tmp_path / "tls.key").read_bytes()
    certificate(tmp_path)
    (tmp_path / "tls.key").write_bytes(first)
    async with gateway(tmp_path, api_names, API=f"api:{api.port}") as front:
        assert (await plain(front, get("/v1/plain", CLOSE))).startswith(b"HTTP/1.1 200")
    log = (tmp_path / "nginx.log").read_text()
    assert f"nginx refuses {tmp_path}/tls.crt with {tmp_path}/tls.key. TLS is off" in log
    assert "key values mismatch" in log


@pytest.mark.parametrize(
    ("version", "directive", "parameter"), [("1.25.0", False, True), ("1.28.3", True, False)]
)
async def test_http_2_is_switched_on_in_the_way_of_the_version(
    tmp_path: Path, version: str, directive: bool, parameter: bool
) -> None:
    certificate(tmp_path)
    fake = tmp_path / "nginx"
    fake.write_text(f"#!/bin/sh\n[ $# -gt 1 ] || echo 'nginx version: nginx/{version}' >&2\n")
    fake.chmod(0o755)
    needed("envsubst")
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "RUN_FOLDER": str(tmp_path),
        "TLS_FOLDER": str(tmp_path),
        "RESOLVER": "127.0.0.1",
    }
    done = await asyncio.create_subprocess_exec("sh", str(NGINX / "start.sh"), env=environment)
    assert await done.wait() == 0
    assert ("http2 on;" in (tmp_path / "tls.conf").read_text()) == directive
    config = (tmp_path / "nginx.conf").read_text()
    assert ("ssl http2 proxy_protocol" in config) == parameter
    assert "listen unix:direct.https ssl" in config
