"""A token in a cookie may only read, whatever else the request has."""

from __future__ import annotations

import pytest

from tests.api.auth.samples import ALICE, BOB, token_of
from tests.api.samples import order
from tests.support.web_client import WebClient


@pytest.mark.parametrize("query", ["", "?access_token="])
@pytest.mark.parametrize(
    "header",
    [{}, {"Authorization": ""}, {"Authorization": " "}],
    ids=["no header", "an empty header", "a space"],
)
async def test_an_empty_header_does_not_let_a_cookie_change_anything(
    secure: WebClient, header: dict[str, str], query: str
) -> None:
    cookie = {"Cookie": f"headrace_token={token_of(ALICE.public_key, 'streams:write')}"}
    path, body = f"/v1/streams{query}", order(sender=ALICE.public_key, recipient=BOB.public_key)
    assert (await secure.get(path, headers=header | cookie)).status == 200
    assert (await secure.post(path, headers=header | cookie, json=body)).status == 401
    basic = {"Authorization": "Basic a"} | cookie
    assert (await secure.post(path, headers=basic, json=body)).status == 401
