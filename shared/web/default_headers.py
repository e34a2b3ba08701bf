"""Headers of every answer of a process, also of those that aiohttp gives before any middleware.

`nosniff`: a browser does not guess that an answer is a script or a page (WHATWG Fetch).
`no-store`: no cache keeps an answer, unless the handler says otherwise.
"""

from __future__ import annotations

from aiohttp import web

NO_SNIFF = ("X-Content-Type-Options", "nosniff")


class RequestWithDefaults(web.Request):
    """A request whose answers get the default headers.

    aiohttp answers a malformed request itself: no middleware runs, and no signal is sent. The hook
    of the request is called for these answers too.
    """

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        await super()._prepare_hook(response)
        headers = response.headers
        headers.setdefault(*NO_SNIFF)
        if "ETag" not in headers:
            headers.setdefault("Cache-Control", "no-store")
