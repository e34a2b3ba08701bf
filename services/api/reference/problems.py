"""The types of problems: what each means and what to do. /problems/<slug> shows these texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.web.problems import Problem, Slug


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One type of problem.

    `statuses` are the HTTP statuses that a problem of this type can have. `detail`, `errors` and
    `extra` are fields of the example.
    """

    statuses: tuple[int, ...]
    meaning: str
    remedy: str
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    extra: Mapping[str, object] = field(default_factory=dict)

    def document(self, slug: Slug) -> dict[str, object]:
        """The type as a JSON object."""
        problem = Problem(self.statuses[0], slug, self.detail, errors=self.errors)
        example = problem.document() | dict(self.extra)
        return {
            "type": example["type"],
            "title": example["title"],
            "statuses": list(self.statuses),
            "meaning": self.meaning,
            "remedy": self.remedy,
            "example": example,
        }


PROBLEM_TYPES: dict[Slug, ProblemType] = {
    Slug.MALFORMED: ProblemType(
        (400, 408),
        "The server cannot parse the request. For example, the body is not JSON, it did not arrive "
        "in time (408), or a header such as If-Match or Idempotency-Key has the wrong form.",
        "Correct the request as `detail` says. The same request will fail again.",
        "The body is not JSON: unexpected end of data: line 1 column 2 (char 1).",
    ),
    Slug.INVALID: ProblemType(
        (422,),
        "The server can parse the request, but fields of the body or parameters of the query have "
        "values that are not allowed. `errors` names each of them.",
        "Correct the fields in `errors`: `pointer` names a field of the body (RFC 6901), "
        "`parameter` a parameter of the query. The same request will fail again.",
        "1 field is invalid.",
        [{"pointer": "/amount", "detail": "is required"}],
    ),
    Slug.INVALID_SUBSCRIPTION: ProblemType(
        (400,),
        "The parameters of a subscription are missing or not allowed. `errors` names each of them.",
        "Correct the parameters in `errors`. An EventSource that got this answer does not "
        "reconnect: open a new EventSource.",
        "1 field is invalid.",
        [{"parameter": "streams", "detail": "give at least one of streams, users, all=true"}],
    ),
    Slug.UNAUTHORIZED: ProblemType(
        (401,),
        "The request needs a token or an API key. The request has none, or the token or key is "
        "unknown, expired or revoked.",
        "Log in, and send the token as `Authorization: Bearer <token>`. To avoid "
        "a new login, get a new token with POST /v1/auth/refresh before the old one expires.",
        "Log in, and send the token as `Authorization: Bearer <token>`.",
    ),
    Slug.FORBIDDEN: ProblemType(
        (403,),
        "The token or API key is valid, but it does not permit this request. Only the parties of "
        "a stream may read or change it, and some calls need a scope. Who may not read a stream "
        "gets this answer also if the stream does not exist.",
        "Use the account of a party, or the scope that `detail` names. A new token of the same "
        "login does not help.",
        "There is no stream '7' that you may read.",
    ),
    Slug.NOT_FOUND: ProblemType(
        (404,),
        "There is nothing at this path: the stream, webhook, redelivery, API key or page does not "
        "exist, or this installation does not offer the feature. Who may not read a webhook gets "
        "this answer too.",
        "Check the path and the id. A stream that was just created on the chain appears when the "
        "indexer has read its ledger, usually within seconds.",
        "There is no stream '8'.",
    ),
    Slug.METHOD_NOT_ALLOWED: ProblemType(
        (405,),
        "The path exists, but not with this HTTP method.",
        "Use a method that the header `Allow` lists.",
        "Method Not Allowed",
    ),
    Slug.UNSUPPORTED_MEDIA_TYPE: ProblemType(
        (415,),
        "The body has a content type that this path does not accept.",
        "Send the body as JSON, with `Content-Type: application/json`.",
        "Send the body with Content-Type: application/json.",
    ),
    Slug.TOO_LARGE: ProblemType(
        (413, 431),
        "The body of the request (413) or its headers (431) are larger than the server accepts.",
        "Send a smaller body or smaller headers. /docs lists the limits of a stream's metadata.",
        "Maximum request body size 65536 exceeded, actual body size 70000",
    ),
    Slug.CHAIN_OWNED: ProblemType(
        (409,),
        "The stream is on the chain. Only its contract can move its money, so the API cannot "
        "withdraw, top up, pause, resume or cancel it.",
        "Prepare the transaction with POST /v1/transactions, sign it with the wallet of the sender "
        "or of the recipient, and submit it. Or call the contract and the function that the field "
        "`call` names in another way. The API then publishes the change as an event. PATCH can "
        "change the metadata.",
        "Stream 7 is on the chain, so only its contract can move its money. "
        "Call the function withdraw of contract C…, or prepare the call with "
        "POST /v1/transactions.",
        extra={"call": {"contractId": "C…", "function": "withdraw"}},
    ),
    Slug.REFUSED: ProblemType(
        (409,),
        "The rules of streams or webhooks do not allow this change now. For example, a cancelled "
        "stream cannot be paused. Nothing was changed.",
        "Do what `detail` says. Or read the stream (its `status` and amounts) or the webhook (its "
        "`state`), and retry only after it has changed.",
        "the stream is already paused",
    ),
    Slug.STALE_VERSION: ProblemType(
        (412,),
        "The stream or webhook has changed since the client read it: If-Match does not allow the "
        "current version. Nothing was changed.",
        "Read it again, and decide again. If you still want the change, repeat the request "
        "with the new ETag in If-Match.",
        "Stream 7 has changed. Its version is now 4.",
        extra={"version": 4},
    ),
    Slug.IDEMPOTENCY_KEY_REUSED: ProblemType(
        (409,),
        "The same Idempotency-Key was sent within the last 24 hours with another body. Nothing was "
        "changed.",
        "Use a new key for each new request, for example a UUID. Use the same key only to repeat "
        "the same request.",
        "This Idempotency-Key was used before with another body. Use a new key for a new request.",
    ),
    Slug.CHANGE_LOST: ProblemType(
        (409,),
        "A request with the same Idempotency-Key was carried out within the last 24 hours, but "
        "Redis has lost what it wrote. This request changed nothing.",
        "Read the stream. If you still want the change, repeat the request with a new key.",
        "A request with this Idempotency-Key was carried out, but Redis has lost its change of "
        "stream api-…. To make the change again, use a new key.",
    ),
    Slug.STREAM_QUOTA: ProblemType(
        (403,),
        "The sender has made as many streams with this API as one account may make. Streams that "
        "have ended count too. `limit` is the number.",
        "Use another account, or ask the operator to raise STREAMS_PER_ACCOUNT. Streams on the "
        "chain do not count.",
        "G… has made 1000 streams with this API, and may make no more (STREAMS_PER_ACCOUNT). "
        "Streams that have ended count too.",
        extra={"limit": 1000},
    ),
    Slug.WEBHOOK_QUOTA: ProblemType(
        (403,),
        "The account has as many webhooks as one account may have. The webhooks of all its logins "
        "(M… addresses, memos) count together. `limit` is the number.",
        "Delete a webhook that you do not need, or ask the operator to raise WEBHOOKS_PER_ACCOUNT.",
        "Your account has 20 webhooks, and may have no more (WEBHOOKS_PER_ACCOUNT). The webhooks "
        "of all its logins (M…, memos) count together. Delete one that you do not need.",
        extra={"limit": 20},
    ),
    Slug.TRANSACTION_REFUSED: ProblemType(
        (422,),
        "The contract, the token or the network refuses this transaction. `code` is the name of "
        "their error: a StreamError of the stream contract such as StreamPaused, an error of the "
        "asset such as BalanceError, or a code of the network such as txBAD_SEQ. The refused "
        "transaction is in no ledger.",
        "Do what `detail` says. If `errors` names a field, change it. Then prepare the transaction "
        "again.",
        "The balance of the token is too low for this amount.",
        [
            {
                "pointer": "/amount",
                "detail": "The balance of the token is too low for this amount.",
            }
        ],
        extra={"code": "BalanceError"},
    ),
    Slug.AMOUNT_LIMIT: ProblemType(
        (403,),
        "The API key has limits for amounts (`maxAmounts`). The transaction would take more of the "
        "token than `limit`, or a token that the key may not take (`limit` is null).",
        "Use a smaller amount, or ask an admin for a key with other limits.",
        "The settings of this API key (maxAmounts) allow at most 1000000 in one transaction: C….",
        extra={"token": "C…", "limit": "1000000"},
    ),
    Slug.CONTENDED: ProblemType(
        (503,),
        "The server tried this request many times. Each time, another request changed the same "
        "stream or webhook first. This request changed nothing.",
        "Retry after the seconds in `Retry-After`, with the same Idempotency-Key.",
        "other commits changed stream 7 at each of 50 attempts",
    ),
    Slug.UNAVAILABLE: ProblemType(
        (503,),
        "The service, or something that it needs, such as Redis, Horizon or the key of a secret, "
        "is not available now. "
        "The request may have been carried out, unless `detail` says that nothing was changed.",
        "Retry after the seconds in `Retry-After`. Repeat a change with the same Idempotency-Key, "
        "so that it is carried out once. Calls that do not take this header can be repeated too.",
        "Redis does not answer.",
    ),
    Slug.OVERLOADED: ProblemType(
        (429, 503),
        "This client (429) or this server (503) has too many connections. By default, a subscriber "
        "gets an event `overload` instead. With `on_overload=status` it gets this problem.",
        "Reconnect after the seconds in `Retry-After`. For 429, close connections that you do not "
        "need: all tabs of a browser can share one connection.",
        "Too many new connections; retry later.",
    ),
    Slug.RATE_LIMITED: ProblemType(
        (429,),
        "The client has sent more requests in a minute than it may, or its changes of a day need "
        "more memory than it may use (`bytes`), or too many redeliveries of a webhook have not "
        "ended. The headers `RateLimit` and `RateLimit-Policy` "
        "show the limits of requests.",
        "Retry after the seconds in `Retry-After`, and send requests more slowly. Follow the "
        "events instead of polling.",
        "Too many requests (limit: ip). Retry in 2 s.",
    ),
    Slug.INTERNAL: ProblemType(
        (500,),
        "The server has a defect. The error is in the server's log, with the request id.",
        "Tell the operator the `requestId`. The request may have been carried out, so repeat a "
        "change only with the same Idempotency-Key.",
        "Internal server error; quote the request id.",
        extra={"requestId": "0b0e3bd26f7e4f1d9a55c1a2f1f0f3a1"},
    ),
    Slug.HTTP: ProblemType(
        (417, 400),
        "An HTTP error that has no type of its own. `status` and `detail` say what is wrong.",
        "Look up the status in RFC 9110 and correct the request.",
        "Unknown Expect: 200-ok",
    ),
}
