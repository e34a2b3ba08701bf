"""Rate limits, across all replicas: one Lua call a request, told in RateLimit headers.

The algorithm is GCRA (limits.lua): a quota can be used at once and comes back evenly, so nobody
gains by waiting for a window to turn. Headers: draft-ietf-httpapi-ratelimit-headers-10;
`Retry-After`: RFC 9110 10.2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.scripts import load_script
from shared.web.problems import Problem, Slug

_SCRIPT = load_script(__package__, "rate_limits")


@dataclass(frozen=True, slots=True)
class RateLimitPolicy:
    """`quota` requests in `window` seconds; 0 = any number."""

    name: str
    quota: int
    window: int = 60


@dataclass(frozen=True, slots=True)
class RateLimitState:
    """How somebody stands: requests left, seconds until all are back, seconds to wait now."""

    policy: RateLimitPolicy
    remaining: int
    reset: float
    wait: float


class RateLimits:
    """The quotas of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._keys = keys
        self._script = redis.register_script(_SCRIPT)

    async def take(self, quotas: Sequence[tuple[RateLimitPolicy, str]]) -> list[RateLimitState]:
        """Take one request from each policy's quota of somebody, or none when any is used up."""
        quotas = [(policy, who) for policy, who in quotas if policy.quota]
        if not quotas:
            return []
        names = [self._keys.rate(policy.name, who) for policy, who in quotas]
        args = [value for policy, _ in quotas for value in (policy.window, policy.quota, 1)]
        rows = await self._script(keys=names, args=args)
        return [
            RateLimitState(policy, remaining, reset / 1e6, wait / 1e6)
            for (policy, _), (remaining, reset, wait) in zip(quotas, rows, strict=True)
        ]


def rate_limit_headers(verdicts: Sequence[RateLimitState]) -> dict[str, str]:
    """The RateLimit fields of an answer; none where nothing is limited."""
    if not verdicts:
        return {}
    policies = (f'"{v.policy.name}";q={v.policy.quota};w={v.policy.window}' for v in verdicts)
    states = (f'"{v.policy.name}";r={v.remaining};t={_whole(v.reset)}' for v in verdicts)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}


def raise_if_exceeded(verdicts: Sequence[RateLimitState]) -> None:
    """Raise Problem 429 when any quota is used up; it says when to come back."""
    over = [v for v in verdicts if v.wait > 0]
    if over:
        names = ", ".join(v.policy.name for v in over)
        wait = max(_whole(v.wait) for v in over)
        word = f"too many requests ({names}): come back in {wait} s"
        raise Problem(429, Slug.RATE_LIMITED, word, headers={"Retry-After": str(wait)})


def _whole(seconds: float) -> int:
    return -(-int(seconds * 1e6) // 1_000_000)
