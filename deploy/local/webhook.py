"""The webhook of a local run: the runner makes it through the API, and its receiver verifies it.

The API shows a signing secret only once. So each run deletes the webhook of the run before and
makes a new one, and gives the secret to the receiver.
"""

from __future__ import annotations

import sys

import aiohttp

from deploy.local.ports import Ports
from deploy.local.processes import Part, ProcessEndedError
from shared.web import client as http

RECEIVER = "receiver"
"""The name of the process, and of its log."""
_DESCRIPTION = "the sample receiver of make run"


async def sample_receiver(ports: Ports) -> Part:
    """Make a webhook for all events. Returns the process of its receiver, which is not started.

    Raises ProcessEndedError if the API refuses the webhook.
    """
    api, receiver = f"http://127.0.0.1:{ports.api}", f"http://127.0.0.1:{ports.receiver}/"
    timeout = aiohttp.ClientTimeout(total=10)
    async with http.session(timeout=timeout, raise_for_status=_raise_for_status) as session:
        await _delete_former(session, f"{api}/v1/webhooks", receiver)
        body = {"url": receiver, "all": True, "description": _DESCRIPTION}
        async with session.post(f"{api}/v1/webhooks", json=body) as response:
            secret = (await response.json())["secret"]
    command = [sys.executable, "-m", "deploy.local.receiver"]
    given = {"HOST": "127.0.0.1", "PORT": str(ports.receiver), "WEBHOOK_SECRET": secret}
    return Part(RECEIVER, command, given, ports.receiver)


async def _delete_former(session: aiohttp.ClientSession, webhooks: str, receiver: str) -> None:
    """Delete the webhook of a run before this one, whose secret is lost."""
    async with session.get(webhooks) as response:
        known = (await response.json())["items"]
    for each in known:
        if each["url"] == receiver:
            async with session.delete(f"{webhooks}/{each['id']}"):
                pass


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    if response.status >= 400:
        text = await response.text()
        raise ProcessEndedError(f"no webhook for the sample receiver: {response.status} {text}")
