"""Reading an endpoint's own history, until it is at the end of the journal again."""

from __future__ import annotations

from typing import NamedTuple

from services.webhooks.delivering.held import DeliveryTools
from services.webhooks.delivering.index import topics_of_endpoint
from services.webhooks.delivering.messages import Content, gap_content
from services.webhooks.delivering.window import WINDOW_EVENTS, DeliveryWindow
from shared.domain.position import Position, parse_position
from shared.journal.pages import next_page
from shared.journal.read_size import ReadSize
from shared.journal.reader import JournalGap, JournalPage, NoNewEvents, Page
from shared.webhooks.endpoint import Endpoint

_PAGE_BYTES = 1 << 18


class GapNotice(NamedTuple):
    """The receiver must be told of a gap up to `to`."""

    content: Content
    to: Position


class Catchup:
    """`behind`: the endpoint's next events are in its history.

    `gap`: what the receiver must be told before the next read. `unread_since`: since when the next
    events could not be read, in Unix seconds; None after a read that succeeded.
    """

    __slots__ = (
        *("_endpoint", "_reading", "_size", "_tools", "_topics"),
        *("behind", "gap", "unread_since"),
    )

    def __init__(self, endpoint: Endpoint, tools: DeliveryTools, *, behind: bool) -> None:
        self.behind = behind
        self.gap: GapNotice | None = None
        self.unread_since: float | None = None
        self._endpoint = endpoint
        self._tools = tools
        self._topics = topics_of_endpoint(endpoint)
        self._size = ReadSize()
        self._reading = False

    @property
    def is_needed(self) -> bool:
        """True if the endpoint is not at the end of the journal."""
        return self.behind or self.gap is not None

    def wants(self, window: DeliveryWindow) -> bool:
        """True if the next page can be read now."""
        has_room = window.room > (0 if window.lacks_batch else WINDOW_EVENTS // 2)
        return self.behind and has_room and self.gap is None and not self._reading

    async def read(self, window: DeliveryWindow) -> bool:
        """Read the next page into the window.

        False if the caller must try again later: a failover lost events that this process has read,
        or this process has not yet read all events of a batch that must come again. Raises the
        errors of Redis and of the archive.
        """
        self._reading = True
        if self.unread_since is None:
            self.unread_since = self._tools.clock()
        try:
            async with self._tools.reads:
                page = await self._next_page(window)
        finally:
            self._reading = False
        self.unread_since = None
        if isinstance(page, JournalGap):
            self.gap = GapNotice(gap_content(window.end, page.resumes_after), page.resumes_after)
            window.forget_missing()
            return True
        return self._add(page, window)

    def _add(self, page: JournalPage | NoNewEvents, window: DeliveryWindow) -> bool:
        end = window.end
        top = self._tools.top()  # what is above it is offered later: a loss of it would be noticed
        if isinstance(page, JournalPage):
            self._size.saw(len(entry.body) for entry in page.entries)
            for entry in page.entries:
                if parse_position(entry.position) <= top and self._endpoint.wants(entry):
                    window.add(entry)
            end = page.end
            window.passed(min(end, top))
        # The dispatcher that began the batch has read more of the journal than this one.
        waits = end > top and window.lacks_batch
        self.behind = waits or window.end < top
        if not self.behind or not window.room:
            window.forget_missing()
        return not waits and (not self.behind or isinstance(page, JournalPage))

    async def _next_page(self, window: DeliveryWindow) -> Page:
        limit = min(self._size.within(_PAGE_BYTES), window.room)
        until = max([self._tools.top(), *(batch[-1] for batch in window.batches)])
        return await next_page(self._tools.history, self._topics, window.end, until, limit)
