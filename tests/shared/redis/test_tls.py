"""rediss:// with a private CA: pooled and multiplexed calls, the channel, and untrusted servers."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.fanout.feed.pubsub import subscribe
from shared.journal.keys import CHANNEL, Keys
from shared.redis.client import REDIS_UNAVAILABLE, connect, connect_multiplexed
from tests.support.programs import needed
from tests.support.redis_node import Node
from tests.support.waiting import free_port, until

pytestmark = pytest.mark.io

KEYS = Keys("tls")


def certify(folder: Path) -> dict[str, Path]:
    """Create a CA and a certificate for 127.0.0.1, which the server and the clients use."""
    made = {name: folder / f"{name}.pem" for name in ("ca", "ca_key", "it", "it_key", "asked")}
    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    ca = ["-x509", "-subj", "/CN=ours", "-days", "2", "-keyout", made["ca_key"], "-out", made["ca"]]
    it = ["-subj", "/CN=redis", "-keyout", made["it_key"], "-out", made["asked"]]
    names = folder / "names"
    names.write_text("subjectAltName=IP:127.0.0.1")
    by_ca = ["-CA", made["ca"], "-CAkey", made["ca_key"], "-CAcreateserial", "-days", "2"]
    sign = ["x509", "-req", "-in", made["asked"], *by_ca, "-extfile", names, "-out", made["it"]]
    for arguments in ([*new, *ca], [*new, *it], sign):
        command = [needed("openssl"), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True)
    return made


class Secure:
    """A server on `port` that requires TLS and a client certificate of its CA."""

    def __init__(self, folder: Path) -> None:
        self.files = certify(folder)
        self.port = free_port()
        self.node = Node(
            folder / "redis",
            {
                "tls-port": self.port,
                "tls-ca-cert-file": self.files["ca"],
                "tls-cert-file": self.files["it"],
                "tls-key-file": self.files["it_key"],
            },
        )

    def url(self, **options: object) -> str:
        files = {"certfile": self.files["it"], "keyfile": self.files["it_key"]}
        shown = {"ca_certs": self.files["ca"], **files, **options}
        query = "&".join(f"ssl_{name}={value}" for name, value in shown.items() if value)
        return f"rediss://127.0.0.1:{self.port}/0?{query}"


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Secure]:
    secure = Secure(tmp_path)
    try:
        await secure.node.start()
    except Exception as error:
        message = f"this Redis has no TLS: {error}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    yield secure
    await secure.node.stop()


async def test_calls_and_the_channel_work_over_tls(secure: Secure) -> None:
    client, multiplexed = connect(secure.url()), connect_multiplexed(secure.url())
    got: list[bytes] = []
    reader = await subscribe(client, CHANNEL, got.append, seconds=30)
    await asyncio.gather(*(multiplexed.set(KEYS.stream(str(n)), n) for n in range(100)))
    assert await client.get(KEYS.stream("99")) == b"99"
    big = b"x" * 200_000
    await multiplexed.publish(CHANNEL, big)
    await until(lambda: got == [big])
    await secure.node.stop()
    with pytest.raises(REDIS_UNAVAILABLE):
        await multiplexed.get(KEYS.stream("1"))
    await until(reader.closed.done)
    await client.aclose()
    await multiplexed.aclose()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ca_certs": None}, "CERTIFICATE_VERIFY_FAILED"),
        ({"certfile": None, "keyfile": None}, "(?i)certificate required|reset|closed"),
        ({"ca_certs": "/nowhere.pem"}, "No such file"),
    ],
)
async def test_a_server_or_client_without_a_trusted_certificate_is_rejected(
    secure: Secure, options: dict[str, Any], message: str
) -> None:
    client = connect(secure.url(**options))
    with pytest.raises(REDIS_UNAVAILABLE, match=message):
        await client.ping()
    with pytest.raises(REDIS_UNAVAILABLE):
        await subscribe(client, CHANNEL, print, seconds=30)
    await client.aclose()
