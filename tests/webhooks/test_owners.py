"""Webhooks of AUTH_MODE=open have no owner and get everything, so a login must end them."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.domain.topics import ALL, Subscription
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, dispatching

pytestmark = pytest.mark.timeout(60)

OPEN: dict[str, Any] = {"account": "", "sees_all": True, "subscription": Subscription((ALL,))}


async def test_in_required_mode_a_webhook_without_an_owner_gets_nothing(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    """Also one that is made while the dispatcher runs, by an API in the other mode."""
    await world.add(receiver.url("old"), **OPEN)
    await world.add(receiver.url("owned"))
    made = await world.commit(3)
    with capture_logs() as logs:
        async with dispatching(redis_url, world.keys, auth_mode="required"):
            await until(lambda: receiver.ids("owned") == made)
            await world.add(receiver.url("new"), **OPEN)
            await world.add(receiver.url("marker"))
            made += await world.commit(3)
            await until(lambda: receiver.ids("owned") == receiver.ids("marker") == made)
    assert receiver.ids("old") == receiver.ids("new") == []
    warnings = [line for line in logs if line["event"] == "webhooks_without_owner"]
    assert sum(line["count"] for line in warnings) == 1
    assert "AUTH_MODE" in warnings[0]["meaning"]


async def test_in_open_mode_it_gets_everything(
    redis_url: str, world: World, receiver: Receiver
) -> None:
    """Also what it did not get in the other mode: nothing of it is lost."""
    await world.add(receiver.url("old"), **OPEN)
    await world.add(receiver.url("owned"))
    made = await world.commit(3)
    async with dispatching(redis_url, world.keys, auth_mode="required"):
        await until(lambda: receiver.ids("owned") == made)
    assert receiver.ids("old") == []
    async with dispatching(redis_url, world.keys):
        await until(lambda: receiver.ids("old") == made)
