"""Reading a request: body, query and If-Match, each mistake named; and writing the answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import orjson
from aiohttp import web
from multidict import MultiDict
from pydantic import BaseModel, ValidationError

from services.api.http.models import EmptyBody
from shared.web.problems import Problem, Slug

M = TypeVar("M", bound=BaseModel)

MAX_ERRORS = 100
"""A small body can hold thousands of mistakes; more than these help nobody."""

_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a known name here",
    "model_type": "must be a JSON object",
}
_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = re.compile(rf"{_TAG}(?:[ \t]*,[ \t]*{_TAG})*")


async def read_body(request: web.Request, model: type[M]) -> M:
    """The JSON body as `model`. Raises Problem 400, 413, 415, or 422 naming every bad field."""
    if request.content_type != "application/json":
        word = "send the body as Content-Type: application/json"
        raise Problem(
            415, Slug.UNSUPPORTED_MEDIA_TYPE, word, headers={"Accept": "application/json"}
        )
    try:
        data = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise Problem(400, Slug.MALFORMED, f"the body is not JSON: {error}") from None
    except web.RequestPayloadError as error:
        raise Problem(400, Slug.MALFORMED, f"the body is cut or ill encoded: {error}") from None
    return validated(model, data, "pointer")


async def read_no_body(request: web.Request) -> None:
    """Make sure that a call without a body got none, or an empty object."""
    if request.can_read_body:
        await read_body(request, EmptyBody)


def read_query(request: web.Request, model: type[M]) -> M:
    """The query as `model`. Raises Problem 422 naming every bad parameter."""
    query = MultiDict(request.query)
    query.pop("access_token", None)  # who asks, not what (services.api.auth.authentication)
    many: frozenset[str] = getattr(model, "many", frozenset())
    twice = [n for n in dict.fromkeys(query) if n not in many and len(query.getall(n)) > 1]
    if twice:
        raise invalid([{"parameter": name, "detail": "is given more than once"} for name in twice])
    several = {name: _several(query.getall(name)) for name in many if name in query}
    return validated(model, dict(query) | several, "parameter")


def _several(values: Sequence[str]) -> list[str]:
    return [part for value in values for part in value.split(",") if part]


def validated(model: type[M], data: object, place: str) -> M:
    """Data as `model`. Raises Problem 422 that names each mistake as a `pointer` or `parameter`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False, include_context=False)
        raise invalid([_mistake(m, place) for m in mistakes[:MAX_ERRORS]]) from None


def _mistake(mistake: Mapping[str, Any], place: str) -> dict[str, str]:
    parts = [str(part) for part in mistake["loc"]]
    if place == "pointer":  # RFC 6901
        where = "".join("/" + p.replace("~", "~0").replace("/", "~1") for p in parts)
    else:
        where = ".".join(parts)
    word = str(mistake["msg"]).removeprefix("Value error, ")
    return {place: where, "detail": _WORDS.get(mistake["type"], word)}


def invalid(errors: Sequence[Mapping[str, str]]) -> Problem:
    """422 that names each mistake."""
    return Problem(422, Slug.INVALID, f"{len(errors)} field(s) to mend", errors=errors)


def etag(version: object) -> str:
    """The entity tag of a stream's version."""
    return f'"{version}"'


def read_if_match(request: web.Request) -> frozenset[str] | None:
    """The entity tags of which one must be the stream's; None when any will do.

    A proxy that compresses weakens our tags on the way (W/"3"); the version is meant all the same.
    Raises Problem 400 when the header is malformed.
    """
    text = ",".join(request.headers.getall("If-Match", ["*"])).strip()
    if text == "*":
        return None
    if not _TAGS.fullmatch(text):
        word = f'If-Match must be entity tags such as "3", or *; not {text[:64]!r}'
        raise Problem(400, Slug.MALFORMED, word)
    return frozenset(tag.removeprefix("W/") for tag in re.findall(_TAG, text))


def json_response(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=orjson.dumps(document),
        status=status,
        headers=headers,
        content_type="application/json",
    )
