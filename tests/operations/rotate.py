"""Runs rotate.md: old and new secrets work side by side, and a client misses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import jwt
import orjson
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError
from stellar_sdk import Keypair

from deploy.simulator.chain import accounts
from shared.webhooks.secrets import SecretBox, SecretUnreadableError
from tests.api.auth.samples import bearer, signed
from tests.operations.move_redis import keys, redis
from tests.operations.pages import block
from tests.operations.site import Site
from tests.operations.subscriber import nothing_is_missed, token
from tests.support.installation import Client
from tests.support.processes import connections
from tests.support.waiting import until

USERS = ("indexer", "api", "fanout", "archiver", "webhooks", "operator")
ALICE = accounts.keypair("alice")


async def run(here: Site) -> None:
    """Run the page, with checks after each block."""
    async with nothing_is_missed(here) as client:
        await replace_passwords(here, client)
        await replace_key_of_webhooks(here)
        await replace_key(here)  # from here on, the client could not log in again
        await replace_seed(here)


async def step(here: Site, name: str) -> None:
    await here.run(block("rotate.md", name))


async def replace_passwords(here: Site, client: Client) -> None:
    old, before, connected = passwords(here), connections_to_redis(here), client.connections
    await step(here, "new passwords of redis")
    new = passwords(here, "_NEXT")
    assert not set(old.values()) & set(new.values())
    assert await accepted(here, old) == await accepted(here, new) == set(USERS)
    after = connections_to_redis(here)
    for pid, sockets in before.items():
        assert sockets & after[pid], "connections stay open"
    assert client.connections == connected
    assert await here.composed.healthy("redis"), "the container's health check still works"
    await step(here, "use the new passwords of redis")
    assert passwords(here) == new
    assert await accepted(here, old) == set()
    assert await accepted(here, new) == set(USERS)


def passwords(here: Site, suffix: str = "") -> dict[str, str]:
    """The passwords in .env, by user."""
    return {user: here.settings[f"{user.upper()}_REDIS_PASSWORD{suffix}"] for user in USERS}


async def accepted(here: Site, given: Mapping[str, str]) -> set[str]:
    """The users whose passwords Redis accepts."""
    address, found = here.composed.running["redis"][0].address, set()
    for user, password in given.items():
        async with Redis.from_url(f"redis://{user}:{password}@{address}:6379/0") as client:
            with suppress(AuthenticationError):
                await client.ping()
                found.add(user)
    return found


def connections_to_redis(here: Site) -> dict[int, set[str]]:
    """The connections of each process of the services, by its id."""
    replicas = [each for user in USERS[:3] for each in here.composed.running[user]]
    return {each.process.pid: connections(each.process.pid, 6379) for each in replicas}


async def replace_key(here: Site) -> None:
    old = token(here)
    for name in ("add a signing key", "sign with the new key"):
        await step(here, name)
        assert await answers(here, old) == {200}, f"the old token after: {name}"
        latest = token(here)
        assert await status(here, "api", latest) == 200
        await until(partial(all_accept, here, latest), what="the fanouts know the key")
    assert kid(latest) != kid(old)
    await step(here, "remove the old key")
    assert "," not in here.settings["JWT_PRIVATE_KEY"]
    assert await status(here, "api", old) == 401
    assert await answers(here, latest) == {200}


async def all_accept(here: Site, credential: str) -> bool:
    """Whether all accept a token. A fanout reads a new key within ten seconds."""
    return await answers(here, credential) == {200}


async def answers(here: Site, credential: str) -> set[int]:
    """What the API and each fanout answer to a token."""
    found = {await status(here, "api", credential)}
    for number in range(len(here.composed.running["fanout"])):
        found.add(await status(here, "fanout", credential, number))
    return found


async def status(here: Site, name: str, credential: str, number: int = 0) -> int:
    subscribe = "/v1/events/subscribe?all=true&on_overload=status"
    path = {"api": "/v1/keys", "fanout": subscribe}[name]
    url = here.composed.url(8080, name, number) + path
    async with here.composed.session.get(url, headers=bearer(credential)) as answer:
        return answer.status


def kid(credential: str) -> object:
    return jwt.get_unverified_header(credential)["kid"]


async def replace_seed(here: Site) -> None:
    old = Keypair.from_secret(here.settings["SIGNING_SEED"]).public_key
    await step(here, "add a seed")
    assert await published_seed(here) == old
    soon, late = await challenge(here), await challenge(here)
    await step(here, "sign with the new seed")
    new = await published_seed(here)
    assert new != old
    assert kid(await log_in(here, soon)) == kid(token(here)), "the API signs with its new key"
    await step(here, "remove the old seed")
    assert await published_seed(here) == new
    assert not await log_in(here, late), "a challenge of the old seed is refused"
    assert await log_in(here, await challenge(here))


async def published_seed(here: Site) -> str:
    """The public key in the API's stellar.toml."""
    text = await here.composed.text("api", "/.well-known/stellar.toml")
    (line,) = [line for line in text.splitlines() if line.startswith("SIGNING_KEY")]
    return line.split('"')[1]


async def challenge(here: Site) -> str:
    """A challenge for a wallet."""
    url = here.composed.url(8080, "api") + f"/v1/auth?account={ALICE.public_key}"
    async with here.composed.session.get(url) as answer:
        return str((await answer.json())["transaction"])


async def log_in(here: Site, question: str) -> str:
    """The token for the answer to a challenge; empty if the API refuses the answer."""
    passphrase = here.settings["NETWORK_PASSPHRASE"].strip('"')
    answer = {"transaction": signed(question, ALICE, passphrase=passphrase)}
    url = here.composed.url(8080, "api") + "/v1/auth"
    async with here.composed.session.post(url, json=answer) as response:
        return str((await response.json()).get("token", ""))


async def replace_key_of_webhooks(here: Site) -> None:
    url = here.composed.url(8080, "api") + "/v1/webhooks"
    body = {"url": "https://shop.example/headrace", "all": True}
    async with here.composed.session.post(url, json=body, headers=bearer(token(here))) as answer:
        made = await answer.json()
    old = here.settings["WEBHOOK_SECRET_KEYS"]
    for name in ("add a key", "encrypt with the new key", "remove the old key"):
        await step(here, f"{name} of webhooks")
    new = here.settings["WEBHOOK_SECRET_KEYS"]
    assert "," not in new
    sealed = await stored_secret(here, made["id"])
    assert SecretBox([new]).open(sealed) == made["secret"]
    with pytest.raises(SecretUnreadableError):
        SecretBox([old]).open(sealed)


async def stored_secret(here: Site, webhook: str) -> str:
    """The only secret of a webhook, as it is in Redis."""
    async with redis(here, "api") as client:
        found = orjson.loads(await client.hget(keys(here).webhooks, webhook) or b"")
    (secret,) = found["secrets"]
    return str(secret["sealed"])
