"""Random faults on the whole system, and on systems from which one safeguard was removed.

These runs are short; `make chaos` makes longer ones. Each removed safeguard must be noticed under
the faults that it protects from. An indexer that never checks its lease must do no harm.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.local import gateway
from tests.chaos.checker import Kind
from tests.chaos.clocks import library
from tests.chaos.deletions import EMPTY, FLUSHED
from tests.chaos.report import Report, show
from tests.chaos.run import run
from tests.support.programs import needed
from tests.support.tier import at_length

pytestmark = [pytest.mark.io, pytest.mark.timeout(300)]

SHORT = (
    "SIGKILL of a fanout",
    "SIGKILL of the active indexer",
    "SIGKILL of Redis",
    "disk of Redis full",
    "SIGKILL of the API",
    "CLIENT KILL of pub/sub",
    "connections half-open",
    "clock of a service jumps",
    "clock of Redis jumps",
    "source misbehaves",
    "tokens revoked",
)


def shown(report: Report) -> str:
    text = io.StringIO()
    show(report, Console(file=text, width=110))
    return text.getvalue()


async def test_under_random_faults_no_event_is_lost(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "7"))
    report = await run(tmp_path, seed=seed, seconds=at_length(15, 300), only=SHORT)
    assert report.violations == [], shown(report)
    assert report.chain_events > 50
    assert report.acks > 20
    assert report.delivered > 3 * report.chain_events
    assert report.injected


HISTORY = (
    "Horizon restarts",
    "Horizon trims what is read",
    "history trimmed while read",
    "hole in Horizon",
    "hole in Horizon, trimmed in RPC",
    "metas are empty",
    "proxy refuses with a page",
    FLUSHED,
)
DELETED = (
    "RPC unhealthy and slow",
    "hole in RPC",
    "progress deleted",
    "document of a stream deleted",
    "epoch deleted",
    "entry of the journal deleted",
    "clock of an API is wrong",
    EMPTY,
)


@pytest.mark.parametrize(
    ("only", "environment"),
    [
        pytest.param(
            HISTORY, {"SOURCE": "horizon", "START": "earliest"}, marks=pytest.mark.nightly
        ),
        (DELETED, {"SOURCE": "auto", "START": "latest"}),
    ],
    ids=["history", "Redis"],
)
async def test_clients_are_told_of_real_losses_and_of_no_others(
    tmp_path: Path, only: tuple[str, ...], environment: dict[str, Any]
) -> None:
    seed = int(os.environ.get("SEED", "7"))
    only = at_length(only[1::2], only)  # both lists end with a fault that loses all data
    report = await run(tmp_path, seed=seed, seconds=5, only=only, **environment)
    assert report.violations == [], shown(report)
    missing = set(only) - {each.name for each in report.injected}
    assert missing <= {name for name in only if "clock" in name and not library()}
    assert report.resets, "all data was lost"
    assert report.transfers, "permissions change during the run"


async def noticed(
    seen: Collection[Kind],
    attempt: Callable[[int], Awaitable[Report]],
    seeds: Iterable[int] = (7, 8, 9),
) -> Report | None:
    """The first run with such a violation, or None if no seed gives one."""
    for seed in seeds:
        report = await attempt(seed)
        if {each.kind for each in report.violations} & set(seen):
            return report
    return None


NOTICED = [
    ("replay_off_by_one", "connections cut", Kind.MISSING),
    ("entitlement_off", "source lags", Kind.LEAK),
    ("fill_in_off", "CLIENT KILL of pub/sub", Kind.MISSING),
    ("dedup_off", "pub/sub late", Kind.DUPLICATE),
    ("fencing_off", "two indexers active", Kind.FENCE),
    ("endings_off", "source lags", Kind.ENDED),
    ("ledgers_uncounted", "hole in Horizon", Kind.LOST),
    ("ledgers_of_rpc_not_looked_for", "hole in RPC", Kind.LOST),
    ("zero_is_a_ledger", "Horizon restarts", Kind.STUCK),
    ("beginning_unnamed", FLUSHED, Kind.MISSING),
    ("own_clock", "clock of an API is wrong", Kind.EARLY),
]


@pytest.mark.nightly
@pytest.mark.parametrize(("mutation", "fault", "seen"), NOTICED)
async def test_a_removed_safeguard_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutation: str, fault: str, seen: Kind
) -> None:
    monkeypatch.setattr("tests.chaos.run._RECOVERY", 8.0)
    seconds = _LONGER.get(mutation, 6)

    async def attempt(seed: int) -> Report:
        folder = tmp_path / str(seed)
        mutant: dict[str, Any] = {"MUTATION": mutation, "SOURCE": "horizon"}
        mutant |= _MORE.get(mutation, {})
        return await run(folder, seed=seed, seconds=seconds, only=(fault,), settle=4, **mutant)

    report = await noticed({seen}, attempt)
    assert report
    assert f"make chaos SEED={report.seed} DURATION={seconds}" in shown(report)


_MORE = {
    "ledgers_of_rpc_not_looked_for": {"SOURCE": "rpc"},
    "zero_is_a_ledger": {"RPC_URL": ""},  # RPC would know the ledgers
    "beginning_unnamed": {"START": "latest"},
}
_LONGER = {"endings_off": 20}
"""Seconds of a run, if six are too few: tokens end after 3 to 12 s."""


@pytest.mark.nightly  # the short form is the case above
async def test_a_gateway_that_answers_by_status_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An nginx without our settings sends 502 while no fanout is available."""
    needed("nginx")
    shared = tmp_path / "shared"
    shutil.copytree(gateway._SHARED, shared)
    text = (shared / "server.conf").read_text()
    (shared / "server.conf").write_text(re.sub(r"error_page .*@overload;", "", text))
    monkeypatch.setattr(gateway, "_SHARED", shared)

    async def attempt(seed: int) -> Report:
        folder, killed = tmp_path / str(seed), ("SIGKILL of every fanout",)
        return await run(folder, seed=seed, seconds=1, only=killed, settle=4, SOURCE="horizon")

    report = await noticed({Kind.FINAL}, attempt)
    assert report
    final = [each for each in report.violations if each.kind is Kind.FINAL]
    assert {each.observer for each in final} == {"native-nginx"}
    assert final[0].history[0].startswith("HTTP/1.1 502")


@pytest.mark.nightly
async def test_the_fence_stops_an_indexer_that_never_checks_its_lease(
    tmp_path: Path,
) -> None:
    late: dict[str, Any] = {"MUTATION": "lease_unwatched", "SOURCE": "horizon"}
    report = await run(tmp_path, seed=7, seconds=6, only=("two indexers active",), **late)
    assert report.violations == [], shown(report)
