"""Idempotency-Key: a request that may be sent twice and is done once (the IETF's draft of it).

What was answered is written by the commit that earned it, so there is no moment in which one is
there without the other. A refusal writes nothing, and the same key may be sent again after it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import orjson
from aiohttp import web
from pydantic import BaseModel

from services.api.http.request_keys import CALLER
from shared.auth.principal import ANYONE
from shared.journal.keys import Keys
from shared.journal.plan import StoredResponse
from shared.web.problems import Problem, Slug

HEADER = "Idempotency-Key"
SECONDS = 24 * 3600

_KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A request's key, for this caller, method and path alone; `body` is the body's digest."""

    digest: str
    body: str

    def answer(self, keys: Keys) -> StoredResponse:
        """What the commit is to keep."""
        return StoredResponse(keys.answer(self.digest), self.body.encode(), SECONDS)

    def document(self, stored: bytes) -> dict[str, object]:
        """What was answered. Raises Problem 409 when it was to another body."""
        body, _, document = stored.partition(b"\n")
        if body.decode() != self.body:
            word = f"this {HEADER} came with another body before: take a new key for a new request"
            raise Problem(409, Slug.IDEMPOTENCY_KEY_REUSED, word)
        answered: dict[str, object] = orjson.loads(document)
        return answered


def idempotency_key_of(
    request: web.Request, body: BaseModel | None = None
) -> IdempotencyKey | None:
    """What the request's Idempotency-Key asks for. Raises Problem 400 on a malformed one."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        word = f"{HEADER} must be 1 to 255 printable characters of ASCII, such as a UUID"
        raise Problem(400, Slug.MALFORMED, word)
    who = request.get(CALLER, ANYONE)
    path = request.path.removeprefix("/v1")
    place = orjson.dumps([who.account or who.token_id, request.method, path, key])
    said = body.model_dump_json().encode() if body else b"{}"
    return IdempotencyKey(hashlib.sha256(place).hexdigest(), hashlib.sha256(said).hexdigest())
