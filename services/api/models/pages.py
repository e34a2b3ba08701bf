"""Models of the pages of streams and events, and of tokens, for OpenAPI. Not used at run time."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.api.models.responses import (
    ContractAddress,
    CursorText,
    Microseconds,
    PositionText,
    ResponseModel,
    Seconds,
    StreamDocument,
    StreamIdText,
)
from shared.domain.events import Origin
from shared.domain.tokens import MAX_DECIMALS, MAX_NAME, MAX_SYMBOL


class TokenDetails(ResponseModel):
    """What is known of a token. A field is null if it is not known.

    This happens if the token's contract does not store the value, or if the indexer has not read
    it yet. If `decimals` is null, show base units. Do not assume a number.
    """

    address: ContractAddress
    symbol: Annotated[
        str | None,
        Field(max_length=MAX_SYMBOL, description="as in the token's contract; not proved"),
    ]
    name: Annotated[str | None, Field(max_length=MAX_NAME)]
    decimals: Annotated[
        int | None,
        Field(ge=0, le=MAX_DECIMALS, description="10 to this power base units are 1 of the token"),
    ]
    asset: Annotated[
        str | None,
        Field(
            description="the Stellar asset of this contract, `native` or `CODE:ISSUER`, proved by "
            "the contract's address; null for all other tokens, whatever they are called"
        ),
    ]
    source: Annotated[
        str | None,
        Field(
            json_schema_extra={"enum": [None, "contract", "setting"]},
            description="where it is from: the token's contract, or the setting TOKENS",
        ),
    ]
    read_at: Annotated[Seconds | None, Field(description="when the contract was read")]


Tokens = Annotated[
    dict[str, TokenDetails],
    Field(description="the tokens of this answer, by their address"),
]


class StreamPage(ResponseModel):
    """A page of streams."""

    items: list[StreamDocument]
    tokens: Tokens
    total: Annotated[
        int | None,
        Field(ge=0, description="number of matching streams; null with several filters"),
    ]
    next: CursorText | None
    position: PositionText


class Gap(ResponseModel):
    """Events after `from`, up to and including `to`, are not stored any more."""

    from_: PositionText = Field(alias="from")
    to: PositionText


class AnyEvent(BaseModel):
    """An event. The other fields of each event type are in /asyncapi.json."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    id: PositionText
    published_at: Microseconds
    type: str
    stream_id: StreamIdText | None
    timestamp: Annotated[int, Field(description="when the event happened, in Unix seconds")]
    origin: Origin


class HistoryPage(ResponseModel):
    """A page of past events. For the next page, send `next` as `after` (asc) or `before` (desc)."""

    items: list[AnyEvent]
    next: PositionText | None
    position: PositionText
    gap: Gap | None
