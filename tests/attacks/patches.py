"""Ways to remove a safeguard: replace a name of the code, or a part of a file."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

Patch = Callable[[pytest.MonkeyPatch], None]


class Mutant(NamedTuple):
    """A removed safeguard, and the test that notices it."""

    test: str
    patch: Patch


def replaced(target: str, value: object) -> Patch:
    """Replace one name, such as `package.module.Class.method`."""
    return lambda patches: patches.setattr(target, value)


def in_commit(old: str, new: str) -> Patch:
    """Replace a part of the commit script."""

    def patch(patches: pytest.MonkeyPatch) -> None:
        from shared.journal import commit  # noqa: PLC0415 - only this mutant needs it

        assert old in commit._SCRIPT
        patches.setattr(commit, "_SCRIPT", commit._SCRIPT.replace(old, new))

    return patch


def in_nginx(name: str, old: str, new: str) -> Patch:
    """Replace a part of a file of the gateway, in a copy of its folder."""

    def patch(patches: pytest.MonkeyPatch) -> None:
        from tests.deploy import gateways  # noqa: PLC0415 - only these mutants need it

        folder = Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, folder)
        shutil.copytree(gateways.NGINX, folder, dirs_exist_ok=True)
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
        patches.setattr(gateways, "NGINX", folder)

    return patch
