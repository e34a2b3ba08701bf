"""Events that the contract's authors have announced, with sample values for all their fields.

The operation `emit` publishes them. They have no effect on the simulated contract.
"""

from __future__ import annotations

from deploy.simulator.chain.accounts import ADMIN, TOKEN, address
from deploy.simulator.chain.values import Emission, Typed
from deploy.simulator.contracts.dialect import emission, typed

_PARTIES = {"sender": address("alice"), "recipient": address("bob"), "token_address": TOKEN}
_OF_STREAM: dict[str, dict[str, object]] = {
    "step_vesting_stream_created": {
        **_PARTIES,
        "deposited_amount": 900,
        "step_count": 3,
        "last_unlock_time": 4_000_000_000,
    },
    "hybrid_cliff_stream_created": {
        **_PARTIES,
        "deposited_amount": 1000,
        "cliff_time": 3_900_000_000,
        "cliff_unlock_amount": 400,
        "rate_per_second": 6,
    },
    "allowance_stream_created": {**_PARTIES, "rate_per_second": 1, "start_time": 1_770_000_000},
    "milestone_condition_unlocked": {
        "milestone_id": 2,
        "amount": 300,
        "caller": address("carol"),
        "timestamp": 1_770_000_100,
    },
    "dispute_requested": {
        "sender": address("alice"),
        "arbiter": address("carol"),
        "timestamp": 1_770_000_100,
    },
    "dispute_resolved": {
        "arbiter": address("carol"),
        "approved": True,
        "timestamp": 1_770_000_100,
    },
    "stream_closed": {"closer": address("alice"), "timestamp": 1_770_000_100},
}
_OF_CONTRACT: dict[str, dict[str, object]] = {
    "protocol_pause_status": {
        "caller": address(ADMIN),
        "paused": True,
        "timestamp": 1_770_000_100,
    },
    "FlowFi.ProtocolPaused": {"admin": address(ADMIN), "is_paused": True},
    "emergency_guardian_updated": {"admin": address(ADMIN), "guardian": None},
    "contract_upgraded": {
        "admin": address(ADMIN),
        "old_wasm_hash": bytes(32),
        "new_wasm_hash": b"\x01" * 32,
        "timestamp": 1_770_000_100,
    },
    "state_migrated": {"admin": address(ADMIN), "old_version": 0, "new_version": 2},
}
NAMES = (*_OF_STREAM, *_OF_CONTRACT)
"""A name with a point stands for two topics."""


def announced(contract_id: str, name: str, stream_id: str) -> Emission:
    """The event of this name; of stream `stream_id` if it concerns a stream."""
    if name in _OF_STREAM:
        return emission(contract_id, name, _OF_STREAM[name], stream_id)
    topics = tuple(Typed("symbol", part) for part in name.split("."))
    fields = _OF_CONTRACT[name]
    return Emission(contract_id, topics, {each: typed(each, fields[each]) for each in fields})
