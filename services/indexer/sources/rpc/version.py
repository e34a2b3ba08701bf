"""Ask RPC for its version, and refuse an RPC that is too old to be read.

See docs/decisions/0085-versions-are-told-and-old-rpc-is-refused.md.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from services.indexer.sources.upstream import UpstreamVersions
from services.indexer.sources.versions import is_new_enough, refusal_of_rpc, rpc_version
from shared.chain.errors import SourceError
from shared.chain.rpc import NO_SUCH_METHOD, RpcClient, RpcError

log = structlog.get_logger()

_WATCH_SECONDS = 60.0
"""Seconds between two calls of `watch_version`. An upgrade of RPC takes minutes."""


async def check_version(rpc: RpcClient, upstream: UpstreamVersions) -> None:
    """Ask RPC for its version and report it. Raises SourceError `too_old` if RPC is too old.

    If RPC gives no answer, its age is not known: a gateway may refuse only this method. So an
    earlier refusal stays, and an RPC that was not refused can be read. The next calls show whether
    it works. `too_old` is temporary: after an upgrade of RPC, the next call succeeds.
    """
    try:
        await _ask(rpc, upstream)
    except SourceError as error:
        log.debug("rpc_version_not_read", error=str(error))
    if upstream.refusal:
        raise SourceError("too_old", upstream.refusal)


async def _ask(rpc: RpcClient, upstream: UpstreamVersions) -> None:
    """Report the version, and refuse RPC or accept it. Raises SourceError if it is not known."""
    has_version = True
    try:
        reported = rpc_version(await rpc.call("getVersionInfo"))
    except SourceError as error:
        has_version = not (isinstance(error, RpcError) and error.code == NO_SUCH_METHOD)
        if has_version and not upstream.refusal:
            raise
        reported = rpc_version(await rpc.call("getNetwork"))
        if has_version and not is_new_enough(reported):
            raise
    upstream.report(reported)
    upstream.refuse(refusal_of_rpc(reported, rpc.shown_url, has_version=has_version))


async def watch_version(
    rpc: RpcClient, upstream: UpstreamVersions, seconds: float = _WATCH_SECONDS
) -> None:
    """Ask RPC for its version now and every `seconds` seconds, until cancelled.

    A source also asks when it begins to read. That is not enough: RPC may be only the fallback,
    which is rarely read. And a source can read for days without a new beginning.
    """
    while True:
        with suppress(SourceError):  # UpstreamVersions has the refusal
            await check_version(rpc, upstream)
        await asyncio.sleep(seconds)
