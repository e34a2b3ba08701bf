"""The stream contract's events as they appear on the chain: names, topics and types of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from deploy.simulator.chain.values import Emission, Typed

_KINDS = {
    "u64": "cliff_time last_unlock_time new_end_time paused_at start_time stream_id timestamp",
    "u32": "fee_rate_bps milestone_id new_fee_rate_bps new_version old_fee_rate_bps old_version"
    " step_count",
    "bool": "approved is_paused paused",
    "bytes": "new_wasm_hash old_wasm_hash",
    "address": "admin arbiter caller closer guardian new_admin new_recipient new_treasury"
    " old_recipient old_treasury previous_admin recipient sender token token_address treasury",
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names.split()}
"""The type of each field; every other field is an amount, an i128."""


def emission(
    contract_id: str, name: str, data: Mapping[str, object], stream_id: str | None = None
) -> Emission:
    """An event of the contract. An event of a stream has the id as a topic and as a field."""
    topics = [Typed("symbol", name)]
    if stream_id is not None:
        topics.append(Typed("u64", int(stream_id)))
        data = {**data, "stream_id": int(stream_id)}
    return Emission(contract_id, tuple(topics), {key: typed(key, data[key]) for key in data})


def typed(name: str, value: object) -> Typed:
    """The value of a field with its type on the chain. None becomes void."""
    return Typed("void") if value is None else Typed(_KIND_OF.get(name, "i128"), value)


def without(event: Emission, omit: Sequence[str]) -> Emission:
    """The event without the data fields in `omit`, as older contracts emit it."""
    if isinstance(event.data, Typed) or not omit:
        return event
    data = {name: value for name, value in event.data.items() if name not in omit}
    return replace(event, data=data)
