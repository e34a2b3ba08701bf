"""The architecture: what may import what, and what may stand where; read from the source.

See docs/decisions/0060-folders-with-an-import-order.md.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("shared", "services", "deploy")
SERVICES = ("api", "archiver", "fanout", "indexer", "webhooks")
NOT_OURS = {".git", ".venv", ".run", "node_modules", "build", "dist", ".hypothesis", "__pycache__"}
NOT_OURS |= {".mypy_cache", ".ruff_cache", ".pytest_cache", "htmlcov"}

ORDER = (
    "shared.domain",
    "shared.journal.keys",
    "shared.runtime",
    "shared.redis",
    "shared.web",
    "shared.journal",
    "shared.archive",
    "shared.auth",
    "shared.webhooks",
    *(f"shared.chain.{name}" for name in ("errors", "xdr", "decode", "http", "rpc")),
    *(f"services.fanout.{name}" for name in ("settings", "reasons", "metrics")),
    *(f"services.fanout.{name}" for name in ("jitter", "sse", "frame")),
    "services.fanout.feed",
    "services.fanout.connections",
    "services.fanout.subscribe",
    "services.fanout",
    "services.api.errors",
    "services.api.auth.settings",
    *(f"services.api.{name}" for name in ("settings", "metrics", "http", "auth")),
    "services.api.transactions.calls",
    *(f"services.api.{name}" for name in ("models", "tokens", "transactions")),
    *(f"services.api.{name}" for name in ("streams", "events", "system", "webhooks")),
    "services.api.reference",
    *(f"services.api.{name}" for name in ("console", "commands")),
    "services.api",
    *(f"services.indexer.{name}" for name in ("settings", "reasons", "metrics")),
    *(f"services.indexer.sources.{name}" for name in ("base", "ledger_range")),
    *(f"services.indexer.sources.{name}" for name in ("versions", "upstream")),
    "services.indexer.sources.verified_reader",
    *(f"services.indexer.sources.{name}" for name in ("rpc", "horizon", "failover")),
    *(f"services.indexer.{name}" for name in ("sources", "ingest", "state", "tokens", "commands")),
    "services.indexer",
    *(f"services.archiver.{name}" for name in ("settings", "metrics", "errors", "buffer")),
    *(f"services.archiver.{name}" for name in ("patience", "segments", "progress_note")),
    "services.archiver.store_check",
    *(f"services.archiver.{name}" for name in ("archiving", "merging", "retention", "sweeping")),
    *(f"services.archiver.{name}" for name in ("housekeeping", "watching", "turns", "app")),
    *(f"services.archiver.{name}" for name in ("verification", "erasing", "journal_tail")),
    *(f"services.archiver.{name}" for name in ("damage", "restoring", "commands")),
    "services.archiver",
    *(f"services.webhooks.{name}" for name in ("settings", "metrics", "sending")),
    *(f"services.webhooks.partitions.{name}" for name in ("sharing", "leases", "membership")),
    *(f"services.webhooks.reading.{name}" for name in ("recent", "divergence", "following")),
    "services.webhooks.reading",
    *(f"services.webhooks.delivering.{name}" for name in ("window", "retries", "messages")),
    *(f"services.webhooks.delivering.{name}" for name in ("index", "rewind", "beginning")),
    *(f"services.webhooks.delivering.{name}" for name in ("announcing", "progress_writer")),
    "services.webhooks.delivering",
    *(f"services.webhooks.{name}" for name in ("measuring", "dispatcher", "app")),
    "services.webhooks",
    *(f"deploy.simulator.{name}" for name in ("settings", "problems", "versions", "chain")),
    "deploy.simulator.contracts",
    *(f"deploy.simulator.{name}" for name in ("future_protocol", "execution", "script")),
    "deploy.simulator.submission",
    *(f"deploy.simulator.{name}" for name in ("replay", "network", "faults")),
    *(f"deploy.simulator.{name}" for name in ("app_keys", "responses")),
    "deploy.simulator.faults.wire_faults",
    *(f"deploy.simulator.{name}" for name in ("horizon", "rpc")),
    "deploy.simulator",
    "deploy",
)
"""Folders and modules from the bottom up: each imports only itself and what comes before it."""

# No socket, no clock, no chance: all that these do follows from their arguments.
PURE = (
    *(f"shared.domain.{name}" for name in ("assets", "commands", "contracts", "errors", "events")),
    *(f"shared.domain.{name}" for name in ("instant", "position", "schedule")),
    *(f"shared.domain.{name}" for name in ("snapshot", "stream")),
    *(f"shared.domain.{name}" for name in ("strkeys", "tokens", "topics", "transitions")),
    *(f"shared.journal.{name}" for name in ("indexes", "keys", "plan", "reported")),
    *(f"shared.journal.{name}" for name in ("read_size", "stream_document", "wire")),
    *(f"shared.archive.{name}" for name in ("errors", "hashes", "manifest", "segment")),
    *(f"shared.archive.{name}" for name in ("topic_filter", "topic_rows")),
    *(f"shared.{name}" for name in ("runtime.urls", "web.horizon_errors", "chain.errors")),
    "shared.auth.signing_keys",
    "shared.web.public_addresses",
    *(f"shared.webhooks.{name}" for name in ("endpoint", "urls")),
    "services.api.errors",
    *(f"services.archiver.{name}" for name in ("buffer", "erasing", "errors", "verification")),
    "services.webhooks.partitions.sharing",
    "services.webhooks.reading.recent",
    *(f"services.webhooks.delivering.{name}" for name in ("window", "retries", "messages")),
    *(f"services.webhooks.delivering.{name}" for name in ("index", "rewind", "beginning")),
    "services.api.events.ranges",
    *(f"services.api.transactions.{name}" for name in ("calls", "checks", "documents")),
    *(f"services.api.transactions.{name}" for name in ("envelopes", "failures", "reading")),
    *(f"services.api.transactions.{name}" for name in ("refusals", "settled", "simulation")),
    "services.fanout.connections.hub",
    "services.fanout.feed.recent",
    "services.fanout.sse",
    "services.fanout.frame",
    "services.indexer.commands.verification",
    *(f"shared.chain.decode.{name}" for name in ("contracts", "dead_letters", "proof")),
    *(f"shared.chain.decode.{name}" for name in ("creations", "records", "storage")),
    *(f"shared.chain.decode.stream_{name}" for name in ("contract", "events", "record")),
    *(f"shared.chain.decode.{name}" for name in ("token_contract", "transactions")),
    "services.indexer.ingest.gap",
    *(f"services.indexer.sources.{name}" for name in ("base", "ledger_range", "versions")),
    "services.indexer.reasons",
    *(f"services.indexer.state.{name}" for name in ("comparison", "findings")),
    "services.indexer.sources.failover.policy",
    "services.indexer.sources.horizon.counting",
    *(f"services.indexer.sources.rpc.{name}" for name in ("pages", "span", "transactions")),
    "services.indexer.tokens.metadata",
    "shared.chain.xdr",
    *(f"shared.chain.xdr.{name}" for name in ("address", "entries", "event", "ledger")),
    *(f"shared.chain.xdr.{name}" for name in ("ledger_keys", "meta", "natives", "reader")),
    *(f"shared.chain.xdr.{name}" for name in ("fast_shapes", "result", "scval", "shapes")),
)
WORDS = (
    "shared.web.problems.Goodbye",
    "shared.journal.topic_index.BROADCASTS",
    "shared.webhooks.progress.Progress",
)
"""Mere names and plain documents in modules that do more."""
IMPURE = {"asyncio", "aiohttp", "redis", "time", "random", "socket", "uvloop", "secrets", "os"}


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, none of what tools made."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name for name in folders if name not in NOT_OURS and not name.endswith(".egg-info")
        ]
        found += [
            Path(folder, name)
            for name in names
            if name not in NOT_OURS and not name.startswith(".coverage")
        ]  # a worktree's .git
    return tuple(sorted(found))


def modules(*parts: str) -> list[Path]:
    return [
        path
        for path in files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in parts
    ]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports anywhere in it."""
    package = name_of(path).split(".")[: None if path.name == "__init__.py" else -1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def offences(paths: list[Path], *forbidden: str, but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name_of(path)} imports {module}"
        for path in paths
        for module in imports(path)
        if within(module, *forbidden) and not within(module, *but)
    ]


