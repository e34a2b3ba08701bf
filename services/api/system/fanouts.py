"""Calls of fanouts for an admin: the connections of one replica, and the end of a connection.

See docs/decisions/0111-connections-are-listed-and-ended.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from services.api.system.asking import Asking
from services.api.system.replicas import Replica
from shared.runtime.urls import append_path

PATH = "/v1/events/connections"

_CHALLENGE = 'Bearer realm="headrace"'


@dataclass(frozen=True, slots=True)
class FanoutAnswer:
    """What a replica answered. `trouble` says why there is no answer that can be used, else None.

    The status is 0 if the replica did not answer at all.
    """

    replica: Replica
    status: int
    document: Any = None
    trouble: str | None = None


async def call_fanout(
    asking: Asking,
    replica: Replica,
    token: str,
    *,
    method: str = "GET",
    path: str = PATH,
    **query: str | int,
) -> FanoutAnswer:
    """Call a replica. Only a server that asks for the token, as Headrace does, gets the token.

    The settings also name services that are no fanouts. They answer 404.
    """
    url = URL(append_path(str(replica.url), path, **query))
    try:
        answer = await _send(asking, replica, method, url, "")
        if answer is None and token:
            answer = await _send(asking, replica, method, url, token)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return FanoutAnswer(replica, 0, trouble=f"does not answer ({type(error).__name__})")
    return answer or FanoutAnswer(replica, 401, trouble="refuses the token of this request")


async def _send(
    asking: Asking, replica: Replica, method: str, url: URL, token: str
) -> FanoutAnswer | None:
    """The answer; None if the replica asks for another token."""
    assert asking.session
    credential = {"Authorization": f"Bearer {token}"} if token else {}
    async with asking.session.request(
        method,
        url,
        headers={**replica.headers, **credential},
        server_hostname=replica.server_name,
        proxy=replica.proxy,
        allow_redirects=False,
    ) as response:
        if response.status == 401 and response.headers.get("WWW-Authenticate") == _CHALLENGE:
            return None
        if response.status == 200:
            return FanoutAnswer(replica, 200, _page(await response.read()))
        good = response.status in (204, 404)
        trouble = None if good else f"answers with status {response.status}"
        return FanoutAnswer(replica, response.status, trouble=trouble)


def _page(body: bytes) -> Any:
    """The page in a body. Raises ValueError if the body is something else."""
    page = orjson.loads(body)
    if not isinstance(page, dict) or not page.keys() >= {"items", "next"}:
        raise ValueError("no page of connections")
    return page
