"""The stages of deploy/Dockerfile: what each image contains."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
PINNED = re.compile(r":v?\d+\.\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}\Z")
"""The end of the name of an image that is not ours: a whole version, and a digest."""


@dataclass
class Stage:
    """One `FROM … AS name`. `steps` are its instructions with their arguments."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages() -> dict[str, Stage]:
    """All stages by name, in order."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.M).replace("\\\n", " ")
    found: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, rest = line.split(None, 1)
        if instruction == "FROM":
            base, _, name = rest.split()
            found[name] = Stage(base)
        elif found:
            found[name].steps.append((instruction, rest.strip()))
    return found


class Image:
    """A target with all stages that it is built from."""

    def __init__(self, target: str) -> None:
        known = stages()
        line = [target]
        while known[line[0]].base in known:
            line.insert(0, known[line[0]].base)
        self.steps = [step for name in line for step in known[name].steps]
        self.from_outside = known[line[0]].base

    def last(self, instruction: str) -> str:
        """The arguments of the last instruction of this kind, or ""."""
        return next((rest for name, rest in reversed(self.steps) if name == instruction), "")

    @property
    def command(self) -> list[str]:
        """CMD, which is always in its form without a shell."""
        return list(json.loads(self.last("CMD")))

    @property
    def health_check(self) -> list[str]:
        """The command of HEALTHCHECK."""
        return list(json.loads(self.last("HEALTHCHECK").partition("CMD ")[2]))

    @property
    def environment(self) -> dict[str, str]:
        """All variables of ENV."""
        pairs = [pair for name, rest in self.steps if name == "ENV" for pair in rest.split()]
        return dict(pair.split("=", 1) for pair in pairs)

    @property
    def copies(self) -> list[tuple[list[str], str]]:
        """Sources and destination of each COPY from the project."""
        found = []
        for name, rest in self.steps:
            if name == "COPY" and not rest.startswith("--from"):
                *sources, target = rest.split()
                found.append((sources, target))
        return found

    def lay_out(self, root: Path) -> Path:
        """Copy the image's part of the project into `root`. Returns its working directory."""
        workdir = root / self.last("WORKDIR").lstrip("/")
        for sources, target in self.copies:
            place = root / target.lstrip("/") if target.startswith("/") else workdir / target
            for source in sources:
                _copy(ROOT / source, place)
        return workdir


def _copy(source: Path, place: Path) -> None:
    """Like COPY: the contents of a folder, or a file into the folder."""
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(source, place, ignore=ignored, dirs_exist_ok=True)
    else:
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)


def files_in(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {
        os.path.relpath(Path(where, name), folder)
        for where, _, names in os.walk(folder)
        for name in names
    }
