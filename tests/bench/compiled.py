"""The programs in C of this folder. They are compiled when they are first used."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

_SOURCES = Path(__file__).parent
_FOLDER = tempfile.TemporaryDirectory(prefix="bench-")  # deleted when this process ends


@cache
def program(name: str) -> Path:
    """The program `name`, from NAME.c. Needs a C compiler and the headers of zlib."""
    made = Path(_FOLDER.name) / name
    source = str(_SOURCES / f"{name}.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-o", str(made), source, "-lz"], check=True)
    return made
