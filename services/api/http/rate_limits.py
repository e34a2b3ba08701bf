"""Rate limits across all replicas. Each request makes one call of rate_limits.lua in Redis.

The algorithm is GCRA: a client may use its whole quota at once, and the quota refills evenly. With
fixed windows, a client could use two quotas at once, just before and after the end of a window. The
responses have the headers of draft-ietf-httpapi-ratelimit-headers-10, and `Retry-After` (RFC 9110
10.2.3).
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
    """`quota` requests in `window` seconds; a quota of 0 means no limit."""

    name: str
    quota: int
    window: int = 60


@dataclass(frozen=True, slots=True)
class RateLimitState:
    """A client's state in one quota, after a request.

    The client has `remaining` requests left. The quota is full again in `reset` seconds. The client
    must wait `wait` seconds before its next request (0 if this request was allowed).
    """

    policy: RateLimitPolicy
    remaining: int
    reset: float
    wait: float


class RateLimits:
    """The quotas of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._keys = keys
        self._script = redis.register_script(_SCRIPT)

    async def take(
        self, quotas: Sequence[tuple[RateLimitPolicy, str]], cost: int = 1
    ) -> list[RateLimitState]:
        """Count a request in all quotas, or in none of them if one is used up.

        A quota is a policy and the client that it limits. `cost` is how much the request
        counts. A negative cost gives back what an earlier request has counted.
        """
        quotas = [(policy, client) for policy, client in quotas if policy.quota]
        if not quotas:
            return []
        names = [self._keys.rate(policy.name, client) for policy, client in quotas]
        args = [value for policy, _ in quotas for value in (policy.window, policy.quota, cost)]
        rows = await self._script(keys=names, args=args)
        return [
            RateLimitState(policy, remaining, reset / 1e6, wait / 1e6)
            for (policy, _), (remaining, reset, wait) in zip(quotas, rows, strict=True)
        ]


def rate_limit_headers(states: Sequence[RateLimitState]) -> dict[str, str]:
    """The RateLimit headers of a response; empty if there are no limits."""
    if not states:
        return {}
    policies = (f'"{s.policy.name}";q={s.policy.quota};w={s.policy.window}' for s in states)
    left = (f'"{s.policy.name}";r={s.remaining};t={_seconds_up(s.reset)}' for s in states)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


def raise_if_exceeded(states: Sequence[RateLimitState]) -> None:
    """Raise Problem 429 with `Retry-After` if a quota is used up."""
    exceeded = [state for state in states if state.wait > 0]
    if exceeded:
        names = ", ".join(state.policy.name for state in exceeded)
        wait = max(_seconds_up(state.wait) for state in exceeded)
        message = f"Too many requests (limit: {names}). Retry in {wait} s."
        raise Problem(429, Slug.RATE_LIMITED, message, headers={"Retry-After": str(wait)})


def _seconds_up(seconds: float) -> int:
    """Whole seconds, rounded up."""
    return -(-int(seconds * 1e6) // 1_000_000)
