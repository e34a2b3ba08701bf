"""The bodies of requests about transactions. Amounts are JSON strings of decimal digits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, RootModel

from services.api.http.fields import Amount, Contract, integer, schema
from services.api.http.models import RequestBody
from services.api.transactions.calls import Action, ActionCall
from shared.domain.strkeys import is_contract, is_public_key
from shared.domain.topics import is_stream_id

_SAFE = (1 << 53) - 1
"""The highest integer that every JSON parser reads exactly (RFC 8259, 6)."""


def _source(value: str) -> str:
    if not is_public_key(value):
        raise ValueError(
            "must be an account (G…) with a correct checksum: it signs and pays the fee"
        )
    return value


def _party(value: str) -> str:
    if not (is_public_key(value) or is_contract(value)):
        raise ValueError("must be a G… or C… address with a correct checksum")
    return value


def _stream_id(value: object) -> int:
    text = value if isinstance(value, str) else ""
    if text.startswith("api-"):
        raise ValueError("is a stream of the API; change it with POST /v1/streams/{id}/…")
    if not is_stream_id(text):
        raise ValueError('must be the number of a stream on the chain, as a string such as "7"')
    return int(text)


Source = Annotated[str, AfterValidator(_source), schema("stellar-public-key", "^G[A-Z2-7]{55}$")]
StreamParty = Annotated[str, AfterValidator(_party), schema("stellar-party", "^[GC][A-Z2-7]{55}$")]
ChainStreamId = Annotated[
    int,
    BeforeValidator(_stream_id),
    schema("chain-stream-id", "^[1-9][0-9]{0,19}$", examples=["7"]),
]
Duration = Annotated[int, Field(strict=True, ge=1, le=_SAFE), BeforeValidator(integer)]


class PrepareTransaction(RequestBody):
    """POST /v1/transactions. Default of `source`: the caller's account. It signs and pays."""

    action: Action
    source: Source | None = None

    def call(self, contract_id: str, source: str) -> ActionCall:
        """The call of the contract that the client asks for."""
        return ActionCall(contract_id, self.action, (source, *self._values()))

    def _values(self) -> tuple[str | int, ...]:
        raise NotImplementedError


class PrepareCreate(PrepareTransaction):
    """Create a stream. `amount` includes the fee of the contract. `duration` is in seconds."""

    action: Literal[Action.CREATE]
    recipient: StreamParty
    token: Contract
    amount: Amount
    duration: Duration

    def _values(self) -> tuple[str | int, ...]:
        return self.recipient, self.token, self.amount, self.duration


class PrepareTopUp(PrepareTransaction):
    """Add money to a stream. `amount` includes the fee of the contract."""

    action: Literal[Action.TOP_UP]
    stream_id: ChainStreamId
    amount: Amount

    def _values(self) -> tuple[str | int, ...]:
        return self.stream_id, self.amount


class PrepareChange(PrepareTransaction):
    """Withdraw all that is claimable; or pause, resume or cancel a stream."""

    action: Literal[Action.WITHDRAW, Action.PAUSE, Action.RESUME, Action.CANCEL]
    stream_id: ChainStreamId

    def _values(self) -> tuple[str | int, ...]:
        return (self.stream_id,)


class ChosenAction(RequestBody):
    """Reads only the action of a body. The action decides which other fields the body has."""

    model_config = ConfigDict(extra="ignore")

    action: Literal[
        Action.CREATE,
        Action.TOP_UP,
        Action.WITHDRAW,
        Action.PAUSE,
        Action.RESUME,
        Action.CANCEL,
    ]

    @property
    def body(self) -> type[PrepareTransaction]:
        """The model of the whole body."""
        known: dict[Action, type[PrepareTransaction]] = {
            Action.CREATE: PrepareCreate,
            Action.TOP_UP: PrepareTopUp,
        }
        return known.get(self.action, PrepareChange)


class TransactionRequest(
    RootModel[
        Annotated[PrepareCreate | PrepareTopUp | PrepareChange, Field(discriminator="action")]
    ]
):
    """All bodies of POST /v1/transactions, for OpenAPI."""


class SubmitTransaction(RequestBody):
    """POST /v1/transactions/submit: the signed envelope."""

    xdr: Annotated[
        str, Field(min_length=1, description="base64 XDR of a signed TransactionEnvelope")
    ]
