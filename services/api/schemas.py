"""What a request may say: bodies and queries, each field checked on its own.

Amounts come as JSON strings of decimal digits and leave here as int; times are Unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.api.cursors import decode_cursor
from shared.accounts import is_account, is_contract
from shared.events import Origin
from shared.indexes import EVERYTHING
from shared.streams import I128_MAX, Status

_DIGITS = re.compile(r"[1-9][0-9]{0,38}", re.ASCII)
_LATEST = 253_402_300_799  # the end of year 9999; milliseconds of today are beyond it
_ALL = frozenset({EVERYTHING})
_FILTERS = ("sender", "recipient", "user", "status", "token", "origin")


def _amount(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('must be a JSON string, such as "1000": JSON numbers lose digits')
    if not _DIGITS.fullmatch(value) or int(value) > I128_MAX:
        raise ValueError(f"must be a whole number from 1 to {I128_MAX}, in decimal digits")
    return int(value)


def _account(value: str) -> str:
    if not is_account(value):
        raise ValueError("must be a valid G…, C… or M… address (its checksum counts)")
    return value


def _contract(value: str) -> str:
    if not is_contract(value):
        raise ValueError("must be a valid contract address, C… (its checksum counts)")
    return value


Amount = Annotated[int, BeforeValidator(_amount)]
Account = Annotated[str, AfterValidator(_account)]
Contract = Annotated[str, AfterValidator(_contract)]
Cursor = Annotated[str, AfterValidator(decode_cursor)]
Tag = Annotated[str, Field(min_length=1, max_length=50)]


class Body(BaseModel):
    """Any request body: camelCase, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Nothing(Body):
    """The body of a call that takes none: absent, or `{}`."""


class Metadata(Body):
    """What the parties note down about a stream; moves no money."""

    label: Annotated[str, Field(max_length=200)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None

    def facts(self) -> Mapping[str, object]:
        """What was given, JSON-ready."""
        return self.model_dump(exclude_none=True)


class CreateStream(Body):
    """POST /v1/streams. `depositedAmount` is net of fees; without `startTime` it starts now."""

    sender: Account
    recipient: Account
    token_address: Contract
    rate_per_second: Amount
    deposited_amount: Amount
    start_time: Annotated[int, Field(strict=True, ge=0, le=_LATEST)] | None = None
    metadata: Metadata = Metadata()


class TopUp(Body):
    """POST /v1/streams/{id}/top-up."""

    amount: Amount


class PatchStream(Body):
    """PATCH /v1/streams/{id}: metadata in place of what there was."""

    metadata: Metadata


class ListQuery(BaseModel):
    """GET /v1/streams: a stream is listed when every filter given holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sender: Account | None = None
    recipient: Account | None = None
    user: Account | None = None
    status: Status | None = None
    token: Contract | None = None
    origin: Origin | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None
    order: Literal["asc", "desc"] = "desc"

    def indexes(self) -> frozenset[str]:
        """The indexes (shared.indexes) in each of which a listed stream stands."""
        given = ((name, getattr(self, name)) for name in _FILTERS)
        return frozenset(f"{name}:{value}" for name, value in given if value) or _ALL
