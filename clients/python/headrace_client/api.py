"""The calls of the API (docs/api.md)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Unpack
from urllib.parse import quote

from headrace_client.model.answers import EventPage, StreamPage, Summary, Token
from headrace_client.model.event import Event
from headrace_client.model.fields import Json, required
from headrace_client.model.filters import ChangeOptions, EventFilters, StreamFilters
from headrace_client.model.stream import Stream
from headrace_client.subscribe.subscription import subscription_of
from headrace_client.transactions import Transactions


class Api(Transactions):
    """Calls of one server. Each raises HeadraceError.

    A call is sent again, a few times, if its answer was lost or the server is busy. A call that
    changes something carries an Idempotency-Key, so that it changes it once.
    """

    async def info(self) -> Json:
        """GET /: the name of the service, `authMode`, `apiStreams`, and the paths of its parts."""
        document: Json = (await self._http.get("/")).document
        required(document, "service")
        return document

    async def stream_page(
        self, *, limit: int = 50, cursor: str | None = None, **filters: Unpack[StreamFilters]
    ) -> StreamPage:
        """GET /v1/streams: one page of the streams that match all filters."""
        query = _query({"limit": limit, "cursor": cursor, **filters})
        return StreamPage.from_json((await self._http.get("/v1/streams", query)).document)

    async def stream_pages(self, **filters: Unpack[StreamFilters]) -> AsyncIterator[StreamPage]:
        """All pages of the streams that match. A page can be empty."""
        cursor: str | None = None
        while True:
            page = await self.stream_page(limit=200, cursor=cursor, **filters)
            yield page
            if (cursor := page.next) is None:
                return

    async def streams(self, **filters: Unpack[StreamFilters]) -> AsyncIterator[Stream]:
        """All streams that match, page by page."""
        async for page in self.stream_pages(**filters):
            for stream in page.items:
                yield stream

    async def stream(self, stream_id: str) -> Stream:
        """GET /v1/streams/{id}."""
        return (await self.stream_at(stream_id))[0]

    async def stream_at(self, stream_id: str) -> tuple[Stream, str]:
        """A stream, and the position from which to subscribe to miss no later event."""
        answer = await self._http.get(_path(stream_id))
        return Stream.from_json(answer.document), required(answer.headers, "Headrace-Position")

    async def create_stream(
        self,
        *,
        sender: str,
        recipient: str,
        token_address: str,
        rate_per_second: int,
        deposited_amount: int,
        start_time: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Stream:
        """POST /v1/streams: make a stream of the API. Amounts are in base units."""
        body: dict[str, object] = {
            "sender": sender,
            "recipient": recipient,
            "tokenAddress": token_address,
            "ratePerSecond": str(rate_per_second),
            "depositedAmount": str(deposited_amount),
            "metadata": metadata or {},
        }
        if start_time is not None:
            body["startTime"] = start_time
        return await self._change("POST", "/v1/streams", body, idempotency_key=idempotency_key)

    async def set_metadata(
        self, stream_id: str, metadata: Mapping[str, Any], **options: Unpack[ChangeOptions]
    ) -> Stream:
        """PATCH /v1/streams/{id}: replace the metadata (`label`, `tags`, `note`)."""
        return await self._change("PATCH", _path(stream_id), {"metadata": metadata}, **options)

    async def top_up(self, stream_id: str, amount: int, **options: Unpack[ChangeOptions]) -> Stream:
        """POST /v1/streams/{id}/top-up: add base units to the deposit."""
        path, body = f"{_path(stream_id)}/top-up", {"amount": str(amount)}
        return await self._change("POST", path, body, **options)

    async def withdraw(self, stream_id: str, **options: Unpack[ChangeOptions]) -> Stream:
        """POST /v1/streams/{id}/withdraw."""
        return await self._change("POST", f"{_path(stream_id)}/withdraw", **options)

    async def pause(self, stream_id: str, **options: Unpack[ChangeOptions]) -> Stream:
        """POST /v1/streams/{id}/pause."""
        return await self._change("POST", f"{_path(stream_id)}/pause", **options)

    async def resume(self, stream_id: str, **options: Unpack[ChangeOptions]) -> Stream:
        """POST /v1/streams/{id}/resume."""
        return await self._change("POST", f"{_path(stream_id)}/resume", **options)

    async def cancel(self, stream_id: str, **options: Unpack[ChangeOptions]) -> Stream:
        """POST /v1/streams/{id}/cancel."""
        return await self._change("POST", f"{_path(stream_id)}/cancel", **options)

    async def accept(self, stream_id: str, **options: Unpack[ChangeOptions]) -> Stream:
        """POST /v1/streams/{id}/accept, by the recipient."""
        return await self._change("POST", f"{_path(stream_id)}/accept", **options)

    async def hide(self, stream_id: str, **options: Unpack[ChangeOptions]) -> Stream:
        """POST /v1/streams/{id}/hide, by the recipient."""
        return await self._change("POST", f"{_path(stream_id)}/hide", **options)

    async def event_page(self, *, limit: int = 100, **filters: Unpack[EventFilters]) -> EventPage:
        """GET /v1/events: one page of past events, by default the newest first.

        Without `streams`, `users` and `all`: those of the token's account, as for Client.events.
        """
        wanted = subscription_of(
            filters.get("streams", ()),
            filters.get("users", ()),
            all=filters.get("all", False),
            types=filters.get("types", ()),
            with_token=self._http.login.given,
        )
        others = {name: filters.get(name) for name in ("after", "before", "order")}
        query = wanted.query() + _query({"limit": limit, **others})
        return EventPage.from_json((await self._http.get("/v1/events", query)).document)

    async def history(self, **filters: Unpack[EventFilters]) -> AsyncIterator[Event]:
        """All past events that match, page by page. It does not tell gaps; `event_page` does."""
        following: Literal["after", "before"] = (
            "after" if filters.get("order") == "asc" else "before"
        )
        while True:
            page = await self.event_page(limit=500, **filters)
            for event in page.items:
                yield event
            if page.next is None:
                return
            filters[following] = page.next

    async def token(self, address: str) -> Token:
        """GET /v1/tokens/{address}: symbol, name and decimals, as far as they are known."""
        answer = await self._http.get(f"/v1/tokens/{quote(address, safe='')}")
        return Token.from_json(answer.document)

    async def summary(
        self, account: str, *, limit: int = 1000, cursor: str | None = None
    ) -> Summary:
        """GET /v1/users/{account}/summary. With `next`, add the following summary to this one."""
        given: dict[str, object] = {"limit": limit, "cursor": cursor}
        path = f"/v1/users/{quote(account, safe='')}/summary"
        return Summary.from_json((await self._http.get(path, _query(given))).document)

    async def _change(
        self, method: str, path: str, body: object = None, **options: Unpack[ChangeOptions]
    ) -> Stream:
        headers = {"Idempotency-Key": options.get("idempotency_key") or str(uuid.uuid4())}
        if (version := options.get("version")) is not None:
            headers["If-Match"] = f'"{version}"'
        answer = await self._http.call(method, path, body=body, headers=headers)
        return Stream.from_json(answer.document)


def _path(stream_id: str) -> str:
    return f"/v1/streams/{quote(stream_id, safe='')}"


def _query(given: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in given.items() if value is not None]
