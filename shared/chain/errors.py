"""Errors of the servers that we read the chain from: Horizon and Stellar RPC."""

from __future__ import annotations

from shared.domain.errors import HeadraceError


class SourceError(HeadraceError):
    """A temporary failure of the source; another try may succeed.

    `kind` is a label of the metric for source errors. `retry_after`: the wait in seconds that the
    server asks for. `is_too_large`: the answer took too long or was too large, so a smaller request
    may succeed.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        retry_after: float | None = None,
        *,
        is_too_large: bool = False,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.retry_after = retry_after
        self.is_too_large = is_too_large


class FatalSourceError(HeadraceError):
    """The indexer must stop: otherwise it would lose or invent events. An operator must look.

    `kind` is a label of the alarm metric.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
