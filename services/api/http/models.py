"""The base classes of every request body and query: unknown fields are refused."""

from __future__ import annotations

from typing import ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
)
from pydantic.alias_generators import to_camel


class RequestBody(BaseModel):
    """Any request body: camelCase, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class EmptyBody(RequestBody):
    """The body of a call that takes none: absent, or `{}`."""


class QueryParameters(BaseModel):
    """Any query: unknown parameters refused; those in `many` may repeat or hold several."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    many: ClassVar[frozenset[str]] = frozenset()
