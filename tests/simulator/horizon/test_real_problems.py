"""How the simulated Horizon refuses, against what a real one answered: Horizon 28, 2026-11.

The length of every problem is compared to the byte, and with it its texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
import pytest

from deploy.simulator.network import Network
from tests.simulator.real_answers import NO_STORE, STREAM, ask, places, small

pytestmark = pytest.mark.timeout(15)
PROBLEM = "application/problem+json; charset=utf-8"


@pytest.fixture
def network() -> Network:
    return small()


class Refusal(NamedTuple):
    """A problem that a real Horizon gave, with the length of its body."""

    path: str
    status: int
    slug: str
    length: int
    field: str = ""
    reason: str = ""
    headers: Mapping[str, str] = {}


GONE, MISSING = (410, "before_history", 351), (404, "not_found", 322)
UNACCEPTABLE = (406, "not_acceptable", 171)
LIMIT_0 = (400, "bad_request", 274, "limit", "invalid limit: non-positive value provided")
CURSOR = (400, "bad_request", 254, "cursor", "cursor: invalid value")
FAILED = (400, "bad_request", 271, "include_failed", "Filter should be true or false")
REFUSALS = [
    Refusal("/transactions?limit=0", *LIMIT_0),
    Refusal("/transactions?limit=0", *LIMIT_0, headers=STREAM),
    Refusal(
        "/transactions?limit=201",
        400,
        "bad_request",
        291,
        "limit",
        "invalid limit: value provided that is over limit max of 200",
    ),
    Refusal("/transactions?limit=x", 400, "bad_request", 249, "limit", "unparseable value"),
    Refusal("/transactions?cursor=abc", *CURSOR),
    Refusal(
        "/transactions?cursor=-5",
        400,
        "bad_request",
        269,
        "cursor",
        "the cursor -5 is a negative number: ",
    ),
    *(Refusal(f"/transactions?cursor={odd}", *CURSOR) for odd in ("1-x", "1-", "-1-2", "1--2")),
    *(
        Refusal(path, 400, "bad_request", 166, headers=headers)  # the first part is in the history
        for path, headers in (
            ("/transactions?cursor={after}-2", {}),
            ("/transactions?cursor={after}-2&order=desc", {}),
            ("/transactions?cursor={after}-2", STREAM),
            ("/ledgers?cursor={after}-2", {}),
        )
    ),
    *(
        Refusal(f"/transactions?include_failed={odd}", *FAILED, headers=headers)
        for odd, headers in (("x", {}), ("tRue", {}), ("x", STREAM))
    ),
    Refusal("/transactions?order=up", 400, "bad_request", 252, "order", "order: invalid value"),
    Refusal(
        "/transactions/zz",
        400,
        "bad_request",
        294,
        "tx_id",
        "Transaction hash must be a hex-encoded, lowercase SHA-256 hash",
    ),
    Refusal(
        "/ledgers/x",
        400,
        "bad_request",
        278,
        "ledger_id",
        "Ledger ID must be an integer higher than 0",
    ),
    Refusal(f"/transactions/{'ab' * 32}", *MISSING),
    Refusal("/ledgers/9999999", *MISSING),
    Refusal("/nothing", *MISSING),
    Refusal("/ledgers/1", *GONE),
    Refusal("/ledgers/0", *GONE),
    Refusal("/transactions?cursor=1&limit=1&order=desc", *GONE),
    Refusal("/transactions?cursor=1&order=desc", *GONE, headers=STREAM),
    Refusal("/transactions?cursor=1-2&order=desc", *GONE),
    Refusal("/ledgers/{ledger}", *UNACCEPTABLE, headers=STREAM),
    Refusal("/", *UNACCEPTABLE, headers={"Accept": "text/html"}),
]


@pytest.mark.parametrize("seen", REFUSALS, ids=lambda each: each.path)
async def test_refusals(http: aiohttp.ClientSession, network: Network, seen: Refusal) -> None:
    response = await ask(http, seen.path.format(**places(network)), seen.headers)
    assert response.status == seen.status
    problem = await response.json()
    assert problem["type"] == f"https://stellar.org/horizon-errors/{seen.slug}"
    assert problem["status"] == seen.status
    assert ("detail" in problem) == (seen.status != 406)
    extras = {"invalid_field": seen.field, "reason": seen.reason} if seen.field else None
    assert problem.get("extras") == extras
    told = dict(response.headers)
    del told["Date"]
    assert told == {
        "Cache-Control": NO_STORE,
        "Content-Type": PROBLEM,
        "Vary": "Origin",
        "Content-Length": str(seen.length),
    }
