"""The table that turns errors of the use cases and of the journal into problem responses.

Only this table has the statuses, slugs and headers of these errors. `shared.web.problems` handles
all other errors.

See docs/decisions/0064-errors-are-translated-at-the-edge.md.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from services.api import errors
from services.api.http.requests import etag, invalid
from shared.archive.errors import ArchiveError
from shared.archive.waiting import NotArchivedError
from shared.auth.credentials import forbidden, unauthorized
from shared.domain.commands import CommandRefusedError
from shared.journal.commit_errors import ContentionError, JournalBehindError
from shared.web.problems import Problem, Slug, unavailable
from shared.webhooks.redeliveries import TooManyRedeliveriesError
from shared.webhooks.secrets import SecretUnreadableError

_SIMPLE: dict[type[Exception], tuple[int, Slug]] = {
    errors.StreamNotFoundError: (404, Slug.NOT_FOUND),
    errors.TransactionNotFoundError: (404, Slug.NOT_FOUND),
    errors.WebhookNotFoundError: (404, Slug.NOT_FOUND),
    errors.RedeliveryNotFoundError: (404, Slug.NOT_FOUND),
    errors.WebhookDeletedError: (404, Slug.NOT_FOUND),
    errors.FeatureDisabledError: (404, Slug.NOT_FOUND),
    errors.ClientDomainRejectedError: (400, Slug.MALFORMED),
    errors.IdempotencyKeyReusedError: (409, Slug.IDEMPOTENCY_KEY_REUSED),
    errors.ChangeLostError: (409, Slug.CHANGE_LOST),
    CommandRefusedError: (409, Slug.REFUSED),
}
"""Errors whose problem consists of a status, a slug and the error's own message."""


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """If a handler raises an error of the table, raise its Problem instead."""
    try:
        return await handler(request)
    except Exception as error:
        if problem := problem_of(error):
            raise problem from error
        raise


def problem_of(error: Exception) -> Problem | None:
    """The problem of an error; None if the table does not contain the error."""
    message = str(error)
    if type(error) in _SIMPLE:
        return Problem(*_SIMPLE[type(error)], message)
    match error:
        case Problem():
            return error
        case errors.ChainOwnedError():
            return Problem(409, Slug.CHAIN_OWNED, message, call=error.call)
        case errors.StaleVersionError():
            headers, version = {"ETag": etag(error.version)}, error.version
            return Problem(412, Slug.STALE_VERSION, message, headers=headers, version=version)
        case errors.StreamQuotaError():
            return Problem(403, Slug.STREAM_QUOTA, message, limit=error.most)
        case errors.PermissionDeniedError():
            return forbidden(message, error.errors)
        case errors.ChallengeRejectedError() | errors.LoginRejectedError():
            return unauthorized(message)
        case errors.WritesSuspendedError():
            return unavailable(message, retry_after=10)
        case errors.HorizonUnavailableError() | JournalBehindError():
            return unavailable(message)
        case NotArchivedError():
            return unavailable(f"{message}. Retry with the same Idempotency-Key.")
        case ArchiveError():
            return unavailable("The archive cannot be read at the moment.")
        case ContentionError():
            return Problem(503, Slug.CONTENDED, message, headers={"Retry-After": "1"})
    return _webhook_problem(error, message) or _transaction_problem(error, message)


def _webhook_problem(error: Exception, message: str) -> Problem | None:
    match error:
        case errors.InvalidFieldError():
            return invalid([{"pointer": error.pointer, "detail": message}])
        case errors.WebhookQuotaError():
            return Problem(403, Slug.WEBHOOK_QUOTA, message, limit=error.most)
        case TooManyRedeliveriesError():
            return Problem(429, Slug.RATE_LIMITED, message, headers={"Retry-After": "60"})
        case SecretUnreadableError():
            return unavailable("The secret of this webhook cannot be read at the moment.", 60)
    return None


def _transaction_problem(error: Exception, message: str) -> Problem | None:
    match error:
        case errors.TransactionRefusedError():
            refused, code = Slug.TRANSACTION_REFUSED, error.code
            return Problem(422, refused, message, errors=error.errors, code=code)
        case errors.EnvelopeRejectedError():
            return invalid([{"pointer": "/xdr", "detail": message}])
        case errors.AmountLimitError():
            most = None if error.most is None else str(error.most)
            return Problem(403, Slug.AMOUNT_LIMIT, message, token=error.token, limit=most)
        case errors.RpcUnavailableError():
            return unavailable(message, error.retry_after)
    return None
