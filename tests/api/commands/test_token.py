"""`python -m services.api token`: how the first admin comes to be."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import pytest

from tests.api.auth.samples import ALICE, REQUIRED, SECRET, bearer, claims_of
from tests.api.samples import TOKEN
from tests.support.web_client import StartApi


async def command(*argv, **env: Any):
    kept = {"PATH": os.environ["PATH"], "CONTRACTS": TOKEN}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.api", "token", *argv,
        env=kept | env, stdout=pipe, stderr=pipe,
    )  # fmt: skip
    async with asyncio.timeout(20):
        said, complained = await process.communicate()
    return process.returncode, said.decode(), complained.decode()


async def test_it_prints_a_valid_token(start: StartApi) -> None:
    given = ("--account", ALICE.public_key, "--scope", "admin", "--scope", "events:all")
    code, said, complained = await command(*given, "--hours", "2", JWT_SECRET=SECRET)
    assert (code, complained) == (0, "")
    claims = claims_of(said.strip())
    assert (claims["sub"], claims["scope"]) == (ALICE.public_key, "admin events:all")
    assert 7199 < claims["exp"] - claims["iat"] <= 7200
    client = await start(**REQUIRED)
    assert (await client.get("/v1/keys", headers=bearer(said.strip()))).status == 200


@pytest.mark.parametrize(
    ("argv", "env", "word"),
    [
        ([], {"JWT_SECRET": SECRET}, "--account"),
        (["--account", "G123"], {"JWT_SECRET": SECRET}, "checksum"),
        (["--account", ALICE.public_key, "--scope", "root"], {"JWT_SECRET": SECRET}, "root"),
        (["--account", ALICE.public_key, "--hours", "0"], {"JWT_SECRET": SECRET}, "--hours"),
        (["--account", ALICE.public_key, "--hours", "nan"], {"JWT_SECRET": SECRET}, "--hours"),
        (["--account", ALICE.public_key], {}, "JWT_SECRET"),
        (["--account", ALICE.public_key], {"JWT_SECRET": "short"}, "JWT_SECRET"),
    ],
)
async def test_wrong_arguments_exit_with_2(argv, env: dict[str, Any], word: str) -> None:
    code, said, complained = await command(*argv, **env)
    assert (code, said) == (2, "")
    assert word in complained
    assert "Traceback" not in complained
