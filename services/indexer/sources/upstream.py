"""Report the versions of Horizon and RPC: metrics, a log line, notes in /readyz, an alarm.

See docs/decisions/0085-versions-are-told-and-old-rpc-is-refused.md.
"""

from __future__ import annotations

import structlog

from services.indexer import metrics
from services.indexer.sources.versions import ServerVersion, note_of_protocol

log = structlog.get_logger()


class UpstreamVersions:
    """The last versions that Horizon and RPC reported. All sources of a process share one object.

    `refusal`: the reason why RPC is not read. None if it can be read.
    """

    def __init__(self) -> None:
        self.refusal: str | None = None
        self._reported: dict[str, ServerVersion] = {}

    def report(self, reported: ServerVersion) -> None:
        """Store what a server reports. If it has changed, log it and update the metrics."""
        before = self._reported.get(reported.server)
        if reported == before:
            return
        self._reported[reported.server] = reported
        metrics.record_version(reported.server, reported.version, reported.core, reported.protocol)
        log.info(
            "upstream_version",
            server=reported.server,
            version=reported.version,
            core=reported.core,
            protocol=reported.protocol,
            before=before and before.version,
        )

    def refuse(self, refusal: str | None) -> None:
        """Store the reason why RPC cannot be read, or None. Set or clear the alarm."""
        if refusal == self.refusal:
            return
        self.refusal = refusal
        metrics.ALARM.labels("rpc_too_old").set(refusal is not None)
        if refusal:
            log.error("rpc_too_old", error=refusal)
        else:
            log.info("rpc_is_new_enough")

    def protocol_note(self) -> str | None:
        """A note if a server reports a newer protocol than the decoder knows, else None."""
        return note_of_protocol(self._reported.values())
