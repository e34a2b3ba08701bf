"""The plan of a local run: commands and environments. It starts nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stellar_sdk import Asset

from deploy.local.gateway import find_gateway, proxy
from deploy.local.ports import Ports, UnusableSetupError
from deploy.local.processes import Part
from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings as NetworkSettings

_LOOPBACK = "127.0.0.0/8,::1/128"  # a name such as localhost often has addresses of both families
_TESTNET = {
    "NETWORK_PASSPHRASE": "Test SDF Network ; September 2015",
    "HORIZON_URL": "https://horizon-testnet.stellar.org",
    "RPC_URL": "https://soroban-testnet.stellar.org",
}


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """The chain that events come from: settings for all services, and whether it is simulated."""

    environment: Mapping[str, str]
    simulated: bool


def read_chain(environment: Mapping[str, str], ports: Ports) -> ChainSettings:
    """The settings for NETWORK. Raises UnusableSetupError if NETWORK has an unknown value."""
    network = environment.get("NETWORK") or "local"
    named = environment.get("CONTRACTS") or environment.get("CONTRACT_IDS")
    if network == "local":
        url = f"http://127.0.0.1:{ports.network}"
        local = {
            "NETWORK_PASSPHRASE": NetworkSettings().network_passphrase,
            "HORIZON_URL": url,
            "RPC_URL": f"{url}/rpc",
            "CONTRACTS": named or accounts.STREAMS,
            "START": "earliest",
        }
        return ChainSettings(local, simulated=True)
    if network != "testnet":
        raise UnusableSetupError(f"NETWORK={network!r}: expected local (the default) or testnet")
    # Watch the native asset's contract: it always has events, so one can see that all parts work.
    native = Asset.native().contract_id(_TESTNET["NETWORK_PASSPHRASE"])
    testnet = {k: environment.get(k) or v for k, v in _TESTNET.items()}
    return ChainSettings(testnet | {"CONTRACTS": named or native}, simulated=False)


def needs_login(environment: Mapping[str, str]) -> bool:
    """True if the services of this run need a token."""
    return (environment.get("AUTH_MODE") or "open") != "open"


def has_sandbox(chain: ChainSettings, environment: Mapping[str, str]) -> bool:
    """True if this run offers the sandbox.

    It may harm only what belongs to the run: no public network and no Redis of somebody else. It
    knows no login, so it is not offered if one is needed. The gateway must be a proxy.

    See docs/decisions/0112-sandbox-belongs-to-the-runner.md.
    """
    if needs_login(environment) or environment.get("REDIS_URL"):
        return False
    kind, _ = find_gateway(environment.get("GATEWAY", ""))
    return chain.simulated and kind != "api"


def archive_url(environment: Mapping[str, str], folder: Path) -> str:
    """The URL at which this run archives: ARCHIVE_URL, or the run's folder. Empty: nowhere.

    A Redis of somebody else outlives the run's folder, so by default nothing is archived for it.
    """
    default = "" if environment.get("REDIS_URL") else f"file://{folder.absolute()}/archive"
    return environment.get("ARCHIVE_URL", default)


def has_receiver(environment: Mapping[str, str]) -> bool:
    """True if this run has a sample receiver of webhooks.

    The runner makes a webhook for it. It can do so only without a login, and it makes none in a
    Redis of somebody else, because the webhook would outlive the run.
    """
    return not needs_login(environment) and not environment.get("REDIS_URL")


def parts(
    ports: Ports,
    chain: ChainSettings,
    folder: Path,
    *,
    sandbox: bool = False,
    archive: str = "",
    webhooks: bool = False,
) -> Sequence[Part]:
    """All processes except Redis, in the order in which they start.

    With `sandbox`, the gateway leads to the sandbox of the runner. `archive` is the URL of the
    archive. If it is empty, there is no archiver. With `webhooks`, there is a dispatcher.
    """
    common = {
        **chain.environment,
        "REDIS_URL": os.environ.get("REDIS_URL") or f"redis://127.0.0.1:{ports.redis}/0",
        "HOST": "127.0.0.1",
        "DRAIN_SECONDS": "1",
        "TRUSTED_PROXIES": "127.0.0.1/32",
        "ARCHIVE_URL": archive,
        "WEBHOOK_ALLOWED_NETWORKS": os.environ.get("WEBHOOK_ALLOWED_NETWORKS") or _LOOPBACK,
    }
    fanouts = [f"http://127.0.0.1:{port}" for port in ports.fanouts]
    ready = [f"{url}/readyz" for url in (*fanouts, f"http://127.0.0.1:{ports.indexer}")]
    domain = f"localhost:{ports.gateway}"
    # Only the API has the key that signs tokens. The fanouts read its public key.
    if os.environ.get("JWT_PRIVATE_KEY"):
        jwks = f"http://127.0.0.1:{ports.api}/.well-known/jwks.json"
        without_key = {**common, "JWT_PRIVATE_KEY": "", "JWKS_URL": jwks}
    else:
        without_key = common
    api = {**common, "READY_URLS": ",".join(ready), "WEB_AUTH_DOMAIN": domain}
    more = []
    if archive:
        more.append(_service("archiver", "services.archiver", without_key, ports.archiver))
    if webhooks:
        more.append(_service("webhooks", "services.webhooks", without_key, ports.webhooks))
    if more:
        api["SYSTEM_URLS"] = ",".join(f"http://127.0.0.1:{part.port}" for part in more)
    # Not restarted: a new process would begin another chain, which does not match the journal.
    script = {**common, "SCRIPT_TOKENS": "3"}  # so that one sees tokens with other decimals
    network = [
        replace(_service("network", "deploy.simulator", script, ports.network), restart=False)
    ]
    services = [
        _service("indexer", "services.indexer", without_key, ports.indexer),
        *more,
        *(
            _service(f"fanout-{n}", "services.fanout", without_key, port)
            for n, port in enumerate(ports.fanouts, 1)
        ),
        _service("api", "services.api", api, ports.api),
    ]
    return [*(network if chain.simulated else ()), *services, _gateway(ports, api, folder, sandbox)]


def _gateway(ports: Ports, api: Mapping[str, str], folder: Path, sandbox: bool) -> Part:
    kind, path = find_gateway(os.environ.get("GATEWAY", ""))
    if kind == "api":  # without a proxy, the API redirects subscribers to a fanout (307)
        redirects = {"FANOUT_URLS": ",".join(f"http://127.0.0.1:{p}" for p in ports.fanouts)}
        return _service("gateway", "services.api", {**api, **redirects}, ports.gateway)
    return proxy(
        kind,
        path,
        port=ports.gateway,
        api=f"127.0.0.1:{ports.api}",
        fanouts=[f"127.0.0.1:{fanout}" for fanout in ports.fanouts],
        folder=folder / "gateway",
        sandbox=f"127.0.0.1:{ports.sandbox}" if sandbox else "",
    )


def _service(name: str, module: str, environment: Mapping[str, str], port: int) -> Part:
    command = [sys.executable, "-m", module]
    return Part(name, command, {**environment, "PORT": str(port)}, port)
