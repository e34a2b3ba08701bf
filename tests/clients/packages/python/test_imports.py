"""The package stands alone: it imports the standard library, aiohttp and orjson, and itself.

Its folders have an import order, as those of the server (tests/test_architecture.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.test_architecture import IMPURE, ROOT, imports, modules, within

FOLDER = ROOT / "clients/python"
MODULES = [path for path in modules("clients") if path.is_relative_to(FOLDER)]

ORDER = (
    *(f"headrace_client.{name}" for name in ("errors", "positions", "version", "backoff")),
    "headrace_client.model",
    *(f"headrace_client.{name}" for name in ("login", "http")),
    *(f"headrace_client.subscribe.{name}" for name in ("sse", "subscription", "state", "cursors")),
    "headrace_client.subscribe",
    *(f"headrace_client.{name}" for name in ("transactions", "api", "follow", "client")),
    "headrace_client.cli",
    "headrace_client",
)
"""From the bottom up: each imports only itself and what comes before it."""

PURE = (
    *(f"headrace_client.{name}" for name in ("errors", "positions", "version", "backoff")),
    "headrace_client.model",
    *(f"headrace_client.subscribe.{name}" for name in ("sse", "subscription", "state", "frames")),
    "headrace_client.cli.lines",
)
ALLOWED = {*sys.stdlib_module_names, "aiohttp", "orjson", "yarl", "headrace_client"}
"""yarl comes with aiohttp, whose interface has its URLs."""


def own_name(path: Path) -> str:
    name = ".".join(path.relative_to(FOLDER).with_suffix("").parts)
    return name.removesuffix(".__init__")


def rank(module: str) -> int:
    return max(((len(n), i) for i, n in enumerate(ORDER) if within(module, n)), default=(0, -1))[1]


@pytest.mark.parametrize("path", MODULES, ids=own_name)
def test_a_module_imports_only_what_the_package_needs_and_what_comes_before_it(path: Path) -> None:
    found = set(imports(path))
    outside = {name for name in found if name.split(".")[0] not in ALLOWED}
    if own_name(path) == "headrace_client.subscribe.cursors":  # for types only, and an extra
        outside -= {"redis.asyncio.Redis"}
    assert outside == set()
    own = rank(own_name(path))
    ours = {name for name in found if within(name, "headrace_client")}
    assert {name for name in ours if rank(name) > own} == set()


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_has_no_socket_no_clock_and_no_chance(module: str) -> None:
    paths = [path for path in MODULES if within(own_name(path), module)]
    assert paths
    for path in paths:
        found = set(imports(path))
        assert {name for name in found if name.split(".")[0] in IMPURE} == set()
        ours = {name for name in found if within(name, "headrace_client")}
        assert {name for name in ours if not within(name, *PURE)} == set()


def test_every_entry_of_the_order_is_there() -> None:
    for name in {*ORDER, *PURE}:
        place = FOLDER / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), name
