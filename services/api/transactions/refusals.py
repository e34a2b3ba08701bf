"""The errors of the stream contract and of asset contracts: name, sentence, and what to change.

Pure. The numbers are those of the contracts: StreamError of the stream contract, and ContractError
of the built-in contract of Stellar assets (SAC).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.api.errors import TransactionRefusedError
from services.api.transactions.calls import Action, ActionCall
from services.api.transactions.failures import Failure


class Refusal(NamedTuple):
    """An error of a contract. `pointer` is the field of the request that should change."""

    name: str
    sentence: str
    pointer: str = ""


_STREAM, _SOURCE, _AMOUNT, _TOKEN, _DURATION = (
    f"/{name}" for name in ("streamId", "source", "amount", "token", "duration")
)

STREAM_ERRORS: Mapping[int, Refusal] = {
    1: Refusal("InvalidAmount", "The amount must be above 0.", _AMOUNT),
    2: Refusal("StreamNotFound", "The contract has no stream with this number.", _STREAM),
    3: Refusal(
        "Unauthorized",
        "Only the recipient of a stream may withdraw, and only its sender may do the rest.",
        _SOURCE,
    ),
    4: Refusal("StreamInactive", "The stream is cancelled or completed.", _STREAM),
    5: Refusal("AlreadyInitialized", "The contract was initialized before."),
    6: Refusal("NotAdmin", "Only the admin of the contract may do this.", _SOURCE),
    7: Refusal("InvalidFeeRate", "The fee rate is above the maximum of the contract."),
    8: Refusal("NotInitialized", "The contract has not been initialized."),
    9: Refusal("InvalidDuration", "The duration must be above 0 seconds.", _DURATION),
    10: Refusal("InvalidTokenAddress", "There is no token contract at this address.", _TOKEN),
    11: Refusal(
        "InvalidRate",
        "The amount is too small for the duration: less than 1 base unit per second.",
        _AMOUNT,
    ),
    12: Refusal("StreamPaused", "The stream is paused. Its sender must resume it first.", _STREAM),
    13: Refusal("StreamNotPaused", "The stream is not paused.", _STREAM),
    14: Refusal("StreamAlreadyPaused", "The stream is already paused.", _STREAM),
    15: Refusal("ProtocolPaused", "The operators of the contract have paused it."),
    27: Refusal("TopUpUnsupported", "A stream with fixed steps cannot get more money.", _STREAM),
    34: Refusal("ArithmeticOverflow", "The numbers are too large for the contract.", _AMOUNT),
}
"""By StreamError. Numbers from 15 on are in later versions of the contract."""

_NOTHING = Refusal("InvalidAmount", "Nothing is claimable yet.", _STREAM)
"""What error 1 means in a withdrawal, which has no amount."""

ASSET_ERRORS: Mapping[int, Refusal] = {
    1: Refusal("InternalError", "The contract of the asset has failed."),
    2: Refusal("OperationNotSupportedError", "The asset does not support this operation.", _TOKEN),
    4: Refusal("UnauthorizedError", "The asset does not permit this transfer.", _TOKEN),
    6: Refusal("AccountMissingError", "An account of this transfer does not exist."),
    8: Refusal("NegativeAmountError", "The amount must not be negative.", _AMOUNT),
    9: Refusal("AllowanceError", "The allowance is too low.", _AMOUNT),
    10: Refusal("BalanceError", "The balance of the token is too low for this amount.", _AMOUNT),
    11: Refusal(
        "BalanceDeauthorizedError", "The issuer of the asset has frozen a balance.", _TOKEN
    ),
    12: Refusal("OverflowError", "A balance would become too large.", _AMOUNT),
    13: Refusal(
        "TrustlineMissingError",
        "An account of this transfer has no trustline for the asset. It must add one first.",
        _TOKEN,
    ),
}
"""By ContractError of the SAC."""


def refusal_of(failure: Failure, call: ActionCall, *, by_asset: bool) -> TransactionRefusedError:
    """The error for the client. `by_asset`: the contract that failed is that of an asset."""
    refusal = _refusal(failure, call, by_asset=by_asset)
    pointer = refusal.pointer if refusal.pointer in _FIELDS[call.action] else ""
    return TransactionRefusedError(refusal.name, refusal.sentence, pointer)


_FIELDS: Mapping[Action, frozenset[str]] = {
    **dict.fromkeys(Action, frozenset({_SOURCE, _STREAM})),
    Action.CREATE: frozenset({_SOURCE, _TOKEN, _AMOUNT, _DURATION}),
    Action.TOP_UP: frozenset({_SOURCE, _STREAM, _AMOUNT}),
}
"""The fields of a request that a refusal can name."""


def _refusal(failure: Failure, call: ActionCall, *, by_asset: bool) -> Refusal:
    code, where = failure.code, failure.contract_id
    if code is None:
        return Refusal("HostError", f"The call would fail: Error({failure.reason}).")
    if by_asset:
        return ASSET_ERRORS.get(code) or _unknown("AssetError", code, where)
    if where not in (None, call.contract_id):
        return _unknown("TokenError", code, where)
    if code == 1 and call.action is Action.WITHDRAW:
        return _NOTHING
    return STREAM_ERRORS.get(code) or _unknown("StreamError", code, call.contract_id)


def _unknown(kind: str, code: int, contract_id: str | None) -> Refusal:
    return Refusal(f"{kind}{code}", f"Contract {contract_id} refuses with its error {code}.")
