"""Reads bodies, query parameters and If-Match; errors name each wrong field. Writes JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import orjson
from aiohttp import web
from multidict import MultiDict
from pydantic import BaseModel, ValidationError

from services.api.http.field_errors import field_error
from services.api.http.models import EmptyBody
from shared.web.problems import Problem, Slug

M = TypeVar("M", bound=BaseModel)

MAX_ERRORS = 100
"""The largest number of errors in one response. A small body can contain thousands."""

_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_VERSION_TAG = re.compile(r'"[1-9][0-9]{0,18}"')
_TAGS = re.compile(rf"{_TAG}(?:[ \t]*,[ \t]*{_TAG})*")


async def read_body(request: web.Request, model: type[M]) -> M:
    """The JSON body as `model`. Raises Problem 400, 413, 415; 422 with the names of bad fields."""
    if request.content_type != "application/json":
        message = "Send the body with Content-Type: application/json."
        raise Problem(
            415, Slug.UNSUPPORTED_MEDIA_TYPE, message, headers={"Accept": "application/json"}
        )
    try:
        data = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise Problem(400, Slug.MALFORMED, f"The body is not JSON: {error}.") from None
    except web.RequestPayloadError as error:
        raise Problem(
            400, Slug.MALFORMED, f"The body is incomplete or wrongly encoded: {error}."
        ) from None
    return validated(model, data, "pointer")


async def read_no_body(request: web.Request) -> None:
    """Check that the body is absent or an empty object. Raises Problem 422."""
    if request.can_read_body:
        await read_body(request, EmptyBody)


def read_query(request: web.Request, model: type[M]) -> M:
    """The query as `model`. Raises Problem 422 with the names of bad parameters."""
    query = MultiDict(request.query)
    query.pop("access_token", None)  # read by services.api.auth.authentication
    many: frozenset[str] = getattr(model, "many", frozenset())
    repeated = [n for n in dict.fromkeys(query) if n not in many and len(query.getall(n)) > 1]
    if repeated:
        detail = "is given more than once"
        raise invalid([{"parameter": name, "detail": detail} for name in repeated])
    lists = {name: _split(query.getall(name)) for name in many if name in query}
    return validated(model, dict(query) | lists, "parameter")


def _split(values: Sequence[str]) -> list[str]:
    return [part for value in values for part in value.split(",") if part]


def validated(model: type[M], data: object, location: str) -> M:
    """Data as `model`. Raises Problem 422 with all errors.

    `location` is "pointer" for a body and "parameter" for a query.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        raise invalid([field_error(e, location) for e in errors[:MAX_ERRORS]]) from None


def invalid(errors: Sequence[Mapping[str, str]]) -> Problem:
    """Problem 422 with one entry for each invalid field."""
    count = len(errors)
    detail = "1 field is invalid." if count == 1 else f"{count} fields are invalid."
    return Problem(422, Slug.INVALID, detail, errors=errors)


def etag(version: object) -> str:
    """The entity tag of a version of a stream."""
    return f'"{version}"'


def read_if_match(request: web.Request) -> frozenset[int] | None:
    """The versions that the header If-Match allows; None if it allows every version.

    A proxy that compresses a response makes our entity tag weak (W/"3"). We accept weak tags,
    because they still name the version. A tag that is not ours matches no version. Raises Problem
    400 if the header is malformed.
    """
    text = ",".join(request.headers.getall("If-Match", ["*"])).strip()
    if text == "*":
        return None
    if not _TAGS.fullmatch(text):
        message = f'If-Match must be entity tags such as "3", or *; got {text[:64]!r}.'
        raise Problem(400, Slug.MALFORMED, message)
    tags = (tag.removeprefix("W/") for tag in re.findall(_TAG, text))
    return frozenset(int(tag.strip('"')) for tag in tags if _VERSION_TAG.fullmatch(tag))


def json_response(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON response."""
    return web.Response(
        body=orjson.dumps(document),
        status=status,
        headers=headers,
        content_type="application/json",
    )
