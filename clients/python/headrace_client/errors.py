"""The errors of this package. Every one of them is a HeadraceError. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_ADVICE = {
    "malformed": "Correct the request.",
    "invalid-subscription": "Correct the parameters that `errors` names.",
    "invalid": "Correct the fields that `errors` names.",
    "unauthorized": "Log in, and give the client the new token.",
    "forbidden": "Use another account or scope.",
    "amount-limit": "Use a smaller amount, or another API key.",
    "transaction-refused": "Do what `detail` says, and prepare the transaction again.",
    "stream-quota": "Use another account.",
    "webhook-quota": "Delete a webhook that you do not need.",
    "not-found": "Check the id.",
    "chain-owned": "Prepare a transaction, or call the contract's function that `detail` names.",
    "refused": "Read the stream again.",
    "idempotency-key-reused": "Use a new key.",
    "change-lost": "Read the stream, and use a new key.",
    "stale-version": "Read the stream again, and use its version.",
    "too-large": "Send less.",
    "rate-limited": "Wait for `retry_after` seconds.",
    "internal": "Report the `request_id` to the operator of the server.",
    "unavailable": "Repeat the call after `retry_after` seconds.",
    "contended": "Repeat the call after `retry_after` seconds.",
    "overloaded": "Repeat the call after `retry_after` seconds.",
}
"""What to do about each type of problem, as in docs/api.md."""


class HeadraceError(Exception):
    """The base of all errors of this package."""


class ServerUnreachableError(HeadraceError):
    """The server did not answer: no connection, a lost one, or a time-out."""


class ProtocolError(HeadraceError):
    """The server answered, but not as a Headrace server does. Check the URL."""


class GapError(HeadraceError):
    """The events after `after`, up to and including `to`, are not available. Load the state again.

    If `at_source` is true, Headrace never read these events, because no source has them.
    `position` is where the events continue.
    """

    def __init__(self, after: str, to: str, position: str, *, at_source: bool = False) -> None:
        super().__init__(
            f"the events after {after} up to {to} are not available: load the state again"
        )
        self.after = after
        self.to = to
        self.position = position
        self.at_source = at_source


class ResetError(HeadraceError):
    """The state that was loaded may be wrong. Load it again.

    `position` is where the events continue. It can be below the last one.
    """

    def __init__(self, reason: str, position: str) -> None:
        super().__init__(f"{reason}: load the state again")
        self.reason = reason
        self.position = position


class ProblemError(HeadraceError):
    """The server refused a request (RFC 9457, problem+json).

    `slug` is the type of the problem, as in docs/api.md. `errors` names each wrong field
    (`pointer` or `parameter`) and says what is expected (`detail`). `advice` says what to do.
    `retry_after` is in seconds; None if the server named no time.
    """

    def __init__(
        self, status: int, document: Mapping[str, Any], retry_after: float | None = None
    ) -> None:
        self.status = status
        self.document = document
        self.retry_after = retry_after
        super().__init__(self._text())

    @property
    def slug(self) -> str:
        """The last part of `type`, such as `not-found`; "http" if the answer has none."""
        return str(self.document.get("type") or "http").rpartition("/")[2]

    @property
    def title(self) -> str:
        """The type of the problem in words."""
        return str(self.document.get("title") or "")

    @property
    def detail(self) -> str:
        """What is wrong with this request, as a sentence."""
        return str(self.document.get("detail") or "")

    @property
    def errors(self) -> Sequence[Mapping[str, str]]:
        """The wrong fields or parameters, each with what is expected."""
        return list(self.document.get("errors") or [])

    @property
    def request_id(self) -> str | None:
        """The id of the request in the logs of the server."""
        return self.document.get("requestId")

    @property
    def advice(self) -> str:
        """What to do, as a sentence; "" if this depends on the status alone."""
        return _ADVICE.get(self.slug, "")

    def _text(self) -> str:
        fields = [
            f"{each.get('pointer') or each.get('parameter')}: {each.get('detail')}"
            for each in self.errors
        ]
        detail = self.detail or self.title or "the server gave no reason"
        parts = [f"{self.status} {self.slug}: {detail}", *fields, self.advice]
        return " ".join(part if part.endswith((".", "!")) else part + "." for part in parts if part)


class InvalidRequestError(ProblemError):
    """400, 415, 422: the request has wrong fields or parameters."""


class UnauthorizedError(ProblemError):
    """401: there is no token, or it is expired, revoked or invalid."""


class ForbiddenError(ProblemError):
    """403: the token does not allow this, or a quota is used up."""


class NotFoundError(ProblemError):
    """404: there is no such thing, or the token does not allow to see it."""


class RefusedError(ProblemError):
    """409: the rules do not allow this now."""


class StaleVersionError(ProblemError):
    """412: the stream has another version than the one that was given."""


class RateLimitedError(ProblemError):
    """429: too many requests or connections."""


class ServerError(ProblemError):
    """5xx: the server cannot answer now."""


_BY_STATUS: Mapping[int, type[ProblemError]] = {
    400: InvalidRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: RefusedError,
    412: StaleVersionError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: RateLimitedError,
}


def problem(
    status: int, document: Mapping[str, Any], retry_after: float | None = None
) -> ProblemError:
    """The error for a refusal with this status and this JSON object."""
    kind = ServerError if status >= 500 else _BY_STATUS.get(status, ProblemError)
    return kind(status, document, retry_after)
