"""Two kinds of errors for clients: a Problem answers a request, a Goodbye ends an SSE connection.

Slugs and reasons of goodbyes never change, because clients, logs and metrics depend on them.

See docs/decisions/0064-errors-are-translated-at-the-edge.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from shared.redis.client import REDIS_UNAVAILABLE, WriteRefusedError
from shared.redis.replication import NotReplicatedError
from shared.runtime.tasks import describe

log = structlog.get_logger()

REQUEST_ID = web.RequestKey("request_id", str)
"""Set by services that answer with X-Request-ID. Their problems show the id as `requestId`."""


class Slug(StrEnum):
    """The kind of a problem: the last part of its `type` (RFC 9457)."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    INVALID_SUBSCRIPTION = "invalid-subscription"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    TOO_LARGE = "too-large"
    CHAIN_OWNED = "chain-owned"
    REFUSED = "refused"
    STALE_VERSION = "stale-version"
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused"
    CHANGE_LOST = "change-lost"
    TRANSACTION_REFUSED = "transaction-refused"
    AMOUNT_LIMIT = "amount-limit"
    STREAM_QUOTA = "stream-quota"
    WEBHOOK_QUOTA = "webhook-quota"
    CONTENDED = "contended"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate-limited"
    INTERNAL = "internal"
    HTTP = "http"


class Goodbye(StrEnum):
    """Why the server ends an SSE connection."""

    SLOW = "slow"
    TOKEN_EXPIRED = "token_expired"
    REVOKED = "revoked"
    DRAINING = "draining"
    MAX_AGE = "max_age"
    ENDED_BY_ADMIN = "ended_by_admin"
    RESUME_LIMIT = "resume_limit"


class Problem(Exception):
    """An error response (RFC 9457): status, slug, `detail` (a sentence), and the invalid fields.

    `extra` are further members of the JSON object.
    """

    def __init__(
        self,
        status: int,
        slug: Slug,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extra = extra

    def document(self) -> dict[str, object]:
        """The JSON object of the response."""
        title = self.slug.replace("-", " ").capitalize()
        document: dict[str, object] = {
            "type": f"/problems/{self.slug}",
            "title": title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }
        return document | ({"errors": self.errors} if self.errors else {})

    def response(self, request: web.Request) -> web.Response:
        """The response to a request."""
        named = {"requestId": request[REQUEST_ID]} if REQUEST_ID in request else {}
        return web.Response(
            body=orjson.dumps(self.document() | named),
            status=self.status,
            headers=self.headers,
            content_type="application/problem+json",
        )


def unavailable(detail: str, retry_after: int = 2) -> Problem:
    """Problem 503: this request needs something that is away. Retry after `retry_after` seconds."""
    headers = {"Retry-After": str(retry_after)}
    return Problem(503, Slug.UNAVAILABLE, detail, headers=headers)


_BY_STATUS = {
    400: Slug.MALFORMED,
    404: Slug.NOT_FOUND,
    405: Slug.METHOD_NOT_ALLOWED,
    413: Slug.TOO_LARGE,
    415: Slug.UNSUPPORTED_MEDIA_TYPE,
}


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a problem. An unexpected error is logged, but not shown to clients."""
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise
    except Exception as error:
        return _problem_of(error, request).response(request)


def _problem_of(error: Exception, request: web.Request) -> Problem:
    """The problem for an error."""
    match error:
        case Problem():
            return error
        case web.HTTPException():
            return _from_http(error)
        case WriteRefusedError():
            log.error("redis_unwilling", path=request.path, error=str(error))
            return unavailable(f"{error}. Nothing was written.", retry_after=10)
        case NotReplicatedError():
            log.warning("replicas_late", path=request.path, error=str(error))
            return unavailable(f"{error}. Retry with the same Idempotency-Key.")
        case _ if isinstance(error, REDIS_UNAVAILABLE):
            log.warning("redis_unreachable", path=request.path, error=describe(error))
            return unavailable(
                "Redis does not answer. If this was a write, it is unknown whether it happened."
            )
    log.exception("request_failed", method=request.method, path=request.path)
    hint = "Quote the request id." if REQUEST_ID in request else "It has been logged."
    return Problem(500, Slug.INTERNAL, f"Internal server error. {hint}")


def _from_http(error: web.HTTPException) -> Problem:
    headers: dict[str, Any] = {k: error.headers[k] for k in ("Allow",) if k in error.headers}
    slug = _BY_STATUS.get(error.status, Slug.HTTP)
    return Problem(error.status, slug, error.text or error.reason, headers=headers)
