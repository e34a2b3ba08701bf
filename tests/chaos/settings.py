"""The settings of a world's services."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings as NetworkSettings
from tests.chaos.tokens import SECRET

NAMESPACE = "chaos"

COMMON = {
    "NAMESPACE": NAMESPACE,
    "CONTRACTS": accounts.STREAMS,
    "NETWORK_PASSPHRASE": NetworkSettings().network_passphrase,
    "AUTH_MODE": "required",
    "JWT_SECRET": SECRET,
    "START": "earliest",
    "SOURCE_READ_SECONDS": "1.5",
    "SOURCE_WAIT_SECONDS": "1",
    "RPC_POLL_SECONDS": "0.2",
    "AUDIT_SECONDS": "2",
    "RATE_LIMIT_IP": "0",
    "BYTES_PER_IP": "0",
    "DRAIN_SECONDS": "0.5",
    "SYNC_SECONDS": "1",
    "RETRY_MS": "500",
    "GZIP": "true",
    "RING_EVENTS": "300",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "WEBHOOK_LEASE_SECONDS": "4",  # Redis may need two seconds for an answer on a busy machine
}
"""Short waits, few recent events (so that resumes read the journal), no limits by address."""


def sources_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The sources of the indexers, in their order."""
    if environment.get("RPC_URL") == "":
        return ("horizon",)
    source = environment.get("SOURCE", "horizon")
    return {"rpc": ("rpc",), "auto": ("rpc", "horizon")}.get(source, ("horizon", "rpc"))
