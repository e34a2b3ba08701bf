"""schemathesis sends valid and invalid requests and checks the responses by the document."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from shared.journal.keys import Keys
from tests.api.samples import TOKEN
from tests.support.processes import running
from tests.support.tier import at_length

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.mark.timeout(180)
async def test_the_api_does_what_its_document_says(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    given = {"REDIS_URL": redis_url, "CONTRACTS": TOKEN, "NAMESPACE": keys.namespace}
    async with running("services.api", **given) as api:
        await api.ready()
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("st"),
            *("--config-file", HERE / "schemathesis.toml"),
            *("run", f"http://127.0.0.1:{api.port}/openapi.json"),
            # The paths without /v1 have the same handlers.
            *("--exclude-path-regex", "^/(streams|events|users|auth|keys|system|webhooks)"),
            *("--max-examples", str(at_length(2, 50))),
            *("--phases", at_length("examples,coverage", "examples,coverage,fuzzing,stateful")),
            *("--no-color", "--generation-database", "none"),
            cwd=tmp_path,
            env=os.environ
            | {"SCHEMATHESIS_HOOKS": "tests.api.reference.hooks", "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()[-6000:]
        assert not api.log_lines("request_failed")
