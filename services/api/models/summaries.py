"""Models of the summary of an account, for OpenAPI. The API does not use them at run time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.api.models.pages import Tokens
from services.api.models.responses import (
    Address,
    Amount,
    CursorText,
    PositionText,
    ResponseModel,
)


class StatusCounts(ResponseModel):
    """Numbers of streams by status."""

    active: int
    paused: int
    completed: int
    cancelled: int


class StatusCountsBySide(ResponseModel):
    """Numbers of streams by status, separately for streams sent and streams received."""

    sent: StatusCounts
    received: StatusCounts


class SentTotals(ResponseModel):
    """Totals of the streams that the account sends."""

    deposited: Amount
    withdrawn: Amount
    refunded: Amount
    remaining: Amount


class ReceivedTotals(ResponseModel):
    """Totals of the streams that the account receives."""

    withdrawn: Amount
    claimable: Annotated[Amount, Field(description="sum over the streams whose amount is known")]
    claimable_unknown: Annotated[
        int, Field(ge=0, description="number of streams whose claimable amount is not known")
    ]
    remaining: Amount


class TokenTotals(ResponseModel):
    """Totals in one token."""

    token_address: Address
    sent: SentTotals
    received: ReceivedTotals


class OriginTotals(ResponseModel):
    """Totals over `streams` streams of one origin."""

    streams: Annotated[int, Field(ge=0)]
    counts: StatusCountsBySide
    tokens: list[TokenTotals]


class AccountSummary(ResponseModel):
    """Totals of the streams that an account sends, or receives and has accepted, by origin.

    The other streams that it receives are counted: `pending` and `hidden`. `next` is the cursor for
    the streams that are in no total yet.
    """

    account: Address
    chain: OriginTotals
    api: OriginTotals
    tokens: Tokens
    pending: Annotated[int, Field(ge=0, description="streams that wait for the account's answer")]
    hidden: Annotated[int, Field(ge=0, description="streams that the account has hidden")]
    next: CursorText | None
    position: PositionText
