"""Models of events without a stream: of the contract, of tokens, of the chain and of webhooks.

Also the base of all models of events.

The events of streams, and the table of all event types, are in `stream_events`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from services.api.models.pages import AnyEvent
from services.api.models.responses import (
    Address,
    Amount,
    ContractAddress,
    Seconds,
    StreamDocument,
    StreamIdText,
)

_CHAIN_FIELDS = {
    "if": {"properties": {"origin": {"const": "chain"}}},
    "then": {"required": ["contractId", "ledger", "ledgerClosedAt", "txHash", "verified"]},
    "else": {"not": {"anyOf": [{"required": ["txHash"]}, {"required": ["ledger"]}]}},
}


Holder = Annotated[
    str,
    Field(description="G… or C…; B… for a claimable balance, L… for a liquidity pool (SEP-23)"),
]
MuxedId = Annotated[
    str,
    Field(description="sub-account of `to`: a u64 in digits, a text, or bytes in hex (CAP-67)"),
]

MuxedIdType = Annotated[
    Literal["id", "text", "hash"], Field(description="type of `toMuxedId`: a number, a text or hex")
]


class EventModel(AnyEvent):
    """An event. An event of the chain also has its contract, ledger and transaction."""

    model_config = ConfigDict(json_schema_extra=_CHAIN_FIELDS)  # type: ignore[typeddict-item]

    contract_id: ContractAddress = ""
    ledger: Annotated[int, Field(ge=1)] = 0
    ledger_closed_at: Annotated[str, Field(examples=["2026-07-21T18:01:10Z"])] = ""
    tx_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = ""
    verified: Annotated[
        bool | None,
        Field(
            description="true: the event matches the hash in its transaction's result; false: the "
            "event does not match it; null: there is no such hash"
        ),
    ] = None


class StreamEventModel(EventModel):
    """An event of a stream, with the known fields of the stream."""

    stream_id: StreamIdText
    sender: Address = ""
    recipient: Address = ""
    token_address: Address = ""
    stream: Annotated[StreamDocument | None, Field(description="the stream after the event")] = None


class ContractEventModel(EventModel):
    """An event of the contract as a whole. Every subscriber gets it."""

    stream_id: None


class TokenEventModel(EventModel):
    """An event of a watched token contract. Subscribers to the accounts in it get it."""

    stream_id: None
    token_address: ContractAddress
    amount: Amount
    asset: Annotated[str, Field(description="native or CODE:ISSUER (SEP-11)")] = ""


class TokenTransferred(TokenEventModel):
    """Tokens were transferred."""

    from_: Holder = Field(alias="from")
    to: Holder
    to_muxed_id: MuxedId = ""
    to_muxed_id_type: MuxedIdType | None = None


class TokenMinted(TokenEventModel):
    """Tokens were created, or came from their issuer."""

    to: Holder
    to_muxed_id: MuxedId = ""
    to_muxed_id_type: MuxedIdType | None = None
    admin: Address = ""


class TokenBurned(TokenEventModel):
    """Tokens were destroyed, or went back to their issuer."""

    from_: Holder = Field(alias="from")


class TokenClawedBack(TokenEventModel):
    """The issuer took tokens back."""

    from_: Holder = Field(alias="from")
    admin: Address = ""


class UnknownEventModel(EventModel):
    """A contract event of an unknown type. Its topics and data are not decoded.

    An unknown event of a token contract goes only to subscribers who ask for this type.
    """

    token_address: ContractAddress = ""
    name: str
    topics_xdr: list[str]
    value_xdr: str


class WebhookDisabledModel(EventModel):
    """A webhook was disabled. Subscribers to the account of its owner get this event.

    `reason`: the receiver answered 410 (`gone`), or failed for too long (`failed`).
    """

    stream_id: None
    account: Annotated[str, Field(description='the owner; "" in AUTH_MODE=open')]
    webhook_id: str
    url: Annotated[str, Field(description="without its query")]
    reason: Annotated[str, Field(json_schema_extra={"enum": ["gone", "failed"]})]
    since: Annotated[Seconds, Field(description="since when the receiver has failed")]


class LedgersLostModel(EventModel):
    """No source has these ledgers any more. The events between the two positions are lost."""

    stream_id: None
    from_: str = Field(alias="from")
    to: str
    history_url: str


class JournalResetModel(EventModel):
    """Redis lost all data. Events that were sent before may be wrong: load the state again."""

    stream_id: None
    position: str
    reason: str
