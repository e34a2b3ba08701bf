"""Ask RPC for its version, and refuse an RPC that is too old to be read.

See docs/decisions/0085-versions-are-told-and-old-rpc-is-refused.md.
"""

from __future__ import annotations

import asyncio

import structlog

from services.indexer.sources.base import SourceError
from services.indexer.sources.rpc.client import NO_SUCH_METHOD, RpcClient, RpcError
from services.indexer.sources.upstream import UpstreamVersions
from services.indexer.sources.versions import refusal_of_rpc, rpc_version

log = structlog.get_logger()

_WATCH_SECONDS = 60.0
"""Seconds between two calls of `watch_version`. An upgrade of RPC takes minutes."""


async def check_version(rpc: RpcClient, upstream: UpstreamVersions) -> None:
    """Ask RPC for its version and report it.

    Raises SourceError: `too_old` if RPC is too old, or another kind if RPC does not answer.
    `too_old` is temporary: after an upgrade of RPC, the next call succeeds.
    """
    has_version = True
    try:
        told = rpc_version(await rpc.call("getVersionInfo"))
    except RpcError as error:
        if error.code != NO_SUCH_METHOD:
            return  # the version stays unknown, but other calls may work
        has_version = False
        told = rpc_version(await rpc.call("getNetwork"))
    upstream.tell(told)
    refusal = refusal_of_rpc(told, rpc.shown_url, has_version=has_version)
    upstream.refuse(refusal)
    if refusal:
        raise SourceError("too_old", refusal)


async def watch_version(
    rpc: RpcClient, upstream: UpstreamVersions, seconds: float = _WATCH_SECONDS
) -> None:
    """Ask RPC for its version now and every `seconds` seconds, until cancelled.

    A source also asks when it begins to read. That is not enough: RPC may be only the fallback,
    which is rarely read. And a source can read for days without a new beginning.
    """
    while True:
        try:
            await check_version(rpc, upstream)
        except SourceError as error:
            log.debug("rpc_version_not_read", error=str(error))
        await asyncio.sleep(seconds)
