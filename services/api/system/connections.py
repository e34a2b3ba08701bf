"""The connections of all fanouts, for admins: list them, and end one.

The API asks each fanout in its settings with the caller's own token, so each fanout checks that
the caller is an admin.

See docs/decisions/0111-connections-are-listed-and-ended.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field, WithJsonSchema

from services.api.auth.authentication import require_admin
from services.api.auth.routes import CLOCK, bearer_token
from services.api.http.fields import cursor_of
from services.api.http.models import QueryParameters
from services.api.http.requests import json_response, read_query
from services.api.settings import SETTINGS
from services.api.system.asking import ASKING, find_replicas
from services.api.system.fanouts import PATH, FanoutAnswer, call_fanout
from shared.domain.topics import is_topic
from shared.web.problems import Problem, Slug, unavailable

_CONNECTION = re.compile(r"[0-9a-f]{24}", re.ASCII)
_CURSOR = r"^[0-9a-f]{12}\.[0-9]{1,9}(-[0-9a-f]{12}\.[0-9]{1,9})*$"


def _topic(value: str) -> str:
    if not is_topic(value):
        raise ValueError("must be a stream id, user:<account>, or *")
    return value


Topic = Annotated[
    str,
    AfterValidator(_topic),
    WithJsonSchema({"type": "string", "format": "topic", "examples": ["7", "*"]}),
]


Cursor = Annotated[
    str,
    Field(max_length=10_000, json_schema_extra={"pattern": _CURSOR}),
    cursor_of(_CURSOR),
]


class ConnectionsQuery(QueryParameters):
    """GET /v1/system/connections."""

    account: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    topic: Topic | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 100
    cursor: Cursor | None = None

    def starts(self) -> dict[str, str] | None:
        """Where the page begins, by the key of the replica; None for the first page."""
        if self.cursor is None:
            return None
        return dict(part.split(".", 1) for part in self.cursor.split("-"))


async def list_connections(request: web.Request) -> web.Response:
    """GET /v1/system/connections. All fanouts are asked in parallel."""
    require_admin(request)
    query = read_query(request, ConnectionsQuery)
    asking, starts = request.app[ASKING], query.starts()
    token = await bearer_token(request)
    replicas, troubles = await find_replicas(asking, request.app[SETTINGS])
    asked = [each for each in replicas if starts is None or each.key in starts]
    filters = {n: v for n in ("account", "topic") if (v := getattr(query, n)) is not None}
    share = max(1, query.limit // max(1, len(asked)))
    answers = await asyncio.gather(
        *(
            call_fanout(
                asking,
                each,
                token,
                limit=share,
                cursor=(starts or {}).get(each.key, "0"),
                **filters,
            )
            for each in asked
        )
    )
    document = _merged([each for each in answers if each.status != 404], troubles)
    as_of = round(request.app[CLOCK](), 3)
    return json_response({"asOf": as_of, **document}, headers={"Cache-Control": "no-store"})


def _merged(answers: Iterable[FanoutAnswer], troubles: Mapping[str, str]) -> dict[str, object]:
    good = [(answer.replica.key, answer.document) for answer in answers if not answer.trouble]
    following = [f"{key}.{page['next']}" for key, page in good if page["next"] is not None]
    asked = [
        _replica(
            each.replica.service,
            each.trouble,
            each.replica.key,
            each.replica.address,
            each.document,
        )
        for each in answers
    ]
    missing = [_replica(url, trouble) for url, trouble in troubles.items()]
    return {
        "items": [{"replica": key, **item} for key, page in good for item in page["items"]],
        "replicas": asked + missing,
        "next": "-".join(following) or None,
    }


def _replica(
    url: str,
    trouble: str | None,
    key: str | None = None,
    address: str | None = None,
    page: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """What is known of a replica; without a key, of replicas that were not found at this URL."""
    page = page or {}
    return {
        "replica": key,
        "url": url,
        "address": address,
        "trouble": trouble,
        "connections": page.get("connections"),
        "lagSeconds": page.get("lagSeconds"),
    }


async def end_connection(request: web.Request) -> web.Response:
    """DELETE /v1/system/connections/{replica}/{id}."""
    require_admin(request)
    key, connection = request.match_info["replica"], request.match_info["id"]
    if not _CONNECTION.fullmatch(connection):
        raise Problem(404, Slug.NOT_FOUND, "No connection has an id of this form.")
    asking = request.app[ASKING]
    token = await bearer_token(request)
    replicas, _ = await find_replicas(asking, request.app[SETTINGS])
    replica = next((each for each in replicas if each.key == key), None)
    if replica is None:
        raise Problem(404, Slug.NOT_FOUND, "There is no such replica. It may have been replaced.")
    path = f"{PATH}/{connection}"
    answer = await call_fanout(asking, replica, token, method="DELETE", path=path)
    if answer.status == 404:
        raise Problem(404, Slug.NOT_FOUND, "This connection has ended already.")
    if answer.trouble:
        unknown = "" if answer.status else ". It is unknown whether the connection has ended"
        raise unavailable(f"The fanout at {replica.service} {answer.trouble}{unknown}.")
    return web.Response(status=204)
