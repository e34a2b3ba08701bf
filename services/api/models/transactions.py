"""Models of the responses about transactions, for OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from services.api.models.responses import (
    Address,
    Amount,
    ContractAddress,
    ResponseModel,
    Seconds,
    StreamDocument,
    StreamIdText,
)
from services.api.transactions.calls import Action

Stroops = Annotated[str, Field(pattern=r"^[0-9]+$", description="stroops", examples=["100"])]
TransactionHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EventObject = Annotated[
    dict[str, Any], Field(description="an event as /asyncapi.json describes it, without `stream`")
]
StreamAfter = create_model(
    "StreamAfter",
    __base__=StreamDocument,
    __doc__="The stream after the call. It has no `position`: nothing has happened yet.",
    position=(None, None),
)


class TransactionFee(ResponseModel):
    """The most that can be charged. What is left of the fee for resources is given back."""

    inclusion: Stroops
    resource: Stroops
    total: Stroops


class TimeBounds(ResponseModel):
    """The times of the ledgers in which the transaction can be."""

    min_time: Seconds
    max_time: Seconds


class CallReturns(ResponseModel):
    """What the contract would return: the number of a new stream, or the amount withdrawn."""

    stream_id: StreamIdText | None = None
    amount: Amount | None = None


class PreparedTransaction(ResponseModel):
    """An unsigned transaction, and what it would do after the last ledger."""

    action: Annotated[
        Action,
        Field(
            description="`restore` if entries of the contract are archived: submit this "
            "transaction first, then prepare the same request again"
        ),
    ]
    requested: Annotated[Action, Field(description="the action of the request")]
    contract: ContractAddress
    function: Annotated[str | None, Field(description="null for `restore`")]
    arguments: Annotated[dict[str, str | int], Field(description="by name, in order")]
    source: Address
    sequence: Annotated[str, Field(pattern=r"^[0-9]+$")]
    xdr: Annotated[str, Field(description="base64 XDR of an unsigned TransactionEnvelope")]
    hash: TransactionHash
    network_passphrase: str
    fee: TransactionFee
    time_bounds: TimeBounds
    returns: CallReturns | None
    events: Annotated[
        list[EventObject], Field(description="what it would emit, as of the last ledger")
    ]
    stream: StreamAfter | None


class TransactionError(ResponseModel):
    """Why a transaction failed: the name of the contract's or network's error, and a sentence."""

    code: str
    detail: str


class TransactionStatus(ResponseModel):
    """What has become of a submitted transaction.

    `pending`: it can still be in a ledger. `succeeded` and `failed`: it is in `ledger`. `expired`:
    it is in no ledger, and never will be.
    """

    hash: TransactionHash
    status: Literal["pending", "succeeded", "failed", "expired"]
    expires_at: Seconds | None
    ledger: Annotated[int | None, Field(ge=1)]
    closed_at: Seconds | None
    fee: Annotated[Stroops | None, Field(description="what was charged, in stroops")]
    events: Annotated[list[EventObject], Field(description="as in the journal; `id` is the same")]
    error: TransactionError | None
