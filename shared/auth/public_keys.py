"""The public keys that check tokens: our own, and those of a JWKS (RFC 7517), which may be rotated.

See docs/decisions/0075-fanouts-have-no-secret-that-signs.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import aiohttp
import jwt
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.runtime.urls import redacted
from shared.web.probes import Readiness
from shared.web.problems import unavailable
from shared.web.readiness_watch import watch_part

log = structlog.get_logger()

_JWKS_SECONDS = 300.0
"""Seconds after which the JWKS is read again."""
_RETRY_SECONDS_EMPTY, _RETRY_SECONDS = 1.0, 10.0
"""Seconds between two reads of the JWKS because of unknown key ids.

The first value is for a process that knows no key yet. An unknown key id can mean that the keys
were rotated, so the JWKS is read again. But anybody can send unknown key ids, so reads are limited.
"""
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_MIN_RSA_BITS = 2048
"""RFC 7518 3.3."""

_INVALID_KEY = (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm)
"""Errors of PyJWT's parser besides its own, for a document that is not a JWK."""


class PublicKey(NamedTuple):
    """A key that checks tokens, its algorithm, and its JWK."""

    key: Any
    algorithm: str
    document: Mapping[str, Any]


class RefusedKeyError(Exception):
    """A key of a JWKS that must not check tokens. The message says why."""


def parse_key(document: Mapping[str, Any]) -> PublicKey:
    """The public key in a JWK. Raises RefusedKeyError."""
    if not isinstance(document.get("kid"), str | None):
        raise RefusedKeyError("its `kid` is not a string")
    try:
        parsed = jwt.PyJWK.from_dict(dict(document))
    except (jwt.PyJWTError, *_INVALID_KEY) as error:
        raise RefusedKeyError(f"it cannot be read ({type(error).__name__})") from None
    if document.get("kty") == "oct" or "d" in document:
        raise RefusedKeyError("it is secret, and a JWKS may have only public keys")
    if document.get("use", "sig") != "sig":
        raise RefusedKeyError("its `use` is not sig")
    operations = document.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise RefusedKeyError("its `key_ops` lack verify")
    if isinstance(parsed.key, RSAPublicKey) and parsed.key.key_size < _MIN_RSA_BITS:
        raise RefusedKeyError(f"RSA needs at least {_MIN_RSA_BITS} bits")
    return PublicKey(parsed.key, parsed.algorithm_name, document)


class PublicKeys:
    """The keys by key id: `own` are those of this process, the others are read from `url`."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession | None,
        own: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self._url = url
        self._session = session
        self._own: dict[object, PublicKey] = {each["kid"]: parse_key(each) for each in own}
        self._read: dict[object, PublicKey] = {}
        self._read_at = self._tried_at = -_JWKS_SECONDS
        self._error = "it was not tried yet"
        self._logged: set[tuple[str, str]] = set()
        self._reading = asyncio.Lock()

    def is_own(self, key_id: object) -> bool:
        """True if this process has the private key."""
        return key_id in self._own

    async def find(self, key_id: object) -> PublicKey | None:
        """The key with this id; None if the issuer does not list it.

        With an unknown id, wait for a read of the JWKS. With a known one, read the JWKS if it is
        stale; but if another call already reads it, use the known key at once. Raises Problem 503
        if the key is unknown and the JWKS cannot be read.
        """
        if key := self._own.get(key_id):
            return key
        if key_id not in self._read or (self._stale() and not self._reading.locked()):
            await self._read_if_due(key_id)
        if (found := self._read.get(key_id)) is None and self.incomplete:
            raise unavailable("The public keys for tokens (JWKS) cannot be read at the moment.")
        return found

    async def check(self) -> str | None:
        """Read the JWKS if it is stale. Returns why no token can be checked, None if one can."""
        if self._url and self._stale():
            await self._read_if_due(None)
        if self._own or self._read:
            return None
        return f"no public keys for tokens yet: {redacted(self._url)} cannot be read: {self._error}"

    def note(self) -> str | None:
        """A sentence for the operator while the keys cannot be read again; else None."""
        if not self.incomplete:
            return None
        return (
            f"{redacted(self._url)} cannot be read ({self._error}); "
            "the public keys that are known stay in use"
        )

    def documents(self) -> Sequence[Mapping[str, Any]]:
        """The JWK of each key. If two keys have the same id, our own counts."""
        return [key.document for key in (self._read | self._own).values()]

    @property
    def incomplete(self) -> bool:
        """True while keys of the JWKS may be missing: it was not read yet, or not the last time."""
        return bool(self._url and self._error)

    def _stale(self) -> bool:
        return bool(self._error) or time.monotonic() - self._read_at > _JWKS_SECONDS

    async def _read_if_due(self, key_id: object) -> None:
        """Read the JWKS if a read is due. If the read fails, the keys known so far stay in use."""
        async with self._reading:
            now = time.monotonic()
            pause = _RETRY_SECONDS if self._read else _RETRY_SECONDS_EMPTY
            known = key_id in self._read or key_id is None
            fresh = known and bool(self._read) and not self._stale()
            if not self._url or now - self._tried_at < pause or fresh:
                return
            self._tried_at = now
            try:
                self._accept(await self._fetch())
                self._read_at, self._error = now, ""
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                self._failed(error)

    def _accept(self, jwks: Mapping[str, Any]) -> None:
        """Use the keys of this JWKS. Raises ValueError if keys are missing."""
        usable = self._usable(jwks["keys"])
        if jwks.get("incomplete") is True:
            self._read |= usable  # a key that is missing may still be valid
            raise ValueError("it lacks keys that the API cannot read at the moment")
        self._read = usable

    async def _fetch(self) -> Mapping[str, Any]:
        assert self._session is not None
        async with self._session.get(self._url, timeout=_TIMEOUT) as response:
            response.raise_for_status()
            document = await response.json(content_type=None)
        if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
            raise ValueError("it is not a JWKS")
        return document

    def _usable(self, documents: Sequence[object]) -> dict[object, PublicKey]:
        """The keys that may check tokens. Raises ValueError if there is none."""
        usable: dict[object, PublicKey] = {}
        for document in documents:
            if not isinstance(document, dict):
                raise ValueError("it is not a JWKS")
            try:
                usable[document.get("kid")] = parse_key(document)
            except RefusedKeyError as error:
                self._log_refused(str(document.get("kid"))[:64], str(error))
        if not usable:
            raise ValueError("it lists no key that may check tokens")
        return usable

    def _log_refused(self, key_id: str, reason: str) -> None:
        """Log each refused key once, not at every read."""
        if (key_id, reason) not in self._logged and len(self._logged) < 1000:
            self._logged.add((key_id, reason))
            log.warning("jwks_key_refused", kid=key_id, reason=reason)

    def _failed(self, error: Exception) -> None:
        text = str(error) if type(error) is ValueError else type(error).__name__
        if text != self._error:
            log.warning("jwks_unreadable", error=text)
        self._error = text


async def watch_keys(readiness: Readiness, keys: PublicKeys) -> None:
    """Keep the keys and the part `keys` of /readyz up to date. Runs for ever."""
    readiness.note("keys", keys.note)
    await watch_part(readiness, "keys", keys.check, unready_interval=1.0)
