"""No secret appears in a log, wherever a client or a setting puts it."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.api.auth.samples import ADMIN, ALICE, SECRET, SERVER, bearer, token_of
from tests.api.samples import TOKEN, order
from tests.support.data import begun_long_ago
from tests.support.processes import running, start
from tests.support.waiting import until

TOKENS = [token_of(ALICE.public_key, "streams:write"), token_of(ALICE.public_key, exp=1)]
GUESS = "hr_" + "guessed-secret-" * 3
CANARIES = [SECRET, SERVER.secret, GUESS[:20], "hunter2", *(t.split(".")[2] for t in TOKENS)]
CANARIES += [t.split(".")[1] for t in TOKENS]


async def raw(port: int, data: bytes) -> bytes:
    """Bytes that are not valid HTTP."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.read(65536)
    writer.close()
    return answer


def malformed(token: str) -> list[str]:
    """Requests that the parser rejects, with a token where the error message could quote it."""
    return [
        f"GET /?access_token={token} HTTP/9.9\r\n\r\n",
        f"GET /?access_token={token}\r\n\r\n",
        f"GET /?access_token={token} HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {token}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\0\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nCookie: headrace_token={token}\x01\r\n\r\n",
        f"G(T /?access_token={token} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"POST /v1/auth HTTP/1.1\r\nHost: x\r\nContent-Length: {token}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token * 60}\r\n\r\n",
        f"GET http://u:{token}@[::1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ]


async def hammer(session: aiohttp.ClientSession, token: str) -> None:
    """Requests that fail in many ways, with the same secret in many places."""
    for method, path, more in (
        ("GET", f"/v1/streams?access_token={token}", {}),
        ("GET", f"/v1/streams/{token}", {}),
        ("GET", "/v1/streams", {"headers": bearer(token)}),
        ("GET", "/v1/streams", {"headers": {"Authorization": f"Basic {token}"}}),
        ("GET", "/v1/streams", {"headers": {"Cookie": f"headrace_token={token}"}}),
        ("GET", f"/v1/events/subscribe?ticket={token}", {"allow_redirects": False}),
        ("POST", "/v1/streams", {"headers": bearer(token), "json": order(note=token)}),
        ("POST", "/v1/auth", {"json": {"transaction": token}}),
        ("POST", "/v1/auth/refresh", {"headers": bearer(token)}),
        ("POST", "/v1/events/ticket", {"headers": bearer(token)}),
        ("GET", f"/v1/auth?account={token}", {"headers": {"X-Request-ID": f"{token} x"}}),
    ):
        async with session.request(method, path, **more) as response:
            assert response.status < 500
            if path.startswith("/v1/streams/"):
                continue  # paths are logged, so no secret belongs there
            assert token not in await response.text() or "ticket=" in path


async def test_a_process_does_not_log_its_secrets(redis: Redis, redis_url: str, keys: Keys) -> None:
    await begun_long_ago(redis, keys)
    async with running(
        "services.api", REDIS_URL=redis_url, CONTRACTS=TOKEN, NAMESPACE=keys.namespace,
        AUTH_MODE="required", JWT_SECRET=SECRET, SIGNING_SEED=SERVER.secret, LOG_LEVEL="debug",
        HORIZON_URL="http://127.0.0.1:1", FANOUT_URLS="http://127.0.0.1:1",
        RATE_LIMIT_LOGIN=10_000, RATE_LIMIT_IP=100_000,
    ) as service:  # fmt: skip
        base = f"http://127.0.0.1:{service.port}"
        async with aiohttp.ClientSession(base) as session:
            new = {"name": "x", "scopes": []}

            async def made_key() -> str:
                async with session.post("/v1/keys", json=new, headers=ADMIN) as response:
                    return str((await response.json()).get("key", ""))

            key = await until(made_key, what="a key: before, the API does not know the time")
            secrets = [*TOKENS, GUESS, key]

            async def logged_paths() -> bool:
                await asyncio.gather(*(hammer(session, s) for s in secrets for _ in range(5)))
                return len({line["path"] for line in service.log_lines("request")}) > 2

            await until(
                logged_paths, what="many paths: only ten lines of a kind are logged a second"
            )
        for data in (line for token in TOKENS for line in malformed(token)):
            await raw(service.port, data.encode())
        service.signal()
        assert await service.ended() == 0
        output = "\n".join([*map(json.dumps, service.log), *service.noise])
        assert service.log_lines("auth_mode_required")
        assert service.log_lines("audit")[0]["request_id"]
        assert "Error handling request" in output
        for line in (x for x in output.splitlines() if "/v1/streams/" not in x):
            assert not [c for c in (*CANARIES, key) if c in line], line


OTHER_END = "B" if SERVER.secret.endswith("A") else "A"
BAD = {
    "JWT_SECRET": "hunter2",
    "JWT_OTHER_SECRET": "hunter2",
    "JWT_PRIVATE_KEY": "hunter2",
    "SIGNING_SEED": f"{SERVER.secret},{SERVER.secret[:-1]}{OTHER_END}",
    "REDIS_URL": "reddis://:hunter2@redis/0",
}


@pytest.mark.io
@pytest.mark.parametrize("mode", ["open", "required"])
async def test_invalid_secrets_are_not_shown(mode: str) -> None:
    service = await start("services.api", AUTH_MODE=mode, PORT="70000", CONTRACTS=TOKEN, **BAD)
    assert await service.ended() == 2
    output = "".join(service.noise)
    for name in (*BAD, "PORT"):
        assert f"  {name}: " in output
    assert "hunter2" not in output
    assert SERVER.secret[:20] not in output
