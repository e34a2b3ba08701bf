"""The errors of the two servers: Horizon's problems and RPC's errors."""

from __future__ import annotations

from collections.abc import Mapping

PARSE_ERROR, INVALID_REQUEST, NO_SUCH_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
INTERNAL_ERROR, TIMED_OUT = -32603, -32001


class RpcProblem(Exception):
    """A JSON-RPC answer with the member `error`. It is sent after `seconds`."""

    def __init__(
        self, code: int, message: str, *, data: object = None, seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.data = data
        self.seconds = seconds

    def body(self) -> dict[str, object]:
        """The `error` member."""
        error: dict[str, object] = {"code": self.code, "message": str(self)}
        return error | ({"data": self.data} if self.data else {})


def processing_limit(seconds: float = 0.0) -> RpcProblem:
    """The error of stellar-rpc if a request takes too long."""
    return RpcProblem(TIMED_OUT, "request exceeded processing limit threshold", seconds=seconds)


class ProblemError(Exception):
    """An answer with the type `application/problem+json`."""

    def __init__(
        self, status: int, extras: Mapping[str, str] | None = None, slug: str = ""
    ) -> None:
        super().__init__(slug or _SLUGS[status])
        self.status = status
        self.slug = slug or _SLUGS[status]
        self.extras = extras

    def body(self) -> dict[str, object]:
        """The JSON of the problem."""
        title, detail = _TEXTS[self.slug]
        problem: dict[str, object] = {
            "type": f"https://stellar.org/horizon-errors/{self.slug}",
            "title": title,
            "status": self.status,
        }
        problem |= {"detail": detail} if detail else {}
        return problem | ({"extras": dict(self.extras)} if self.extras else {})

    def line(self) -> str:
        """The problem as text, for an `error` event in a stream."""
        return f"problem: {self.slug}. full details: {_TEXTS[self.slug][1]}"


_SLUGS = {
    400: "bad_request",
    404: "not_found",
    406: "not_acceptable",
    410: "before_history",
    429: "rate_limit_exceeded",
    503: "stale_history",
    504: "timeout",
}
_TEXTS = {
    "bad_request": ("Bad Request", "The request you sent was invalid in some way."),
    "not_found": (
        "Resource Missing",
        "The resource at the url requested was not found.  This usually occurs for one of two "
        "reasons:  The url requested is not valid, or no data in our database could be found with "
        "the parameters provided.",
    ),
    "not_acceptable": (
        "An acceptable response content-type could not be provided for this request",
        "",
    ),
    "before_history": (
        "Data Requested Is Before Recorded History",
        "This horizon instance is configured to only track a portion of the stellar network's "
        "latest history. This request is asking for results prior to the recorded history known "
        "to this horizon instance.",
    ),
    "rate_limit_exceeded": (
        "Rate Limit Exceeded",
        "The rate limit for the requesting IP address is over its alloted limit.  The allowed "
        "limit and requests left per time period are communicated to clients via the http "
        "response headers 'X-RateLimit-*' headers.",
    ),
    "stale_history": (
        "Historical DB Is Too Stale",
        "This horizon instance is configured to reject client requests when it can determine that "
        "the history database is lagging too far behind the connected instance of Stellar-Core or "
        "read replica. It's also possible that Stellar-Core is out of sync. Please try again "
        "later.",
    ),
    "timeout": (
        "Timeout",
        "Your request timed out before completing.  Please try your request again. If you are "
        "submitting a transaction make sure you are sending exactly the same transaction (with "
        "the same sequence number).",
    ),
}
