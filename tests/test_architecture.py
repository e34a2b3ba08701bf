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

from tests.support.architecture import ORDER, PURE, WORDS

ROOT = Path(__file__).parents[1]
PARTS = ("shared", "services", "deploy")
SERVICES = ("api", "archiver", "fanout", "indexer", "webhooks")
NOT_OURS = {".git", ".venv", ".run", "node_modules", "build", "dist", ".hypothesis", "__pycache__"}
NOT_OURS |= {".mypy_cache", ".ruff_cache", ".pytest_cache", "htmlcov"}

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
