"""Idempotency-Key: a client can repeat a request, and the API carries it out once (IETF draft).

The commit that carries out a request also stores its response. So either both happen, or neither.
The response to a refused request is not stored, so the client may use the same key again.

See docs/decisions/0017-stored-answers-in-the-commit.md.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import orjson
from aiohttp import web
from pydantic import BaseModel

from services.api.errors import IdempotencyKeyReusedError
from services.api.http.request_keys import CALLER
from shared.auth.principal import ANYONE
from shared.journal.keys import Keys
from shared.journal.plan import StoredResponse
from shared.web.problems import Problem, Slug

HEADER = "Idempotency-Key"
SECONDS = 24 * 3600
"""Seconds for which a response is stored."""

_KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The key of a request.

    `digest` is a hash of caller, method, path and key. `body_digest` is a hash of the body.
    """

    digest: str
    body_digest: str

    def to_store(self, keys: Keys) -> StoredResponse:
        """Where the commit stores the response, and for how long."""
        return StoredResponse(keys.stored_response(self.digest), self.body_digest.encode(), SECONDS)

    def document(self, stored: bytes) -> dict[str, object]:
        """The stored response. Raises IdempotencyKeyReusedError if the request had another body."""
        body_digest, _, raw = stored.partition(b"\n")
        if body_digest.decode() != self.body_digest:
            raise IdempotencyKeyReusedError(
                f"This {HEADER} was used before with another body. Use a new key for a new request."
            )
        document: dict[str, object] = orjson.loads(raw)
        return document


def idempotency_key_of(
    request: web.Request, body: BaseModel | None = None
) -> IdempotencyKey | None:
    """The Idempotency-Key of a request; None without one. Raises Problem 400 if malformed."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        message = f"{HEADER} must be 1 to 255 printable ASCII characters, such as a UUID."
        raise Problem(400, Slug.MALFORMED, message)
    caller = request.get(CALLER, ANYONE)
    path = request.path.removeprefix("/v1")
    scope = orjson.dumps([caller.account or caller.token_id, request.method, path, key])
    sent = body.model_dump_json().encode() if body else b"{}"
    return IdempotencyKey(hashlib.sha256(scope).hexdigest(), hashlib.sha256(sent).hexdigest())
