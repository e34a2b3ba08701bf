"""The types of request fields with their validation: amounts, accounts, stream ids, positions.

An amount is a JSON string of decimal digits and becomes an int. Times are Unix seconds.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
)

from services.api.http.page_cursor import NOT_A_CURSOR, decode_cursor
from shared.domain.position import Position, parse_position
from shared.domain.stream import I128_MAX
from shared.domain.strkeys import is_account, is_contract
from shared.domain.topics import is_stream_id

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DIGITS = re.compile(r"[1-9][0-9]{0,38}", re.ASCII)


_MAX_TIME = 253_402_300_799  # end of the year 9999; a time in milliseconds is above this limit


def _amount(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('must be a JSON string such as "1000", because JSON numbers lose digits')
    if not _DIGITS.fullmatch(value) or int(value) > I128_MAX:
        raise ValueError(f"must be a whole number from 1 to {I128_MAX}, in decimal digits")
    return int(value)


def _account(value: str) -> str:
    if not is_account(value):
        raise ValueError("must be a G…, C… or M… address with a correct checksum")
    return value


def _contract(value: str) -> str:
    if not is_contract(value):
        raise ValueError("must be a contract address (C…) with a correct checksum")
    return value


def integer(value: object) -> object:
    """Accept 1.0 as 1: JSON Schema counts 1.0 as an integer, and some clients send it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("has a control character that is no line break or tab, such as \\u0000")
    return value


def cursor_of(pattern: str) -> AfterValidator:
    """Accepts cursors that match a pattern. A client that sends another text reads no pattern."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(NOT_A_CURSOR)
        return value

    return AfterValidator(check)


def _stream_id(value: str) -> str:
    if not is_stream_id(value):
        raise ValueError("must be a stream id: a number from 1, or api-<uuid>")
    return value


def _position(value: object) -> Position:
    return parse_position(str(value))


def schema(form: str, pattern: str, **more: object) -> WithJsonSchema:
    """The schema of a field in OpenAPI. `format` names rules that a pattern cannot express."""
    return WithJsonSchema({"type": "string", "format": form, "pattern": pattern, **more})


Amount = Annotated[
    int, BeforeValidator(_amount), schema("i128", "^[1-9][0-9]{0,38}$", examples=["995000"])
]


Account = Annotated[
    str, AfterValidator(_account), schema("stellar-account", "^[GCM][A-Z2-7]{55,68}$")
]


Contract = Annotated[str, AfterValidator(_contract), schema("stellar-contract", "^C[A-Z2-7]{55}$")]


UnixSeconds = Annotated[int, Field(strict=True, ge=0, le=_MAX_TIME), BeforeValidator(integer)]

QuerySeconds = Annotated[int, Field(ge=0, le=_MAX_TIME)]
"""Unix seconds in a query parameter, which is a text."""


StreamId = Annotated[
    str,
    AfterValidator(_stream_id),
    schema("stream-id", "^([1-9][0-9]{0,19}|api-[0-9a-f-]{36})$", examples=["7"]),
]


PositionParam = Annotated[
    Position,
    BeforeValidator(_position),
    schema("position", "^[0-9]{1,20}-[0-9]{1,20}$", examples=["16010972359577600-1"]),
]


Cursor = Annotated[str, AfterValidator(decode_cursor), schema("cursor", "^[A-Za-z0-9_-]+$")]


Text = Annotated[
    str,
    AfterValidator(_text),
    Field(json_schema_extra={"pattern": "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]*$"}),
]
"""A text for people. A line break and a tab are the only control characters that it may have."""


Tag = Annotated[Text, Field(min_length=1, max_length=50)]
