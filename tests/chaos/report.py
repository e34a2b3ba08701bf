"""The report of a run: a table, and the text of a violation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from tests.chaos.checker import Kind, Violation, shortest

GOALS = {
    "SIGKILL of a fanout": 2.0,
    "SIGKILL of the active indexer": 5.0,
    "SIGKILL of the primary": 10.0,
}
"""Goals in seconds: until the fanout's clients are connected again; else until events flow."""


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault, its start, and the seconds from its end until an event of a later ledger arrived.

    `alone` is True if no other fault was active at the same time. Goals apply only then.
    """

    name: str
    note: str
    at: float
    recovery: float | None
    alone: bool = True


@dataclass(slots=True)
class Report:
    """The results of a run."""

    seed: int
    seconds: float
    injected: list[InjectedFault] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    chain_events: int = 0
    api_events: int = 0
    acks: int = 0
    tries: int = 0
    delivered: int = 0
    archived: int = 0
    gaps: int = 0
    resets: int = 0
    transfers: int = 0
    connections: int = 0
    clients: int = 0
    returns: dict[str, float] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    more: str = ""
    webhooks: str = ""


def show(report: Report, console: Console) -> None:
    """Print the table.

    With violations, print the shortest, those of parts that never recovered, and the command to
    repeat the run.
    """
    console.print(_faults(report))
    console.print(_sums(report))
    for late in report.late:
        console.print(f"[bold]over its goal[/]: {late}", highlight=False)
    if not report.violations:
        return
    stuck = [each for each in report.violations if each.kind is Kind.STUCK]
    for each in dict.fromkeys([shortest(report.violations), *stuck]):
        _print(each, console)
    command = f"make chaos SEED={report.seed} DURATION={report.seconds:g}{report.more}"
    console.print(f"repeat: {command}")


def _print(violation: Violation | None, console: Console) -> None:
    assert violation
    lines = "\n".join(f"  {line}" for line in violation.history)
    where = f"{violation.observer}, {violation.where}"
    console.print(f"[bold]{violation.kind}[/]: {where}", highlight=False)
    console.print(lines, highlight=False, markup=False)


def _faults(report: Report) -> Table:
    table = Table("fault", "times", "slowest recovery of events", "slowest reconnect", "goal")
    for name, times in sorted(Counter(each.name for each in report.injected).items()):
        seconds = [each.recovery for each in report.injected if each.name == name]
        worst = "never" if None in seconds else f"{max(s for s in seconds if s is not None):.2f} s"
        back = report.returns.get(name)
        goal = GOALS.get(name)
        again = f"{back:.2f} s" if back else ""
        table.add_row(name, str(times), worst, again, f"{goal:g} s" if goal else "")
    return table


def _sums(report: Report) -> Table:
    table = Table(f"seed {report.seed}, {report.seconds:g} s", "")
    table.add_row("events of the ledger", str(report.chain_events))
    table.add_row("events of the API", str(report.api_events))
    table.add_row("acknowledged commands, requests", f"{report.acks}, {report.tries}")
    table.add_row("clients, connections", f"{report.clients}, {report.connections}")
    table.add_row("events delivered", str(report.delivered))
    table.add_row("transfers of a recipient", f"{report.transfers}")
    table.add_row("gaps, resets received", f"{report.gaps}, {report.resets}")
    if report.webhooks:
        table.add_row("webhook deliveries, repeated events", report.webhooks)
    kinds = Counter(each.kind for each in report.violations)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    table.add_row("violations", counts or "0")
    return table
