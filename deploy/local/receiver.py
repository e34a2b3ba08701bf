"""A sample receiver of webhooks: verifies each delivery and prints one line for each event.

`make run` starts it with a webhook for all events. Its output is in .run/3000/logs/receiver.log.
docs/guides/webhooks.md explains each step.
"""

from __future__ import annotations

import os
import sys
import time
from collections import OrderedDict
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from deploy.local.follow import line

MOST_IDS = 10_000
"""Ids that the receiver remembers. A delivery is repeated soon, or not at all."""


class Receiver:
    """Takes each event once. `secret` is the signing secret of the webhook (`whsec_…`)."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._taken: OrderedDict[str, None] = OrderedDict()

    async def take(self, request: web.Request) -> web.Response:
        """POST /: 204 if the signature is right, else 401."""
        try:
            document = self._webhook.verify(await request.read(), dict(request.headers))
        except (WebhookVerificationError, ValueError) as error:
            print(f"  refused: {error}", flush=True)
            return web.Response(status=401, text=f"the signature is wrong: {error}")
        for event in document.get("events", [document]):
            key = event.get("id", request.headers["webhook-id"])
            if self._is_new(key):
                print(described(event, time.time()), flush=True)
            else:
                print(f"  verified, and not new: {key}", flush=True)
        return web.Response(status=204)

    def _is_new(self, key: str) -> bool:
        if key in self._taken:
            return False
        self._taken[key] = None
        if len(self._taken) > MOST_IDS:
            self._taken.popitem(last=False)
        return True


def described(event: dict[str, Any], now: float) -> str:
    """One line about an event, or about a message that is none: `gap`, `reset`, `webhook.test`."""
    if "publishedAt" not in event:
        return f"  verified  {event}"
    return f"  verified{line(event['type'], event, now)}"


def main() -> int:
    """Serve until a signal ends the process."""
    app = web.Application()
    app.router.add_post("/", Receiver(os.environ["WEBHOOK_SECRET"]).take)
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    web.run_app(app, host=host, port=port, print=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
