"""`python -m services.api end-logins` begins a new epoch: all tokens from before it are refused.

See docs/decisions/0053-epoch-is-lost-with-the-data.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from services.api.settings import ApiSettings
from shared.domain.instant import utc_text
from shared.journal.namespace import begin_new_epoch
from shared.redis.client import RedisError, connect
from shared.runtime import logs
from shared.runtime.command_line import invoked_as
from shared.runtime.config import load


def main(argv: Sequence[str]) -> int:
    """Begin a new epoch; returns the exit code (2: Redis does not answer, nothing was changed)."""
    argparse.ArgumentParser(
        prog=f"{invoked_as('services.api')} end-logins",
        description="End all logins: every token that was issued until now is refused.",
    ).parse_args(argv)
    settings = load(ApiSettings)
    logs.configure("api", "error")
    return asyncio.run(_end_logins(settings))


async def _end_logins(settings: ApiSettings) -> int:
    redis = connect(settings.redis_url, slot_key=settings.keys.slot_key)
    try:
        epoch = await begin_new_epoch(redis, settings.keys)
    except (RedisError, OSError) as error:
        print(f"Redis does not answer: {error}", file=sys.stderr)
        return 2
    finally:
        await redis.aclose()
    print(f"Tokens that were issued before {utc_text(epoch / 1e6)} are refused.")
    return 0
