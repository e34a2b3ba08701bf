"""The examples of docs/api.md run unchanged, one after another."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from shared.journal.keys import Keys
from shared.web.problems import Slug
from tests.api.samples import TOKEN
from tests.support.fenced import ROOT, fenced
from tests.support.processes import running

PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
BLOCKS = [block.text for block in fenced("docs/api.md", "sh")]


async def test_the_examples_run(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    assert len(BLOCKS) > 5
    given = {"REDIS_URL": redis_url, "CONTRACTS": TOKEN, "NAMESPACE": keys.namespace}
    async with running("services.api", **given) as api:
        await api.ready()
        process = await asyncio.create_subprocess_exec(
            *("bash", "-eu", "-o", "pipefail", "-c", "\n".join(BLOCKS)),
            cwd=tmp_path,
            env=os.environ | {"API": f"http://127.0.0.1:{api.port}"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode()[-2000:]
    made = json.loads((tmp_path / "stream.json").read_text())
    assert made["metadata"] == {"label": "rent"}
    assert '"depositedAmount":"996005"' in output.decode(), "topped up by 1000 and once by 5"
    assert '"depositedAmount":"996010"' not in output.decode()
    lines = (tmp_path / "events.csv").read_text().splitlines()
    assert lines[0].startswith("id,time,type,")
    assert len(lines) == 9


def test_every_slug_that_the_api_answers_is_explained() -> None:
    elsewhere = {
        "invalid-subscription",
        "invalid-position",
        "method-not-allowed",
        "internal",
        "http",
    }
    missing = [slug for slug in Slug if slug not in elsewhere and f"`{slug}`" not in PAGE]
    assert set(missing) <= {"unauthorized", "forbidden", "overloaded", "rate-limited"}
