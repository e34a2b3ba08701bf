"""Firefox without a driver: it opens one page, which reports to the server that it came from."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.programs import needed

_SETTINGS = {
    "app.normandy.enabled": "false",
    "app.update.disabledForTesting": "true",
    "browser.aboutwelcome.enabled": "false",
    "browser.shell.checkDefaultBrowser": "false",
    "browser.startup.homepage_override.mstone": '"ignore"',
    "datareporting.policy.dataSubmissionEnabled": "false",
    "extensions.update.enabled": "false",
    "network.captive-portal-service.enabled": "false",
    "network.connectivity-service.enabled": "false",
    "toolkit.telemetry.reportingpolicy.firstRun": "false",
}


@asynccontextmanager
async def firefox(url: str, folder: Path) -> AsyncIterator[None]:
    """Open the page in a new profile. Firefox and its processes are killed at the end."""
    profile = folder / "profile"
    profile.mkdir(parents=True)
    lines = [f'user_pref("{name}", {value});' for name, value in _SETTINGS.items()]
    (profile / "user.js").write_text("\n".join(lines))
    process = await asyncio.create_subprocess_exec(
        needed("firefox-esr"), "--headless", "--no-remote", "--profile", profile, url,
        env=os.environ | {"HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
