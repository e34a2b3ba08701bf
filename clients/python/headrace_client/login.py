"""The token that requests carry, and its renewal."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

RenewToken = Callable[[], Awaitable[str]]
"""Returns a new token, for example from your own login server."""

_NOTICE = 60.0
"""A token is renewed so many seconds before its end, when the server sends `token_expiring`."""

API_KEY_PREFIX = "hr_"
"""API keys begin like this. Only the API accepts them, so a subscription needs a ticket."""


@dataclass(frozen=True, slots=True)
class _Held:
    text: str
    renew_at: float | None  # Unix seconds; None if it is not known or there is no other token


class Login:
    """Holds the token. A function renews it: before its end, and after the server refused it."""

    def __init__(
        self, token: str | RenewToken | None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._renew = token if callable(token) else None
        self._held = _Held(token, None) if isinstance(token, str) else None
        self._clock = clock
        self._lock = asyncio.Lock()

    @property
    def given(self) -> bool:
        """True if there is a token, or a function that brings one."""
        return self.renewable or self._held is not None

    @property
    def renewable(self) -> bool:
        """True if a function brings new tokens."""
        return self._renew is not None

    async def token(self) -> str | None:
        """The token for a request; None without a login. Raises what the function raises."""
        held = self._held
        if held is None or self._is_due(held):
            return await self._replace(held)
        return held.text

    async def renew(self, old: str | None) -> str | None:
        """A token other than `old`, which the server refused or is about to refuse.

        If another task has renewed it meanwhile, that token. Without a function, the same token.
        """
        held = self._held
        return held.text if held and held.text != old else await self._replace(held)

    def _is_due(self, held: _Held) -> bool:
        return held.renew_at is not None and self._clock() >= held.renew_at

    async def _replace(self, old: _Held | None) -> str | None:
        """Get a new token, once for all tasks that ask at the same time."""
        if self._renew is None:
            return old.text if old else None
        async with self._lock:
            if self._held is old:
                text = await self._renew()
                self._held = _Held(text, _renewal_time(text, self._clock()))
            return self._held.text if self._held else None


def _renewal_time(token: str, now: float) -> float | None:
    """When to renew: shortly before the claim `exp`. A short-lived token: at half of its life."""
    end = expiry(token)
    return None if end is None else end - min(_NOTICE, max(0.0, end - now) / 2)


def expiry(token: str) -> float | None:
    """The claim `exp` of a JWT in Unix seconds; None if the text is no JWT. Nothing is verified."""
    try:
        return float(_claims(token)["exp"])
    except (ValueError, KeyError, TypeError):
        return None


def account(token: str) -> str | None:
    """The claim `sub` of a JWT, the account; None if the text is no JWT. Nothing is verified."""
    try:
        found = _claims(token)["sub"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _claims(token: str) -> Any:
    """The JSON in the middle of a JWT. Raises ValueError."""
    _, claims, _ = token.split(".")
    return orjson.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
