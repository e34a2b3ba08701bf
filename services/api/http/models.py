"""The base classes of request bodies and query parameters. They reject unknown fields."""

from __future__ import annotations

from typing import ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
)
from pydantic.alias_generators import to_camel


class RequestBody(BaseModel):
    """A request body. JSON names are in camelCase."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class EmptyBody(RequestBody):
    """The body of a call that needs no body: the client sends nothing, or `{}`."""


class QueryParameters(BaseModel):
    """Query parameters. A parameter in `many` can be repeated, or be a comma-separated list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    many: ClassVar[frozenset[str]] = frozenset()
