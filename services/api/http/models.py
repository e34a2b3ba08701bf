"""The base classes of request bodies and query parameters. Unknown fields are rejected."""

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
    """The body of a call that needs none: absent, or `{}`."""


class QueryParameters(BaseModel):
    """Query parameters. Those in `many` can be repeated, or be a comma-separated list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    many: ClassVar[frozenset[str]] = frozenset()
