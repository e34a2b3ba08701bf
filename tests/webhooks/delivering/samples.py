"""An endpoint for tests without Redis. Tests change what they need with `replace`."""

from __future__ import annotations

from shared.domain.topics import Subscription
from shared.webhooks.endpoint import Endpoint

ENDPOINT = Endpoint(
    id="wh_1",
    account="G1",
    url="https://shop.example/hook",
    subscription=Subscription(("1",)),
    secrets=(),
    created=0,
    begins_after=None,
)
