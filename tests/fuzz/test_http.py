"""No bytes of a client stop a service, cause a 5xx answer, or get into a log unescaped."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.api.samples import TOKEN, on_chain
from tests.fanout.replicas import SUBSCRIBE
from tests.fanout.tokens import SECRET
from tests.fuzz.answers import Answer, exchange, judge
from tests.fuzz.requests import CANARY, FOUND, FULL, Request, requests
from tests.support.data import begun_long_ago
from tests.support.processes import ServiceProcess, running
from tests.support.tier import at_length, one_in_test
from tests.support.waiting import until

EXAMPLES = int(os.environ.get("EXAMPLES") or at_length(100, 2000))

ONE = b"/v1/streams/{}"
API = [b"POST /v1/streams"] * 4 + [b"GET /v1/streams", b"GET /v1/events"] * 2
API += [b"POST /v1/transactions", b"POST /v1/transactions/submit"]
API += [b"GET " + ONE, b"PATCH " + ONE, b"DELETE " + ONE, b"GET " + ONE + b"/events"]
API += [b"POST " + ONE + step for step in (b"/top-up", b"/withdraw", b"/pause", b"/cancel")]
API += [b"POST " + ONE + answer for answer in (b"/accept", b"/hide")]
API += [b"GET /v1/users/{}/summary", b"GET /v1/events/subscribe", b"GET /v1/auth", b"POST /v1/auth"]
API += [
    b"POST /v1/auth/revoke",
    b"POST /v1/auth/refresh",
    b"POST /v1/events/ticket",
    b"GET /v1/keys",
]
API += [b"POST /v1/keys", b"DELETE /v1/keys/{}", b"GET /docs/{}", b"GET /console/{}/{}", b"GET /{}"]
API += [b"GET /problems/{}", b"GET /v1/tokens/{}"]
FANOUT = [b"GET /v1/events/subscribe"] * 12 + [b"GET /events/subscribe", b"GET /v1/events/stats"]
FANOUT += [b"POST /v1/events/subscribe", b"GET /{}", b"GET /readyz"]

MODES: dict[str, dict[str, object]] = {
    "open": {"AUTH_MODE": "open"},
    "required": {"AUTH_MODE": "required", "JWT_SECRET": SECRET, "RATE_LIMIT_IP": 0}
    | {"RATE_LIMIT_SUBJECT": 0, "RATE_LIMIT_LOGIN": 0},
}
NOT_HTTP = re.compile(
    r"ERROR:aiohttp\.server:(Error handling request from \S+|Unhandled exception): \w+"
    r"( \(\d+ lines of aiohttp\.server not logged before\))?\n"
)


def get(target: str) -> Request:
    credentials = f"Authorization: Bearer {FULL}\r\nConnection: close\r\n"
    return Request(b"GET", f"GET {target} HTTP/1.1\r\nHost: x\r\n{credentials}\r\n".encode())


def ready(port: int) -> bool:
    answer = exchange(port, get("/readyz"))
    return answer is not None and answer.status == 200


def streams_are_shown(port: int) -> None:
    answer = exchange(port, get("/v1/streams/7"))
    assert answer is not None
    document = json.loads(answer.body)
    assert (answer.status, document["id"], document["depositedAmount"]) == (200, "7", "1000")


def events_are_replayed(port: int) -> None:
    answer = exchange(port, get(f"{SUBSCRIBE}?streams=7"))
    assert answer is not None
    assert (answer.status, answer.kind) == (200, "text/event-stream")
    assert b'"subscriptions":["7"]' in answer.body


@dataclass(frozen=True)
class Case:
    """A service, the calls it knows, and a check that correct requests still work."""

    module: str
    calls: list[bytes]
    works: Callable[[int], None]


CASES = [Case("api", API, streams_are_shown), Case("fanout", FANOUT, events_are_replayed)]


@pytest.fixture(params=CASES, ids=lambda case: case.module)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(params=one_in_test([*MODES][::-1]))
async def service(
    request: pytest.FixtureRequest, case: Case, redis_url: str, redis: Redis, keys: Keys
) -> AsyncIterator[ServiceProcess]:
    await begun_long_ago(redis, keys)
    await on_chain(redis, keys, 7)
    given: dict[str, object] = {
        "REDIS_URL": redis_url,
        "CONTRACTS": TOKEN,
        "NAMESPACE": keys.namespace,
    }
    given |= {"LOG_LEVEL": "debug"} | MODES[request.param]
    async with running(f"services.{case.module}", **given) as process:
        await until(lambda: asyncio.to_thread(ready, process.port), what="readiness")
        yield process


def fuzz(port: int, case: Case) -> list[Answer]:
    """Send random requests, each followed by a correct one; returns all answers."""
    answers = []

    @settings(max_examples=EXAMPLES, suppress_health_check=[*HealthCheck])
    @given(requests(case.calls))
    def send(request: Request) -> None:
        if answer := exchange(port, request):
            judge(request, answer)
            answers.append(answer)
        case.works(port)

    for each in FOUND:
        send = example(each)(send)
    send()
    return answers


def test_a_failure_with_a_large_request_is_shown() -> None:
    large = Request(b"POST", b"POST / HTTP/1.1\r\n\r\n", b"x" * 70_000)

    @settings(max_examples=1, database=None)
    @given(st.just(large))
    def fail(request: Request) -> None:
        assert not request.whole, "the reason"

    with pytest.raises(AssertionError, match="the reason"):
        fail()


def check_log(process: ServiceProcess) -> None:
    """Every log line is ours, is no error, and holds no credential and no raw bytes."""
    strange = [line for line in process.noise if not NOT_HTTP.fullmatch(line)]
    assert not strange, "".join(strange[:40])
    for line in process.log:
        text = json.dumps(line, ensure_ascii=False)
        assert not {"exception", "exc_info"} & line.keys(), text
        assert line["level"] != "error", text
        assert CANARY not in text
        assert FULL not in text


@pytest.mark.timeout(600)
async def test_any_bytes_are_answered_correctly_and_harm_no_other_client(
    service: ServiceProcess, case: Case, redis_url: str
) -> None:
    def descriptors() -> int:
        """The open descriptors, without Redis' pool, whose size depends on overlapping commands."""
        return service.descriptors - service.connections(urlsplit(redis_url).port or 6379)

    await asyncio.to_thread(case.works, service.port)
    before = descriptors()
    answers = await asyncio.to_thread(fuzz, service.port, case)
    statuses = [answer.status for answer in answers]  # by chance, so not too much is asked
    assert any(status < 300 for status in statuses), "some requests are correct"
    assert 400 in statuses
    assert len({*statuses}) >= 3
    ours = [answer for answer in answers if answer.kind != "text/plain"]
    assert len(ours) > len(answers) / 2, "most of it is HTTP, and reaches the service itself"
    await until(lambda: descriptors() <= before, what="descriptors given back")
    check_log(service)
