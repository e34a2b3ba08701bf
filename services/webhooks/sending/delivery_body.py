"""The body of a request, which is written only while the delivery may begin.

Time passes between the decision to deliver and the request: the connection must be made first, and
a connection that turned out to be closed is replaced. Meanwhile the process may have been stopped
(SIGSTOP, a frozen machine), and another dispatcher may have gone on with the endpoint.

See docs/decisions/0128-webhooks-are-in-partitions.md.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload

from shared.domain.errors import HeadraceError

MayBegin = Callable[[], bool]


class NotBegunError(HeadraceError):
    """The delivery must not begin any more, because its turn came too late."""

    def __init__(self, reason: str = "the delivery must not begin any more") -> None:
        super().__init__(reason)


class DeliveryBody(BytesPayload):
    """The bytes of one request. aiohttp writes the head of the request together with them.

    `withheld`: the delivery must not begin any more, so the body was not written. The receiver does
    not have a whole request then.
    """

    def __init__(self, body: bytes, may_begin: MayBegin) -> None:
        super().__init__(body)
        self.withheld = False
        self._may_begin = may_begin

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write the body. Called by aiohttp when the connection is there."""
        self.withheld = not self._may_begin()
        if self.withheld:
            raise NotBegunError
        await super().write_with_length(writer, content_length)
