"""Tickets: used once, or twice by one client, within 30 seconds, and stored as hashes."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from shared.auth.tickets import TICKET_SECONDS, Tickets
from shared.journal.keys import Keys


@pytest.fixture
def tickets(redis: Redis, keys: Keys) -> Tickets:
    return Tickets(redis, keys)


async def test_of_fifty_clients_one_redeems_a_ticket(tickets: Tickets) -> None:
    ticket = await tickets.issue("the token")
    redeemed = await asyncio.gather(*(tickets.redeem(ticket, f"{n}") for n in range(50)))
    assert sorted(redeemed, key=str) == [None] * 49 + ["the token"]
    assert await tickets.redeem("never was", "1") is None


async def test_the_client_that_used_a_ticket_may_use_it_once_more_within_its_time(
    tickets: Tickets, redis: Redis, keys: Keys
) -> None:
    ticket = await tickets.issue("the token")
    (name,) = [n async for n in redis.scan_iter(f"{keys.ticket('')}*")]
    assert await tickets.redeem(ticket, "ours") == "the token"
    assert 0 < await redis.pttl(name) <= 30_000, "the first use does not lengthen its life"
    assert await tickets.redeem(ticket, "a thief's") is None
    assert await tickets.redeem(ticket, "ours") == "the token"
    assert await tickets.redeem(ticket, "ours") is None


async def test_tickets_differ_expire_and_are_hashed_at_rest(
    tickets: Tickets, redis: Redis, keys: Keys
) -> None:
    issued = {await tickets.issue("token") for _ in range(20)}
    assert len(issued) == 20
    names = [n.decode() async for n in redis.scan_iter(f"*{keys.namespace}*:ticket:*")]
    assert len(names) == 20
    assert not [n for n in names for t in issued if t in n]
    for name in names:
        assert 0 < await redis.pttl(name) <= TICKET_SECONDS * 1000
