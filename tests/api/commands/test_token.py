"""`python -m services.api token` prints a token."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import jwt
import pytest

from shared.auth.signing_keys import parse_signing_keys
from tests.api.auth.samples import ALICE, REQUIRED, SECRET, bearer, claims_of
from tests.support.web_client import StartApi

KEY = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"  # RFC 8037 A.1


async def command(*argv: str, **env: Any) -> tuple[int | None, str, str]:
    kept = {"PATH": os.environ["PATH"]}  # it needs no setting but the key
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.api", "token", *argv,
        env=kept | env, stdout=pipe, stderr=pipe,
    )  # fmt: skip
    async with asyncio.timeout(90):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_it_prints_a_valid_token(start: StartApi) -> None:
    given = ("--account", ALICE.public_key, "--scope", "admin", "--scope", "events:all")
    code, output, errors = await command(*given, "--hours", "2", JWT_SECRET=SECRET)
    assert (code, errors) == (0, "")
    claims = claims_of(output.strip())
    assert (claims["sub"], claims["scope"]) == (ALICE.public_key, "admin events:all")
    assert 7199 < claims["exp"] - claims["iat"] <= 7200
    client = await start(**REQUIRED)
    assert (await client.get("/v1/keys", headers=bearer(output.strip()))).status == 200


@pytest.mark.io
async def test_it_signs_with_the_private_key() -> None:
    code, output, errors = await command("--account", ALICE.public_key, JWT_PRIVATE_KEY=KEY)
    assert (code, errors) == (0, "")
    (key,) = parse_signing_keys(KEY)
    assert jwt.get_unverified_header(output.strip())["kid"] == key.key_id
    claims = jwt.decode(
        output.strip(), key.private.public_key(), algorithms=["EdDSA"], audience="headrace"
    )
    assert claims["sub"] == ALICE.public_key


@pytest.mark.io
@pytest.mark.parametrize(
    ("argv", "env", "word"),
    [
        ([], {"JWT_SECRET": SECRET}, "--account"),
        (["--account", "G123"], {"JWT_SECRET": SECRET}, "checksum"),
        (["--account", ALICE.public_key, "--scope", "root"], {"JWT_SECRET": SECRET}, "root"),
        (["--account", ALICE.public_key, "--hours", "0"], {"JWT_SECRET": SECRET}, "--hours"),
        (["--account", ALICE.public_key, "--hours", "nan"], {"JWT_SECRET": SECRET}, "--hours"),
        (["--account", ALICE.public_key], {}, "JWT_PRIVATE_KEY"),
        (["--account", ALICE.public_key], {"JWT_PRIVATE_KEY": "x"}, "openssl genpkey"),
        (["--account", ALICE.public_key], {"JWT_SECRET": "short"}, "JWT_SECRET"),
    ],
)
async def test_wrong_arguments_exit_with_2(argv: list[str], env: dict[str, Any], word: str) -> None:
    code, output, errors = await command(*argv, **env)
    assert (code, output) == (2, "")
    assert word in errors
    assert "Traceback" not in errors
