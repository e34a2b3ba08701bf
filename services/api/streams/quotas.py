"""What one account may write: the number of its streams, and the bytes of its changes in a day.

Accounts cost nothing, so the bytes are also counted for the client's address. In AUTH_MODE=required
admins have no limit. In AUTH_MODE=open, the limits of streams and of an address apply only if they
are set.

See docs/decisions/0068-accounts-have-quotas.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from services.api.auth.guard import RATE_LIMITS, limited_address, limited_subject
from services.api.errors import ApiError
from services.api.http.idempotency import HEADER
from services.api.http.rate_limits import RateLimitPolicy, raise_if_exceeded
from services.api.http.request_keys import caller
from services.api.settings import SETTINGS
from services.api.streams.schemas import Metadata
from shared.auth.principal import Scope
from shared.domain.commands import CommandRefusedError
from shared.journal.commit_errors import CommitError
from shared.journal.indexes import made_by
from shared.journal.plan import IndexLimit

CHANGE_BYTES = 6_000
"""The most bytes of Redis' memory that a change needs, without the metadata of its request."""

METADATA_COPIES = 4
"""The event has metadata twice, and the document once. Redis needs a quarter more than that."""

KEY_BYTES = 500
"""The most bytes of Redis' memory that a remembered Idempotency-Key needs."""

_DAY = 86_400


def stream_limit(request: web.Request, sender: str) -> IndexLimit | None:
    """How many API streams the sender may make; None without a limit."""
    most = request.app[SETTINGS].write_limit("streams_per_account")
    return IndexLimit(made_by(sender), most) if most and not _is_exempt(request) else None


def cost_of(request: web.Request, metadata: Metadata | None = None) -> int:
    """About the bytes of Redis' memory that this change needs."""
    copies = METADATA_COPIES * metadata.size() if metadata else 0
    return CHANGE_BYTES + copies + (KEY_BYTES if HEADER in request.headers else 0)


@asynccontextmanager
async def charged(request: web.Request, metadata: Metadata | None = None) -> AsyncIterator[None]:
    """Count a change of a stream against BYTES_PER_ACCOUNT and BYTES_PER_IP, before it is made.

    A refused change is not counted. Raises Problem 429 if a quota is used up.
    """
    limits, cost = request.app[RATE_LIMITS], cost_of(request, metadata)
    quotas = [] if _is_exempt(request) else _quotas(request)
    raise_if_exceeded(await limits.take(quotas, cost))
    try:
        yield
    except (CommandRefusedError, CommitError, ApiError):
        await limits.take(quotas, -cost)
        raise


def _is_open(request: web.Request) -> bool:
    return request.app[SETTINGS].auth_mode == "open"


def _is_exempt(request: web.Request) -> bool:
    return not _is_open(request) and Scope.ADMIN in caller(request).scopes


def _quotas(request: web.Request) -> list[tuple[RateLimitPolicy, str]]:
    """The quotas of bytes, each with the client that it limits."""
    settings = request.app[SETTINGS]
    quotas = []
    if not _is_open(request):
        of_account = RateLimitPolicy("bytes", settings.bytes_per_account, _DAY)
        quotas.append((of_account, limited_subject(caller(request))))
    if most := settings.write_limit("bytes_per_ip"):
        of_address = RateLimitPolicy("bytes-ip", most, _DAY)
        quotas.append((of_address, limited_address(request, settings)))
    return quotas
