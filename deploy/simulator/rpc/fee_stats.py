"""The method getFeeStats: the inclusion fees that transactions of the last ledgers paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from deploy.simulator.chain.envelopes import BASE_FEE
from deploy.simulator.chain.ledger import Ledger, Transaction
from deploy.simulator.chain.server_view import ServerView

Json = dict[str, object]
SOROBAN_LEDGERS, CLASSIC_LEDGERS = 50, 10
"""The numbers of ledgers over which stellar-rpc counts by default."""
_PERCENTILES = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99)


def fee_stats(chain: ServerView, least: int) -> Json:
    """The answer. In a surge, no fee is below `least` stroops."""
    return {
        "sorobanInclusionFee": _distribution(_last(chain, SOROBAN_LEDGERS), least, soroban=True),
        "inclusionFee": _distribution(_last(chain, CLASSIC_LEDGERS), least, soroban=False),
        "latestLedger": chain.latest.sequence,
    }


def _last(chain: ServerView, count: int) -> list[Ledger]:
    latest = chain.latest.sequence
    return list(chain.ledgers(latest - count + 1, latest + 1))


def _distribution(ledgers: Sequence[Ledger], least: int, *, soroban: bool) -> Json:
    """The distribution as stellar-rpc writes it: all numbers but one are texts."""
    found = [each for ledger in ledgers for each in ledger.transactions]
    fees = sorted(max(least, each.inclusion_fee) for each in found if _is_soroban(each) is soroban)
    percentiles = {f"p{each}": _percentile(fees, each) for each in _PERCENTILES}
    mode = Counter(fees).most_common(1)[0][0] if fees else 0
    numbers = {"max": max(fees, default=0), "min": min(fees, default=0), "mode": mode}
    texts = {name: str(value) for name, value in {**numbers, **percentiles}.items()}
    return {**texts, "transactionCount": str(len(fees)), "ledgerCount": len(ledgers)}


def _percentile(fees: Sequence[int], percent: int) -> int:
    """The fee of which `percent` of all fees are at most as high."""
    return fees[-(-percent * len(fees) // 100) - 1] if fees else 0


def _is_soroban(transaction: Transaction) -> bool:
    """A classic transaction pays for its inclusion only, with a fee bump twice."""
    return transaction.fee_charged - transaction.inclusion_fee > BASE_FEE
