"""What an answer 403 shows: no party of a stream, and not whether a stream exists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.auth.samples import ALICE, BOB, CAROL, bearer, token_of, writer
from tests.api.samples import order
from tests.support.web_client import WebClient

ORDER = order(sender=ALICE.public_key, recipient=BOB.public_key)
UNKNOWN = "8123456789"

REQUESTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "", None),
    ("GET", "/events", None),
    ("PATCH", "", {"metadata": {"label": "rent"}}),
    ("DELETE", "", None),
    ("POST", "/top-up", {"amount": "5"}),
    ("POST", "/withdraw", None),
    ("POST", "/pause", None),
    ("POST", "/resume", None),
    ("POST", "/cancel", None),
]


async def stream_of(client: WebClient) -> str:
    response = await client.post("/v1/streams", json=ORDER, headers=writer(ALICE))
    assert response.status == 201
    stream_id: str = (await response.json())["id"]
    return stream_id


@pytest.mark.parametrize(
    "headers",
    [
        writer(CAROL),
        writer(ALICE, topics=["7"]),
        bearer(token_of(CAROL.public_key, "admin", topics=["7"])),
        bearer(token_of(CAROL.public_key, "events:all", "streams:write", topics=["7"])),
    ],
    ids=["a stranger", "a party without the topic", "an admin without the topic", "a reader"],
)
async def test_a_foreign_stream_and_an_unknown_one_get_the_same_403(
    secure: WebClient, headers: dict[str, str]
) -> None:
    foreign = await stream_of(secure)
    for method, path, body in REQUESTS:
        answers = []
        for stream_id in (foreign, UNKNOWN):
            stale = headers | ({"If-Match": '"7"'} if method != "GET" else {})
            response = await secure.request(
                method, f"/v1/streams/{stream_id}{path}", json=body, headers=stale
            )
            text = (await response.text()).replace(stream_id, "<id>")
            for account in (ALICE, BOB, CAROL):
                assert account.public_key not in text, path
            document = await response.json(content_type=None)
            document.pop("requestId")
            answers.append((response.status, str(document).replace(stream_id, "<id>")))
        assert answers[0] == answers[1], (method, path)
        assert answers[0][0] == 403, (method, path)


async def test_who_may_read_everything_gets_404_for_an_unknown_stream(secure: WebClient) -> None:
    reader = bearer(token_of(CAROL.public_key, "events:all"))
    for method, path, body in REQUESTS:
        if path != "/events":
            url = f"/v1/streams/{UNKNOWN}{path}"
            response = await secure.request(method, url, json=body, headers=reader)
            assert response.status == 404, (method, path)


async def test_a_party_may_read_but_is_not_told_who_the_other_party_is(secure: WebClient) -> None:
    path = f"/v1/streams/{await stream_of(secure)}/pause"
    answer = await secure.post(path, headers=writer(BOB))
    detail = (await answer.json())["detail"]
    assert (answer.status, "sender" in detail) == (403, True)
    assert ALICE.public_key not in detail
    creation = await secure.post("/v1/streams", json=ORDER, headers=writer(BOB))
    assert creation.status == 403
    for text in (detail, await creation.text()):
        assert ALICE.public_key not in text
        assert BOB.public_key not in text
