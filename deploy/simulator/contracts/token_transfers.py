"""What transfers do to the amounts that accounts and contracts hold, and why a token refuses them.

Pure. The codes and texts are those of the contract of Stellar assets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from stellar_sdk import MuxedAccount, StrKey

from deploy.simulator.chain.accounts import ASSETS, LUMENS, TOKENS
from deploy.simulator.chain.holding_entries import I64_MAX
from deploy.simulator.chain.holdings import Holding
from deploy.simulator.chain.values import Emitted, native

ACCOUNT_MISSING, BALANCE, TRUSTLINE_MISSING = 6, 10, 13
LEAST_LUMENS = 20_000_000
"""The stroops that an account must keep: two base reserves for itself, two for trustlines."""
_OUT_OF_RANGE = "resulting balance is not within the allowed range"

Amount = Callable[[str, str], int | None]
"""What a holder has of a token; None without an account, trustline or balance."""


class Transfer(NamedTuple):
    """A transfer of `amount` base units of a token."""

    token: str
    payer: str
    payee: str
    amount: int


class TokenRefusedError(Exception):
    """The token refuses a transfer. `code` is 0 if the token is no asset: then its code traps."""

    def __init__(
        self, transfer: Transfer, code: int, reason: str, details: tuple[int, ...]
    ) -> None:
        super().__init__(f"{reason} (error {code} of the token)")
        self.transfer = transfer
        self.code = code
        self.reason = reason
        self.details = details


def transfers(events: Iterable[Emitted]) -> Iterator[Transfer]:
    """The transfers of tokens among the events of a transaction, in their order."""
    for event in events:
        if event.contract_id in TOKENS.values() and event.name == "transfer":
            payer, payee = map(native, event.topics[1:3])
            data = event.data
            amount = data.get("amount") if isinstance(data, dict) else data
            if isinstance(payer, str) and isinstance(payee, str) and isinstance(amount, str):
                yield Transfer(event.contract_id, _account(payer), _account(payee), int(amount))


def _account(address: str) -> str:
    """The account of a sub-account (M…); another address is returned unchanged."""
    return MuxedAccount.from_account(address).account_id if address.startswith("M") else address


def moved(held: Amount, moves: Iterable[Transfer]) -> Mapping[Holding, int]:
    """The amounts after the transfers. Raises TokenRefusedError if one of them is not possible."""
    after: dict[Holding, int] = {}
    for move in moves:
        for holder, change in ((move.payer, -move.amount), (move.payee, move.amount)):
            holding = Holding(move.token, holder)
            if not _is_issuer(holding):
                after[holding] = _changed(move, holding, after.get(holding, held(*holding)), change)
    return after


def supplied(held: Amount, moves: Iterable[Transfer]) -> Mapping[Holding, int]:
    """The amounts after transfers that are not refused: what a payer lacks is added before."""
    after: dict[Holding, int] = {}
    for move in moves:
        for holder, change in ((move.payer, -move.amount), (move.payee, move.amount)):
            holding = Holding(move.token, holder)
            before = after.get(holding, held(*holding))
            if before is None and _by_trustline(holding):
                continue  # nothing is held without an account or a trustline
            after[holding] = min(I64_MAX, max(_least(holding), (before or 0) + change))
    return after


def _changed(move: Transfer, holding: Holding, before: int | None, change: int) -> int:
    if before is None and _by_trustline(holding):
        if holding.token == LUMENS:
            raise TokenRefusedError(move, ACCOUNT_MISSING, "account entry is missing", ())
        reason = "trustline entry is missing for account"
        raise TokenRefusedError(move, TRUSTLINE_MISSING, reason, ())
    after, least = (before or 0) + change, _least(holding)
    if (change < 0 and after < least) or after > I64_MAX:
        code = BALANCE if move.token in ASSETS or move.token == LUMENS else 0
        raise TokenRefusedError(move, code, _OUT_OF_RANGE, (least, after, I64_MAX))
    return after


def _least(holding: Holding) -> int:
    return LEAST_LUMENS if holding.token == LUMENS and _by_trustline(holding) else 0


def _by_trustline(holding: Holding) -> bool:
    """True if only an account that exists, or has the trustline, can hold it."""
    of_asset = holding.token in ASSETS or holding.token == LUMENS
    return of_asset and StrKey.is_valid_ed25519_public_key(holding.holder)


def _is_issuer(holding: Holding) -> bool:
    asset = ASSETS.get(holding.token)
    return asset is not None and asset.issuer == holding.holder
