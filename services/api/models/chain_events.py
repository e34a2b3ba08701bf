"""What every event says, and the events of no stream: of the contract, of tokens, of the chain.

The events of streams, and the table of all, are in `event_models`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from services.api.models.responses import Address, Amount, AnyEvent, ContractAddress

_CHAIN_FIELDS = {
    "if": {"properties": {"origin": {"const": "chain"}}},
    "then": {"required": ["contractId", "ledger", "ledgerClosedAt", "txHash", "verified"]},
    "else": {"not": {"anyOf": [{"required": ["txHash"]}, {"required": ["ledger"]}]}},
}


Holder = Annotated[
    str,
    Field(description="G… or C…; a claimable balance B…, a liquidity pool L… (SEP-23)"),
]
MuxedId = Annotated[
    str,
    Field(description="which sub-account of `to`: a u64 in digits, text, or bytes in hex (CAP-67)"),
]


class EventModel(AnyEvent):
    """What every event says; one from the chain also where it stands there."""

    model_config = ConfigDict(json_schema_extra=_CHAIN_FIELDS)  # type: ignore[typeddict-item]

    contract_id: ContractAddress = ""
    ledger: Annotated[int, Field(ge=1)] = 0
    ledger_closed_at: Annotated[str, Field(examples=["2026-07-21T18:01:10Z"])] = ""
    tx_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = ""
    verified: Annotated[
        bool | None,
        Field(description="events hash to what consensus signed; null: nothing signed says"),
    ] = None


class ContractEventModel(EventModel):
    """An event of the contract as a whole; everyone gets it."""

    stream_id: None


class TokenEventModel(EventModel):
    """An event of a watched token contract; those whom it names get it."""

    stream_id: None
    token_address: ContractAddress
    amount: Amount
    asset: Annotated[str, Field(description="native or CODE:ISSUER (SEP-11), as it says")] = ""


class TokenTransferred(TokenEventModel):
    """Tokens went from one holder to another."""

    from_: Holder = Field(alias="from")
    to: Holder
    to_muxed_id: MuxedId = ""


class TokenMinted(TokenEventModel):
    """New tokens, or such as came from their issuer."""

    to: Holder
    to_muxed_id: MuxedId = ""
    admin: Address = ""


class TokenBurned(TokenEventModel):
    """Tokens that are no more, or went to their issuer."""

    from_: Holder = Field(alias="from")


class TokenClawedBack(TokenEventModel):
    """Tokens that their issuer took back."""

    from_: Holder = Field(alias="from")
    admin: Address = ""


class UnknownEventModel(EventModel):
    """An event of a name not known yet, raw; of a token contract, those who ask for it get it."""

    token_address: ContractAddress = ""
    name: str
    topics_xdr: list[str]
    value_xdr: str


class LedgersLostModel(EventModel):
    """Ledgers that no source has any more: what happened between the positions is not known."""

    stream_id: None
    from_: str = Field(alias="from")
    to: str
    history_url: str


class JournalResetModel(EventModel):
    """Redis lost everything: what was sent before may be wrong now, so load the state anew."""

    stream_id: None
    position: str
    reason: str
