"""Answers on a plain socket: read to the end, parsed strictly, and checked."""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass

from shared.web.problems import Slug
from tests.fuzz.requests import Request
from tests.support.sse_parser import Parser

SECONDS = 20.0
"""Time limit for an answer, and for the end of a connection."""
PATIENCE = 0.05
"""Seconds before we close a connection on which the server waits for the rest of a request."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LONGEST_PROBLEM = 64 << 10
LONGEST = 4 << 20

_STATUS = re.compile(rb"HTTP/(?:0\.9|1\.[01]) ([2-5]\d\d) [ -~]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t -~\x80-\xff]*)")
KNOWN = {
    *("Content-Type", "Content-Length", "Date", "Server", "Connection", "Vary", "Cache-Control"),
    *("ETag", "Location", "Allow", "Accept", "Retry-After", "WWW-Authenticate", "Set-Cookie"),
    *("Content-Encoding", "Content-Disposition", "Content-Security-Policy", "Referrer-Policy"),
    *("X-Content-Type-Options", "X-Request-ID", "X-Accel-Buffering", "Transfer-Encoding"),
    *("RateLimit", "RateLimit-Policy", "Headrace-Position", "Headrace-Next", "Headrace-Gap"),
    *(f"Access-Control-{name}" for name in ("Allow-Origin", "Allow-Credentials", "Max-Age")),
    *(f"Access-Control-{name}" for name in ("Allow-Methods", "Allow-Headers", "Expose-Headers")),
}
"""All header names of our answers. Another name would come from a client's bytes."""


@dataclass(frozen=True)
class Answer:
    """One answer: `fields` by their names as sent; `rest` is what follows the answer."""

    status: int
    fields: dict[str, str]
    body: bytes
    rest: bytes = b""

    @property
    def kind(self) -> str:
        return self.fields.get("Content-Type", "").partition(";")[0]


def take(data: bytes, method: bytes) -> Answer:
    """The first answer in these bytes. Raises AssertionError if it is not HTTP/1.1."""
    head, found, body = data.partition(b"\r\n\r\n")
    assert found, f"no end of a head: {data[:200]!r}"
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    assert status, f"no status line: {first!r}"
    pairs = [_FIELD.fullmatch(line) for line in lines]
    assert all(pairs), f"an ill header: {lines}"
    fields = {m[1].decode(): m[2].decode("latin-1") for m in pairs if m}
    assert len(fields) == len(lines), f"a header twice: {lines}"
    answer = Answer(int(status[1]), fields, body)
    if answer.kind == "text/event-stream":
        return answer
    bodiless = method == b"HEAD" or answer.status in (204, 304)
    length = 0 if bodiless else int(fields["Content-Length"])
    assert len(body) >= length, f"{len(body)} bytes of {length}"
    return Answer(answer.status, fields, body[:length], body[length:])


def exchange(port: int, request: Request) -> Answer | None:
    """Send a request; returns the answer, None if the server hangs up on an incomplete request."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:
        try:
            sock.sendall(request.raw)
        except (ConnectionError, TimeoutError):
            assert not request.whole, "hung up on before all was sent"
        data = _read(sock, request)
    if not request.whole and data in (b"", CONTINUE):
        return None
    return take(data.removeprefix(CONTINUE), request.method)


def _read(sock: socket.socket, request: Request) -> bytes:
    """Everything up to the end of the connection, or of the first frame of an event stream."""
    data, began, hung_up = b"", time.monotonic(), False
    while len(data) <= LONGEST:
        assert time.monotonic() - began < SECONDS, f"no end after {data[:200]!r}"
        last = request.whole or hung_up
        sock.settimeout(SECONDS if last else PATIENCE)
        try:
            more = sock.recv(1 << 16)
        except TimeoutError:
            assert not last, f"no end after {data[:200]!r}"
            sock.shutdown(socket.SHUT_WR)
            hung_up = True
            continue
        except ConnectionError:
            return data
        data += more
        if not more or (b"text/event-stream" in data and data.endswith(b"\n\n")):
            return data
    return data


def judge(request: Request, answer: Answer) -> None:
    """Check an answer against the promises in docs/api.md and docs/events.md."""
    assert answer.status < 500, f"{answer.status}: {answer.body[:300]!r}"
    assert set(answer.fields) <= KNOWN, f"unknown: {set(answer.fields) - KNOWN}"
    if answer.kind == "text/event-stream":
        parser = Parser()
        parser.feed(answer.body)
        assert (parser.faults, parser.unfinished) == ([], False)
    elif request.method == b"HEAD":
        assert not (request.whole and answer.rest), "a body for HEAD"
    elif answer.status >= 400:
        _judge_problem(request, answer)
    elif answer.kind == "application/json":
        json.loads(answer.body)
    assert request.whole or answer.status >= 400 or not answer.rest.startswith(b"HTTP/")


def _judge_problem(request: Request, answer: Answer) -> None:
    assert len(answer.body) <= LONGEST_PROBLEM, f"{len(answer.body)} for {len(request.raw)}"
    if (
        not request.whole and answer.kind == "text/plain"
    ):  # the request was not HTTP: aiohttp answers itself
        assert answer.status in (400, 417)
        return
    assert answer.kind == "application/problem+json", answer.body[:300]
    problem = json.loads(answer.body)
    assert problem["status"] == answer.status
    assert problem["type"] in {f"/problems/{slug}" for slug in Slug}
    assert isinstance(problem["title"], str)
    assert isinstance(problem["detail"], str)
    for error in problem.get("errors", []):
        assert set(error) <= {"parameter", "pointer", "detail"}
