"""The settings of the simulated network, read once from the environment.

See docs/decisions/0040-simulator-is-compared-with-real-servers.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any


def _setting(default: object, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """Each field is an environment variable of the same name in capitals."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(0, "port to listen on; 0 = any free port, which is logged")
    network_passphrase: str = _setting(
        "Headrace Local Network ; November 2026",
        "passphrase of the network; signatures depend on it",
    )
    close_seconds: float = _setting(3.0, "seconds between ledgers; 0: only by POST /sim/close")
    submit_close_seconds: float = _setting(
        0.0, "seconds from a submitted transaction until a ledger closes; 0: as without it"
    )
    start_ledger: int = _setting(3_700_000, "sequence number of the first ledger")
    history_ledgers: int = _setting(2_000, "number of ledgers kept; older ledgers are dropped")
    streams: int = _setting(8, "payment streams that the script keeps running; 0: no script")
    seed: str = _setting("headrace", "seed of the script; the same seed gives the same events")
    script_tokens: int = _setting(
        1, "tokens that the script uses in turn: 1 (USDC), 2 (and XLM) or 3 (and GOLD)"
    )
    fee_bps: int = _setting(50, "fee of the stream contract, hundredths of a percent")
    stream_seconds: float = _setting(55.0, "seconds after which Horizon ends a stream")
    protocol: int = _setting(30, "protocol version; also the version of Horizon and RPC")
    stream_poll_seconds: float = _setting(
        0.0, "seconds between a stream's checks for a new ledger (real Horizon: 5); 0: at once"
    )
    root_cache_seconds: float = _setting(
        0.0, "seconds between Horizon's checks of its bounds; real Horizon: 1"
    )
    healthy_seconds: float = _setting(
        30.0, "age in seconds above which RPC is unhealthy, if the clock closes ledgers; 0: never"
    )
    vectors: str = _setting("", "file of stellar-core's transactions to replay as the chain")
    vectors_pass: int = _setting(0, "which pass of the file to replay")

    @property
    def oldest_healthy(self) -> float:
        """The age of the last ledger, in seconds, above which RPC is unhealthy.

        It is infinite without a clock: if ledgers are closed by hand or replayed, their times do
        not fit the clock.
        """
        judged = self.healthy_seconds > 0 and self.close_seconds > 0 and not self.vectors
        return self.healthy_seconds if judged else float("inf")


_KINDS: Mapping[Any, Callable[[str], object]] = {"str": str, "int": int, "float": float}


def from_environment(environment: Mapping[str, str]) -> SimulatorSettings:
    """Read the settings. Raises a single ValueError with all mistakes."""
    values: dict[str, Any] = {}
    mistakes = []
    for each in fields(SimulatorSettings):
        text = environment.get(each.name.upper())
        if not text:
            continue
        try:
            values[each.name] = _KINDS[each.type](text)
        except ValueError:
            mistakes.append(f"{each.name.upper()}={text!r} is no {each.type}")
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return SimulatorSettings(**values)


def usage() -> str:
    """The text of `--help`."""
    lines = [
        f"  {f.name.upper():19} {f.metadata['meaning']} ({f.default!r})"
        for f in fields(SimulatorSettings)
    ]
    head = "python -m deploy.simulator: a simulated Stellar network (Horizon at /, RPC at /rpc)."
    return "\n".join([head, "", "Settings, from the environment:", *lines])


def load(arguments: Sequence[str]) -> SimulatorSettings:
    """Read the settings from the environment. Print the help or all mistakes; exit (0 or 2)."""
    if arguments:
        print(usage())
        raise SystemExit(0 if arguments[0] in ("-h", "--help") else 2)
    try:
        return from_environment(os.environ)
    except ValueError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
