"""A process of Node that uses the installed package."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.clients.packages.js.page_server import FOLDER, PageServer
from tests.support.programs import needed


@asynccontextmanager
async def node(
    project: Path, pages: PageServer, url: str, client: str = "node", *token: str
) -> AsyncIterator[None]:
    """A process of Node in the project. It must end by itself after its subscription is closed."""
    for name in ("node.mjs", "client.mjs"):
        shutil.copy(FOLDER / name, project / name)
    process = await asyncio.create_subprocess_exec(
        needed("node"), "node.mjs", client, url, pages.url, *token,
        cwd=project, stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    try:
        yield
        process.stdin.close()
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
