"""Versions of RPC, one too old and one new enough, and the alarm about them."""

from __future__ import annotations

from prometheus_client import REGISTRY

OLD = {"version": "22.1.3-7e71", "core": "stellar-core 22.4.1 (ab)", "protocol": 22}
NEW = {"version": "27.1.1-7e71", "core": "stellar-core 27.1.0 (cd)", "protocol": 27}


def alarm() -> float | None:
    return REGISTRY.get_sample_value("headrace_indexer_alarm", {"kind": "rpc_too_old"})
