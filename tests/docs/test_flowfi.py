"""What docs/clients/flowfi.md says about Headrace's answers to the pages of FlowFi."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest

from tests.api.auth.samples import SECRET
from tests.fanout.replicas import ALICE, SUBSCRIBE, Replica, StartReplica
from tests.support.installation import Installation
from tests.support.waiting import until


@pytest.fixture
async def required(start: StartReplica) -> Replica:
    """A fanout that knows the secret of FlowFi's backend."""
    return await start(auth_mode="required", jwt_secret=SECRET)


def token(**claims: Any) -> str:
    """A token as FlowFi's backend signs it, with further claims."""
    now = int(time.time())
    return jwt.encode({"sub": ALICE, "iat": now, "exp": now + 3600, **claims}, SECRET, "HS256")


OURS = {"iss": "headrace", "aud": "headrace", "scope": ""}


async def test_unknown_parameters_of_a_subscription_are_ignored(start: StartReplica) -> None:
    replica = await start()
    client = await replica.subscribe("streams=7&streams=8&token=x")
    assert json.loads(client.events[0].data)["subscriptions"] == ["7", "8"]
    client.close()


async def test_a_subscription_without_a_topic_is_refused(start: StartReplica) -> None:
    replica = await start()
    status, text = await replica.get(f"{SUBSCRIBE}?token=x")
    assert status == 400
    assert "at least one of streams" in text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"users={ALICE}&access_token={{theirs}}", 401),
        ("all=true&access_token={ours}", 403),
    ],
)
async def test_what_is_refused_with_a_login(required: Replica, query: str, status: int) -> None:
    asked = query.format(ours=token(**OURS), theirs=token())
    assert (await required.get(f"{SUBSCRIBE}?{asked}"))[0] == status


@pytest.mark.parametrize("name", ["access_token", "token"])
async def test_a_token_is_accepted_and_gets_its_account(required: Replica, name: str) -> None:
    client = await required.subscribe(f"{name}={token(**OURS)}")
    assert json.loads(client.events[0].data)["subscriptions"] == [f"user:{ALICE}"]
    client.close()


@pytest.mark.io
@pytest.mark.timeout(120)
@pytest.mark.asyncio(loop_scope="session")
async def test_lists_and_streams(whole: Installation) -> None:
    port = whole.ports.gateway
    assert (await whole.get(port, f"/api/v1/streams?recipient={ALICE}"))[0] == 404
    wrong = f"/v1/streams?recipient={ALICE}&sort=lastUpdateTime&order=desc&limit=100"
    assert (await whole.get(port, wrong))[0] == 422
    assert (await whole.get(port, wrong.replace("lastUpdateTime", "updated")))[0] == 200

    async def some() -> list[dict[str, Any]]:
        return (await whole.get(port, "/v1/streams?limit=1"))[1]["items"]

    (stream,) = await until(some, seconds=60, what="a stream")
    assert isinstance(stream["id"], str)
    assert not {"streamId", "isActive", "isPaused"} & stream.keys()
    assert (await whole.get(port, f"/v1/streams/{stream['id']}"))[0] == 200
