"""AUTH_MODE=required: which tokens are accepted, and which subscriptions and events they allow."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest

from shared.domain.events import EventType
from tests.fanout.replicas import ALICE, BOB, CAROL, Chain, Replica, StartReplica
from tests.fanout.tokens import REQUIRED, SECRET, ask, bearer, claims, status, token
from tests.support.sse_client import SseClient
from tests.support.waiting import until


@pytest.mark.parametrize("way", ["header", "access_token", "token", "cookie"])
async def test_a_token_is_accepted_in_the_header_the_query_or_the_cookie(
    auth_replica: Replica, chain: Chain, stream: str, clients: list[SseClient], way: str
) -> None:
    value = token(BOB)
    headers, query = {}, f"streams=7&users={BOB}"
    if way == "header":
        headers = bearer(value)
    elif way == "cookie":
        headers = {"Cookie": f"other=1; headrace_token={value}"}
    else:
        query += f"&{way}={value}"
    client = await auth_replica.subscribe(query, headers=headers)
    clients.append(client)
    assert client.events[0].json["subscriptions"] == ["7", f"user:{BOB}"]
    assert "set-cookie" not in client.headers
    (live,) = await chain.commit(chain.fee())
    await client.wait_id(live)


async def test_a_request_without_a_token_gets_401(auth_replica: Replica, stream: str) -> None:
    client = await ask(auth_replica, "streams=7")
    problem = json.loads(await client.whole())
    assert (client.status, problem["type"]) == (401, "/problems/unauthorized")
    assert client.headers["www-authenticate"].startswith("Bearer")
    assert "ticket" in problem["detail"]


def _unsigned() -> str:
    part = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=")
            for p in ({"alg": "none", "typ": "JWT"}, claims(BOB))]  # fmt: skip
    return ".".join([*part, ""])


def _tampered() -> str:
    head, _, signature = token(BOB).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(ALICE)).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


BAD = {
    "alg none": _unsigned,
    "tampered": _tampered,
    "wrong aud": lambda: token(BOB, aud="other"),
    "wrong iss": lambda: token(BOB, iss="other"),
    "no exp": lambda: token(BOB, exp=None),
    "no sub": lambda: token(BOB, sub=None),
    "expired": lambda: token(BOB, exp=1_700_000_000),
    "other secret": lambda: jwt.encode(claims(BOB), SECRET[::-1], algorithm="HS256"),
    "other algorithm": lambda: jwt.encode(claims(BOB), SECRET * 2, algorithm="HS512"),
    "no token": lambda: "abc",
    "not ascii": lambda: "é.é.é",
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_token_gets_401_and_other_clients_stay_connected(
    auth_replica: Replica, stream: str, clients: list[SseClient], chain: Chain, kind: str
) -> None:
    good = await auth_replica.subscribe(f"users={BOB}", headers=bearer(token(BOB)))
    clients.append(good)
    assert await status(auth_replica, "streams=7", headers=bearer(BAD[kind]())) == 401
    cookie = {"Cookie": f"headrace_token={token(BOB)}"}
    assert await status(auth_replica, "streams=7", headers=cookie | bearer(BAD[kind]())) == 401, (
        "a bad header does not fall back to the cookie"
    )
    (live,) = await chain.commit(chain.fee())
    await good.wait_id(live)


ALLOWED = [
    ({}, f"users={BOB}", 200),
    ({}, "streams=7", 200),
    ({"sub": ALICE}, "streams=7", 200),
    ({"sub": CAROL}, "streams=7", 403),
    ({}, "streams=8", 403),  # the parties of stream 8 are not known yet
    ({}, f"users={ALICE}", 403),
    ({}, "all=true", 403),
    ({"scope": "streams:write"}, "all=true", 403),
    ({"scope": "streams:write events:all"}, f"all=true&streams=8&users={ALICE}", 200),
    ({"scope": "admin"}, f"all=true&streams=8&users={ALICE}", 200),
    ({"topics": ["7"]}, "streams=7", 200),
    ({"topics": ["7"]}, f"users={BOB}", 403),
    # a list of topics restricts a token and grants nothing
    ({"topics": ["8", f"user:{ALICE}"]}, "streams=8", 403),
    ({"topics": ["8", f"user:{ALICE}"]}, f"users={ALICE}", 403),
    ({"topics": ["8"], "scope": "events:all"}, "streams=8", 200),
    ({"topics": ["8"], "scope": "events:all"}, "all=true", 403),
    ({"topics": []}, "streams=7", 403),
]


@pytest.mark.parametrize(("more", "query", "expected"), ALLOWED)
async def test_a_subscription_is_allowed_or_refused_by_scope_and_party(
    auth_replica: Replica, stream: str, more: dict[str, Any], query: str, expected: int
) -> None:
    assert await status(auth_replica, query, headers=bearer(token(BOB, **more))) == expected


@pytest.mark.parametrize("query", ["", f"types={EventType.STREAM_FEE_COLLECTED}", "all=false"])
async def test_a_token_without_a_topic_subscribes_to_its_own_account(
    auth_replica: Replica, chain: Chain, stream: str, clients: list[SseClient], query: str
) -> None:
    """A resume has the same topics: it gets what it missed of this account, and nothing else."""
    bob = await auth_replica.subscribe(query, headers=bearer(token(BOB)))
    clients.append(bob)
    assert bob.events[0].json["subscriptions"] == [f"user:{BOB}"]
    began = bob.events[0].own_id or ""
    (foreign,) = await chain.commit(chain.event(8, recipient=CAROL))
    (own,) = await chain.commit(chain.fee())
    await bob.wait_id(own)
    again = await auth_replica.subscribe(query, since=began, headers=bearer(token(BOB)))
    clients.append(again)
    await again.wait_id(own)
    assert foreign not in [*bob.positions, *again.positions]
    assert bob.positions == again.positions == [own]


@pytest.mark.parametrize(
    ("more", "expected"),
    [({"sub": f"{BOB}:7"}, 400), ({"sub": "key:7"}, 400), ({"topics": ["7"]}, 403)],
)
async def test_a_token_whose_account_has_no_topic_must_name_one(
    auth_replica: Replica, stream: str, more: dict[str, Any], expected: int
) -> None:
    assert await status(auth_replica, "", headers=bearer(token(BOB, **more))) == expected


async def test_without_a_token_there_is_no_own_account(auth_replica: Replica) -> None:
    assert await status(auth_replica, "") == 401


async def test_a_403_names_each_refused_parameter(auth_replica: Replica, stream: str) -> None:
    query = f"streams=7,8&users={ALICE},{BOB}&all=true"
    client = await ask(auth_replica, query, headers=bearer(token(BOB)))
    problem = json.loads(await client.whole())
    assert (client.status, problem["type"]) == (403, "/problems/forbidden")
    assert [error["parameter"] for error in problem["errors"]] == ["all", "streams", "users"]
    for error, topic in zip(problem["errors"], ("*", "8", f"user:{ALICE}"), strict=True):
        assert repr(topic) in error["detail"]
        assert repr(topic) in problem["detail"]


async def test_after_a_change_of_recipient_only_the_new_recipient_gets_events(
    auth_replica: Replica, chain: Chain, stream: str, clients: list[SseClient]
) -> None:
    old = await auth_replica.subscribe(f"streams=7&users={BOB}", headers=bearer(token(BOB)))
    payer = await auth_replica.subscribe("streams=7", headers=bearer(token(ALICE)))
    new = await auth_replica.subscribe(f"users={CAROL}", headers=bearer(token(CAROL)))
    reader = await auth_replica.subscribe(
        "all=true", headers=bearer(token("GX", scope="events:all"))
    )
    clients += [old, payer, new, reader]
    (before,) = await chain.commit(chain.fee())
    (moved,) = await chain.commit(chain.transferred(7, BOB, CAROL))
    (later,) = await chain.commit(chain.fee())
    (public,) = await chain.commit(chain.broadcast())
    for client in clients:
        await client.wait_id(public)
    assert old.positions == [before, moved, public]
    assert payer.positions == reader.positions == [before, moved, later, public]
    assert new.positions == [moved, later, public]
    again = await auth_replica.subscribe(f"users={BOB}", since=before, headers=bearer(token(BOB)))
    clients.append(again)
    await again.wait_id(public)
    assert again.positions == [moved, public], "a replay sends no more than the live stream did"
    assert await status(auth_replica, "streams=7", headers=bearer(token(BOB))) == 403
    assert await status(auth_replica, "streams=7", headers=bearer(token(CAROL))) == 200


async def test_a_replay_from_the_journal_sends_only_visible_events(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(**REQUIRED, ring_events=1)
    (first,) = await chain.commit()
    others = await chain.commit_many(20, stream=9, sender=CAROL, recipient=ALICE)
    (moved,) = await chain.commit(chain.transferred(7, BOB, CAROL))
    (_, public) = await chain.commit(chain.fee(), chain.broadcast())
    bob = await replica.subscribe(f"users={BOB}", since="0-0", headers=bearer(token(BOB)))
    reader = await replica.subscribe(
        "all=true", since="0-0", headers=bearer(token("GX", scope="events:all"))
    )
    clients += [bob, reader]
    for client in clients:
        await client.wait_id(public)
    assert bob.positions == [first, moved, public]
    assert reader.positions[:21] == [first, *others]


@pytest.mark.parametrize("ring_events", [1, 1000])
async def test_a_new_recipient_does_not_get_events_from_before_the_change(
    start: StartReplica, chain: Chain, clients: list[SseClient], ring_events: int
) -> None:
    replica = await start(**REQUIRED, ring_events=ring_events)
    (first,) = await chain.commit()
    (gone,) = await chain.commit(chain.transferred(7, BOB, CAROL))
    (hers,) = await chain.commit(chain.fee())
    (back,) = await chain.commit(chain.transferred(7, CAROL, BOB))
    (last,) = await chain.commit(chain.broadcast())
    await until(lambda: str(replica.components.feed.position) == last)
    hands = {BOB: [first, gone, back, last], ALICE: [first, gone, hers, back, last]}
    for account, sees in hands.items():
        client = await replica.subscribe("streams=7", since="0-0", headers=bearer(token(account)))
        clients.append(client)
        await client.wait_id(last)
        assert client.positions == sees
    assert (str(replica.components.feed.recent.floor) == "0-0") is (ring_events > 1)


async def test_a_connected_recipient_of_one_stream_gets_no_events_after_the_change(
    auth_replica: Replica, chain: Chain, stream: str, clients: list[SseClient]
) -> None:
    bob = await auth_replica.subscribe("streams=7", headers=bearer(token(BOB)))
    clients.append(bob)
    (moved, _) = await chain.commit(chain.transferred(7, BOB, CAROL), chain.fee())
    (public,) = await chain.commit(chain.broadcast())
    await bob.wait_id(public)
    assert bob.positions == [moved, public]


async def test_a_foreign_stream_and_an_unknown_one_get_the_same_403(
    auth_replica: Replica, stream: str
) -> None:
    answers = []
    for name in ("7", "8123456789"):
        client = await ask(auth_replica, f"streams={name}", headers=bearer(token(CAROL)))
        problem = json.loads(await client.whole())
        answers.append((client.status, str(problem).replace(name, "<id>")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 403
    assert not any(account in answers[0][1] for account in (ALICE, BOB, CAROL))
