"""The process: its port in the log, its end, and invalid settings."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import aiohttp
import pytest

from shared.journal.keys import Keys
from tests.api.samples import TOKEN, order
from tests.support.waiting import until


async def start(**env: str) -> asyncio.subprocess.Process:
    kept = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.api", env=kept | env, stdout=pipe, stderr=pipe
    )  # fmt: skip


async def test_it_logs_its_port_serves_and_stops_cleanly(redis_url: str, keys: Keys) -> None:
    process = await start(REDIS_URL=redis_url, CONTRACTS=TOKEN, NAMESPACE=keys.namespace, PORT="0")
    assert process.stderr
    lines = []
    async with asyncio.timeout(90):
        async for line in process.stderr:
            lines.append(json.loads(line))
            if lines[-1]["event"] == "listening":
                break
    assert any(line["event"] == "auth_mode_open" for line in lines)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{lines[-1]['port']}") as session:

        async def ready() -> bool:
            async with session.get("/readyz") as response:
                return response.status == 200

        await until(ready, what="200 of /readyz")
        async with session.post("/v1/streams", json=order()) as response:
            assert response.status == 201
    process.terminate()
    async with asyncio.timeout(90):
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.io
@pytest.mark.parametrize("kept", [{}, {"CONTRACTS": TOKEN}])
async def test_every_invalid_setting_is_reported_and_it_exits_with_2(kept: dict[str, Any]) -> None:
    bad = {"AUTH_MODE": "closed", "FANOUT_URLS": "ftp://x", "PORT": "70000", "CORS_ORIGINS": "x"}
    process = await start(**bad, **kept)
    async with asyncio.timeout(90):
        _, output = await process.communicate()
    assert process.returncode == 2
    for name in bad:
        assert f"{name}:" in output.decode()
    assert ("CONTRACTS:" in output.decode()) == (not kept)
