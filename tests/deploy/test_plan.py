"""Which contracts a local run watches, depending on its environment."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.local.plan import Ports, read_chain
from deploy.simulator.chain import accounts

LUMENS = "CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC"
NAMED = f"{accounts.STREAMS}:stream,{accounts.TOKEN}:token"


@pytest.mark.parametrize(
    ("environment", "contracts"),
    [
        ({}, accounts.STREAMS),
        ({"NETWORK": "testnet"}, LUMENS),
        ({"CONTRACTS": NAMED}, NAMED),
        ({"NETWORK": "testnet", "CONTRACTS": NAMED}, NAMED),
        ({"NETWORK": "testnet", "CONTRACT_IDS": accounts.STREAMS}, accounts.STREAMS),
    ],
)
def test_contracts_default_to_a_busy_one(environment: dict[str, Any], contracts: str) -> None:
    assert read_chain(environment, Ports()).environment["CONTRACTS"] == contracts
