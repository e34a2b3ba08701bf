"""Runs move-redis.md: Redis gets a replica, and moves to a second machine without a loss."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from shared.journal.keys import Keys, namespace_of
from tests.api.auth.samples import bearer
from tests.operations.pages import block
from tests.operations.site import Site, another_machine
from tests.operations.subscriber import nothing_is_missed, token
from tests.operations.terminal import Result
from tests.support.waiting import until

PAGE = "move-redis.md"


async def run(here: Site, folder: Path) -> None:
    """Run the page. `folder` is for the second machine."""
    await give_a_replica(here)
    async with another_machine(here, folder) as there:
        await move(here, there)


async def give_a_replica(here: Site) -> None:
    """The API confirms a change when the replica has it."""
    profiles = here.settings["COMPOSE_PROFILES"]
    here.set(COMPOSE_PROFILES=f"{profiles},replica")
    printed = await here.run(block(PAGE, "start a replica"))
    assert "master_link_status:up" in printed.text
    made = await make(here, "with a replica")
    async with redis(here, "api", "redis-replica") as replica:
        assert await replica.exists(keys(here).stream(made))
    here.set(COMPOSE_PROFILES=profiles, WAIT_REPLICAS="0")  # as the page says before the move


async def move(old: Site, new: Site) -> None:
    """Streams that are made meanwhile, and all events of the chain, reach a subscriber once."""
    addresses = {
        "10.0.0.1": old.composed.addresses.first("redis"),
        "10.0.0.2": new.composed.addresses.first("redis"),
    }

    async def step(machine: Site, name: str) -> Result:
        found = block(PAGE, name)
        typed = {k: v for k, v in addresses.items() if k in found.text}
        return await machine.run(found, typed)

    async with nothing_is_missed(old) as client:
        streams, connections = [await make(old, "before")], client.connections
        await step(old, "publish redis on the old machine")
        await step(new, "copy the data on the new machine")
        streams.append(await make(old, "while it is copied"))
        await step(old, "hand over on the old machine")
        async with redis(new, "operator") as moved:
            assert (await moved.info("replication"))["role"] == "master"
        assert client.connections == connections, "subscribers stay connected"
        await step(old, "let the services use the new redis")
        await step(old, "stop the old redis")
        assert not old.composed.running["redis"]
        streams.append(await make(old, "after"))
        await until(
            lambda: set(streams) <= {event.get("streamId") for event in client.events},
            what="all streams",
        )
    made = [event["streamId"] for event in client.events if event["type"] == "stream.created"]
    assert [made.count(stream) for stream in streams] == [1, 1, 1]


def keys(here: Site) -> Keys:
    """The names in Redis."""
    passphrase = here.settings["NETWORK_PASSPHRASE"].strip('"')
    default = namespace_of(passphrase, accounts.STREAMS)
    return Keys(here.settings.get("NAMESPACE") or default)


def redis(here: Site, user: str, name: str = "redis") -> Redis:
    """A client that logs in to a Redis of this machine."""
    address = here.composed.running[name][0].address
    password = here.settings[f"{user.upper()}_REDIS_PASSWORD"]
    return Redis.from_url(f"redis://{user}:{password}@{address}:6379/0")


async def make(here: Site, key: str) -> str:
    """The id of a new stream of the API. Repeats the request while the API answers 503."""
    order = {
        "sender": accounts.address("alice"), "recipient": accounts.address("bob"),
        "tokenAddress": accounts.TOKEN, "ratePerSecond": "5", "depositedAmount": "100000",
    }  # fmt: skip
    headers = bearer(token(here)) | {"Idempotency-Key": key}
    url, made = here.composed.url(8080, "api") + "/v1/streams", list[str]()

    async def accepted() -> bool:
        async with here.composed.session.post(url, json=order, headers=headers) as response:
            assert response.status in (201, 503), await response.text()
            if response.status == 201:
                made.append((await response.json())["id"])
        return bool(made)

    await until(accepted, seconds=40, what="the API takes a stream")
    return made[0]