def rank(module: str) -> int:
    """The place of a module in ORDER: that of the longest name that it is within."""
    return max(
        ((len(name), n) for n, name in enumerate(ORDER) if within(module, name)), default=(0, -1)
    )[1]


@pytest.mark.parametrize("path", modules(*PARTS), ids=name_of)
def test_a_module_imports_only_itself_and_what_comes_before_it(path: Path) -> None:
    own = rank(name_of(path))
    ours = [module for module in imports(path) if within(module, *PARTS)]
    assert [module for module in ours if rank(module) > own] == []


def test_every_entry_of_the_order_is_there() -> None:
    for name in ORDER:
        place = ROOT / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), name


def test_shared_imports_no_service_no_deployment_and_no_test() -> None:
    assert offences(modules("shared"), "services", "deploy", "tests") == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_shared_and_itself_alone(service: str) -> None:
    own = f"services.{service}"
    paths = [path for path in modules("services") if within(name_of(path), own)]
    assert paths
    assert offences(paths, "services", "deploy", "tests", but=(own,)) == []


def test_there_is_no_service_that_these_tests_do_not_know() -> None:
    found = {
        name_of(path).split(".")[1]
        for path in modules("services")
        if path.parent.name != "services"
    }
    assert found == set(SERVICES)


def test_the_deployment_imports_no_service_and_no_test() -> None:
    assert offences(modules("deploy"), "services", "tests") == []


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_has_no_socket_no_clock_and_no_chance(module: str) -> None:
    place = ROOT / module.replace(".", "/")
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    assert path.is_file(), f"{module} is declared pure but is not there: mend PURE"
    assert offences([path], *IMPURE) == []
    ours = {name for name in imports(path) if within(name, "shared", "services", "deploy")}
    assert {name for name in ours if not within(name, *PURE, *WORDS)} == set(), (
        "leans on impure modules"
    )


def test_all_of_the_decoder_is_declared_pure() -> None:
    decoder = [path for path in modules("shared") if path.parent.name == "xdr"]
    assert decoder
    assert {name_of(path) for path in decoder} <= set(PURE)


def test_public_class_names_are_unique() -> None:
    found: dict[str, list[str]] = {}
    for path in modules(*PARTS):
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(name_of(path))
    assert {name: files for name, files in found.items() if len(files) > 1} == {}
