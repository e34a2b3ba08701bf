"""Idempotency-Key: a client can repeat a request, and the API carries it out once (IETF draft).

The commit that carries out a request also stores a reference to its response: the stream, and the
position of the event that contains the response. So either both happen, or neither.
The response to a refused request is not stored, so the client may use the same key again.

See docs/decisions/0017-stored-answers-in-the-commit.md,
docs/decisions/0067-stored-answers-are-references.md.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from aiohttp import web
from pydantic import BaseModel

from services.api.errors import IdempotencyKeyReusedError
from services.api.http.request_keys import CALLER
from shared.auth.principal import ANYONE
from shared.domain.position import Position, parse_position
from shared.journal.keys import Keys
from shared.journal.plan import StoredResponse
from shared.web.problems import Problem, Slug

HEADER = "Idempotency-Key"
SECONDS = 24 * 3600
"""Seconds for which a reference is stored."""

_KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?", re.ASCII)


class Reference(NamedTuple):
    """The event of a request that was carried out. It contains the response."""

    stream_id: str
    position: Position


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The key of a request.

    `digest` is a hash of caller, method, path and key. `body_digest` is a hash of the body.
    """

    digest: str
    body_digest: str

    def to_store(self, keys: Keys, stream_id: str) -> StoredResponse:
        """Where the commit stores the reference, and for how long."""
        prefix = f"{self.body_digest}\n{stream_id}\n".encode()
        return StoredResponse(keys.stored_response(self.digest), prefix, SECONDS)

    def reference(self, stored: bytes) -> Reference | dict[str, Any]:
        """The stored reference. Raises IdempotencyKeyReusedError if the request had another body.

        The previous version stored whole documents. These are returned unchanged until they expire.
        """
        rest = self.stored_text(stored)
        if rest.startswith("{"):
            document: dict[str, Any] = orjson.loads(rest)
            return document
        stream_id, _, position = rest.partition("\n")
        return Reference(stream_id, parse_position(position))

    def stored_text(self, stored: bytes) -> str:
        """What is stored after the hash of the body. Raises IdempotencyKeyReusedError."""
        body_digest, _, rest = stored.partition(b"\n")
        if body_digest.decode() != self.body_digest:
            raise IdempotencyKeyReusedError(
                f"This {HEADER} was used before with another body. Use a new key for a new request."
            )
        return rest.decode()


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
