"""Requests that no honest client sends: targets, headers and bodies of any bytes.

Every wrong credential in them contains `CANARY`, so that a log can be searched for it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from tests.api.samples import RECIPIENT, SENDER, TOKEN, order
from tests.fanout.tokens import token

CANARY = "cAnArY-of-a-secret"
FULL = token(SENDER, scope="admin events:all streams:write", exp=4_000_000_000)


SHOWN = 1000
"""Bytes of a request that a failure shows. Hypothesis warns of a long `repr`, and as an error the
warning would hide the failure."""


@dataclass(frozen=True, repr=False)
class Request:
    """Bytes to send; `whole` if the framing is correct, so that the server must answer."""

    method: bytes
    head: bytes
    body: bytes = b""
    whole: bool = True

    @property
    def raw(self) -> bytes:
        return self.head + self.body

    def __repr__(self) -> str:
        kind = "whole" if self.whole else "not whole"
        return f"<{kind} request of {len(self.raw)} bytes: {self.raw[:SHOWN]!r}>"

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """How Hypothesis prints it; otherwise it would print all fields of the dataclass."""
        printer.text(repr(self))


NASTY = [
    b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", "½".encode(), "٣".encode(), b"\x7f",
    b"-1", b"0", b"1e9", b"0x10", b"+1", b"1_0", b"NaN", b"9" * 19, b"9" * 40, b"9" * 5000,
    b"1-0", b"0-0", b"18446744073709551615-18446744073709551615", b"18446744073709551616-0",
    b"1-0\r\nid: 9-9", b"\n\ndata: forged\n\n", b"..", b"../../etc/passwd", b"<script>", b"'\"",
    b"{}", b"[]", b"{{7*7}}", b"%s%n", b"true", b"null", b"*", b"**", b",", b",,,", b"a" * 3000,
    b"api-", b"api-0193a5f0-0000-7000-8000-000000000000", b"7", b"users:7", b"\\ud800",
    SENDER.encode(), SENDER.lower().encode(), SENDER[:-1].encode() + b"A", TOKEN.encode(),
    b"G" * 56, b"MDAwMDAwMDAwMDAwOjAwMDAw", base64.urlsafe_b64encode(b"\xff" * 33),
]  # fmt: skip
nasty = st.one_of(st.sampled_from(NASTY), st.binary(max_size=24), st.text(max_size=12).map(
    lambda text: text.encode("utf-8", "surrogatepass")
))  # fmt: skip
_CONTROL = bytes({*range(32), 127} - {9})
lines = nasty.map(lambda raw: raw.translate(None, _CONTROL))
"""Bytes that a header may contain."""


# ── targets ──

IDS = [b"7", b"8", b"api-0193a5f0-0000-7000-8000-000000000000", SENDER.encode(), b""]
NAMES = [
    b"streams", b"users", b"all", b"types", b"after", b"before", b"order", b"limit", b"cursor",
    b"status", b"sort", b"user", b"sender", b"token", b"origin", b"since", b"last_event_id",
    b"lastEventId", b"ticket", b"access_token", b"on_overload", b"account", b"memo", b"position",
    b"client_domain", b"home_domain", b"view",
]  # fmt: skip
GOOD = [b"7", b"1,2", b"true", b"desc", b"asc", b"5", b"created", b"stream.created", b"1-0"]
GOOD += [b"compact", SENDER.encode(), RECIPIENT.encode(), TOKEN.encode(), FULL.encode()]
quoted = nasty.map(lambda raw: quote_from_bytes(raw, safe="").encode())
odd_quotes = st.sampled_from(
    [b"%", b"%zz", b"%0", b"%00", b"%ed%a0%80", b"%25%30", b"+", b"%2e%2e"]
)
values = st.one_of(st.sampled_from(GOOD), quoted, quoted, odd_quotes)
pairs = st.one_of(
    st.tuples(st.sampled_from(NAMES), values).map(b"=".join),
    st.tuples(values, values).map(b"=".join),
    values,
)
GOOD_PAIRS = [b"all=true", b"streams=7", b"users=" + SENDER.encode(), b"types=stream.created"]
GOOD_PAIRS += [b"limit=5", b"order=asc"]
resumes = st.tuples(st.sampled_from([b"last_event_id=", b"after="]), values).map(b"".join)
right = st.lists(st.one_of(st.sampled_from(GOOD_PAIRS), resumes), min_size=1, max_size=2)
queries = st.one_of(right, st.lists(pairs, max_size=5)).map(
    lambda each: b"?" + b"&".join(each) if each else b""
)


def targets(path: bytes) -> st.SearchStrategy[bytes]:
    """Targets with this path, in which `{}` becomes an id of any quoted bytes."""
    ids = st.one_of(st.sampled_from(IDS), st.sampled_from(IDS), quoted, odd_quotes)
    return st.tuples(ids.map(lambda given: path.replace(b"{}", given)), queries).map(b"".join)


# ── headers ──

FIELDS = [
    b"Last-Event-ID", b"Idempotency-Key", b"If-Match", b"If-None-Match", b"Accept", b"Origin",
    b"Accept-Encoding", b"Cookie", b"X-Forwarded-For", b"X-Request-ID", b"Range", b"Expect",
    b"Access-Control-Request-Method", b"traceparent", b"Upgrade", b"Forwarded", b"Referer", b"X",
]  # fmt: skip
FIELD_VALUES = [
    b'"1"', b"*", b'W/"1", "2"', b'"', b"text/csv", b"text/html", b"gzip", b"100-continue",
    b"http://a.example", b"websocket", b"bytes=0-", b"a=b; headrace_token=" + CANARY.encode(),
    b"headrace_token=" + FULL.encode(), b"127.0.0.1, ::1, x", b"text/csv;q=nan", b"POST",
]  # fmt: skip
deep_head = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 2000).rstrip(b"=")
TOKENS = [
    FULL.encode(), FULL.encode() + b"x", FULL.encode()[:-9], b"a.b.c", b"..", CANARY.encode(),
    b"eyJhbGciOiJub25lIn0.e30.", deep_head + b".e30.x", b"hrk_" + CANARY.encode(), b"hr_" * 400,
]  # fmt: skip
schemes = st.sampled_from([b"Bearer ", b"bearer ", b"Basic ", b"Bearer", b"", b"Bearer\t"])
canaries = lines.map(lambda raw: CANARY.encode() + raw)
credentials = st.tuples(schemes, st.one_of(st.sampled_from(TOKENS), canaries)).map(
    lambda pair: (b"Authorization", b"".join(pair))
)
good = st.sampled_from([[(b"Authorization", b"Bearer " + FULL.encode())]] * 2 + [[]])
fields = st.tuples(st.sampled_from(FIELDS), st.one_of(st.sampled_from(FIELD_VALUES), lines))
headers = st.lists(st.one_of(fields, fields, fields, credentials), max_size=4)


# ── bodies ──

metadata = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
keys = st.sampled_from([*order(), "startTime", "metadata", "amount", "jti", "account", "name"])
orders = st.dictionaries(keys, metadata, max_size=3).map(lambda wrong: order() | wrong)
json_bodies = st.one_of(orders, st.just(order()), st.just({"amount": "5"}), metadata).map(
    lambda value: json.dumps(value).encode()  # NaN and Infinity too
)
ODD_BODIES = [
    b"", b" ", b"[" * 30_000, b'{"a":' * 9000 + b"1" + b"}" * 9000, b"1" * 6000, b"1e999999",
    b'{"amount":"1","amount":"2"}', b'{"amount":"\\ud800"}', b'{"metadata":{"label":"\\u0000"}}',
    b'{"amount":"\xed\xa0\x80"}', b'{"amount":"\0"}', b'\xef\xbb\xbf{"amount":"1"}', b"null",
    b'{"amount":1' + b"0" * 5000 + b"}", b'{"amount":"' + b"9" * 40_000 + b'"}', b"\x1f\x8b\x08",
    b'{"metadata":{"tags":[' + b",".join([b'"t"'] * 9000) + b"]}}", b"x" * 70_000, b"NaN",
    b'{"startTime":1e400}', b'{"startTime":-0.0}', b"{" + b'"k":1,' * 5000 + b'"k":1}',
    b"transaction=AAAA", b'{"transaction":"' + b"A" * 30_000 + b'"}', b'{"transaction":"\\u0661"}',
    b'{"jti":"\\ud800\\udc00","account":"a"}', b'{"scopes":["admin"],"name":"' + b"n" * 101 + b'"}',
]  # fmt: skip
bodies = st.one_of(json_bodies, st.sampled_from(ODD_BODIES), nasty)
TYPES = [
    b"application/json", b"application/json; charset=utf-16", b"application/json; charset=x\xff",
    b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"text/plain",
    b"application/JSON;;;", b"", b"/", b"\xff/\xff", b'a/b; x="', b"application/json; charset=idna",
]  # fmt: skip
types = st.one_of(st.just(TYPES[0]), st.just(TYPES[0]), st.sampled_from(TYPES))


def chunked(body: bytes) -> bytes:
    """Two chunks and the end."""
    parts = [part for part in (body[: len(body) // 2], body[len(body) // 2 :]) if part]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def framed(body: bytes) -> st.SearchStrategy[tuple[list[tuple[bytes, bytes]], bytes, bool]]:
    """Headers, body and whether they are complete: correct, cut, too long or contradictory."""
    length, chunks = (b"Content-Length", b"%d" % len(body)), (b"Transfer-Encoding", b"chunked")
    well = [([length], body, True), ([chunks], chunked(body), True)]
    ill = [
        ([(b"Content-Length", b"%d" % (len(body) + 7))], body, False),
        ([(b"Content-Length", b"9" * 30)], body, False),
        ([(b"Content-Length", b"-1")], body, False),
        ([length, chunks], chunked(body), False),
        ([chunks], chunked(body)[:-3], False),
        ([chunks], b"zz\r\n" + body, False),
        ([chunks], b"f" * 17 + b"\r\n" + body, False),
        ([chunks], b"-1\r\n" + body, False),
        ([(b"Transfer-Encoding", b"gzip, chunked")], chunked(body), False),
        ([length, (b"Content-Encoding", b"gzip")], body, False),
        ([length, (b"Content-Encoding", b"deflate")], body, False),
        ([length, (b"Content-Encoding", b"br")], body, False),
        ([length, (b"Expect", b"100-continue")], body, False),
        ([], body, False),
    ]
    return st.one_of(*[st.sampled_from(well)] * 5, st.sampled_from(ill))


WHOLE = {b"GET", b"POST", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"PUT", b"TRACE"}
_LINE = b"POST /v1/events/subscribe HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
_REFRESH = f"POST /v1/auth/refresh HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {FULL}\r\n".encode()
FOUND = [  # requests that once caused a 500, a 503, or a traceback in the log
    Request(b"POST", _REFRESH + b"Connection: close\r\nContent-Length: 0\r\n\r\n"),
    Request(b"POST", _LINE + b"Expect: \xff\r\nContent-Length: 0\r\n\r\n"),
    Request(
        b"POST",
        _LINE + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n",
        b"none",
        whole=False,
    ),
]

UPSETTING = {b"Upgrade", b"Expect"}
METHODS = [*sorted(WHOLE), b"CONNECT", b"get", b"G\xffT", b"X" * 300]
ODD_LINES = [b"GET // HTTP/1.1", b"GET http://[/v1 HTTP/1.1", b"GET http://x:99999/v1 HTTP/1.1"]
ODD_LINES += [b"GET * HTTP/1.1", b"GET /livez HTTP/9.9", b"GET /livez", b"OPTIONS * HTTP/1.1", b""]
seldom = st.integers(0, 11).map(lambda n: n == 5)


@st.composite
def spoilt(draw: st.DrawFn, head: bytes) -> bytes:
    """A request head with another first line, or with any bytes inserted anywhere."""
    first, _, rest = head.partition(b"\r\n")
    if draw(st.booleans()):
        return draw(st.sampled_from(ODD_LINES)) + b"\r\n" + rest
    at = draw(st.integers(0, len(head) - 1 if draw(st.booleans()) else len(first)))
    return head[:at] + draw(nasty) + head[at:]


@st.composite
def requests(draw: st.DrawFn, calls: list[bytes]) -> Request:
    """One of these calls (method and path), correct or wrong in some way."""
    method, path = draw(st.sampled_from(calls)).split(b" ")
    if draw(seldom):
        method = draw(st.sampled_from(METHODS))
    target = draw(targets(path))
    some = [(b"Host", b"test"), (b"Connection", b"close"), *draw(good), *draw(headers)]
    own = [b"Idempotency-Key", b"If-Match"] if method in (b"POST", b"PATCH") else [b"Last-Event-ID"]
    some += [(name, draw(lines)) for name in own if draw(st.booleans())]
    body, whole = b"", True
    if method in (b"POST", b"PATCH", b"DELETE", b"PUT"):
        kind = (b"Content-Type", draw(types))
        more, body, whole = draw(bodies.flatmap(framed))
        some += [kind, *more]
    head = b"%b %b HTTP/1.1\r\n" % (method, target)
    head += b"".join(b"%b: %b\r\n" % pair for pair in some) + b"\r\n"
    clean = all(byte == 9 or 0x20 <= byte != 0x7F for _, value in some for byte in value)
    whole = whole and clean and method in WHOLE and not any(n in UPSETTING for n, _ in some)
    if draw(seldom):
        head, whole = draw(spoilt(head)), False
    return Request(method, head, body, whole)
