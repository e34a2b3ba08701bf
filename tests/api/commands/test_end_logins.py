"""`python -m services.api end-logins` refuses the tokens that were issued before."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from shared.journal.keys import Keys
from tests.api.auth.samples import ALICE, REQUIRED, bearer, token_of
from tests.api.samples import TOKEN
from tests.support.waiting import until
from tests.support.web_client import StartApi


async def end_logins(redis_url: str, namespace: str) -> tuple[int | None, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.api", "end-logins",
        env={"PATH": os.environ["PATH"], "CONTRACTS": TOKEN, "REDIS_URL": redis_url,
             "NAMESPACE": namespace},
        stdout=pipe, stderr=pipe,
    )  # fmt: skip
    async with asyncio.timeout(90):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_a_token_from_before_is_refused_and_a_new_one_is_accepted(
    start: StartApi, redis_url: str, keys: Keys
) -> None:
    client = await start(**REQUIRED)

    async def status(token: str) -> int:
        return (await client.get("/v1/keys", headers=bearer(token))).status

    before = token_of(ALICE.public_key, "admin", iat=time.time())
    assert await status(before) == 200
    code, output, errors = await end_logins(redis_url, keys.namespace)
    assert (code, errors) == (0, "")
    assert output.startswith("Tokens that were issued before ")

    async def refused() -> bool:
        return await status(before) == 401

    await until(refused, what="the API reads the new epoch")
    assert await status(token_of(ALICE.public_key, "admin", iat=time.time())) == 200


async def test_without_redis_it_says_so(redis_url: str, keys: Keys) -> None:
    code, output, errors = await end_logins("redis://127.0.0.1:1/0", keys.namespace)
    assert (code, output) == (2, "")
    assert errors.startswith("Redis does not answer: ")
    assert errors.count("\n") == 1
