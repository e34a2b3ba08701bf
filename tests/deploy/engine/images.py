"""Builds the images of a deploy/Dockerfile with Buildah, on stand-ins for its base images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.engine.commands import needed_as_root, run
from tests.deploy.engine.stand_ins import StandIn, packed_suite, stand_in_of

TARGETS = ("indexer", "api", "fanout", "archiver", "webhooks", "network", "gateway")
_HOST_FILES = ("/etc/ssl/certs", "/etc/pip.conf")
"""Files of this machine that pip may need to reach its registry. They are in no image."""


@dataclass(frozen=True)
class Builder:
    """Images, their layers and the packed base systems are kept in `folder` for the next run.

    `version` and `revision` are for the labels of the images.
    """

    folder: Path
    version: str
    revision: str

    def build(self, project: Path) -> dict[str, str]:
        """The ids of the images of the project's Dockerfile, by target.

        An earlier release may not have each of TARGETS.
        """
        text = (project / "deploy/Dockerfile").read_text(encoding="utf-8")
        bases = re.findall(r"^FROM (\S+@sha256:\S+) ", text, re.M)
        options = [f"--build-arg=VERSION={self.version}", f"--build-arg=REVISION={self.revision}"]
        for base in sorted(set(bases)):
            stand_in = self.make(stand_in_of(base))
            options.append(f"--build-context={base}=container-image://{stand_in}")
        targets = [each for each in TARGETS if re.search(rf"^FROM \S+ AS {each}$", text, re.M)]
        return {target: self._target(project, target, options) for target in targets}

    def _target(self, project: Path, target: str, options: Sequence[str]) -> str:
        given = [f"--volume={path}:{path}:ro" for path in _HOST_FILES if Path(path).exists()]
        return self._build(
            *options, *given, f"--target={target}", f"--tag=localhost/built-{target}",
            f"--file={project}/deploy/Dockerfile", str(project),
        )  # fmt: skip

    def make(self, stand_in: StandIn) -> str:
        """Make the stand-in if it is not there yet. Returns its name."""
        if not self._buildah("images", "--quiet", "--filter", f"reference={stand_in.tag}"):
            packed = packed_suite(stand_in.suite, self.folder)
            lines = ("FROM scratch", f"ADD {packed.name} /", *stand_in.lines)
            file = self.folder / "Dockerfile"
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            ignored = self.folder / ".dockerignore"
            ignored.write_text(f"*\n!{packed.name}\n", encoding="utf-8")
            self._build(f"--tag={stand_in.tag}", f"--file={file}", str(self.folder))
        return stand_in.tag

    def forget_other_labels(self) -> None:
        """Remove the images with other labels, which a run before a change of these values made.

        Buildah 1.28 takes a label from its cache even if the build argument in it has changed.
        """
        name = "org.opencontainers.image"
        same = self._with_label(f"{name}.version={self.version}")
        same &= self._with_label(f"{name}.revision={self.revision}")
        if others := self._with_label(f"{name}.version") - same:
            self._buildah("rmi", "--force", *others)

    def _with_label(self, label: str) -> set[str]:
        """The ids of all images and layers that have a label, or a label with a value."""
        options = ("--all", "--quiet", "--no-trunc", "--filter", f"label={label}")
        return set(self._buildah("images", *options).split())

    def export(self, image: str, target: Path) -> None:
        """Write an image to a file that `docker load` can read."""
        target.unlink(missing_ok=True)
        self._buildah("push", image, f"docker-archive:{target}")

    def id_of(self, image: str) -> str:
        """The id of an image by its name."""
        return self._buildah("images", "--quiet", "--no-trunc", image).removeprefix("sha256:")

    def _build(self, *arguments: str) -> str:
        options = ("--isolation=chroot", "--layers", "--format=docker", "--quiet")
        return self._buildah("build", *options, *arguments).splitlines()[-1]

    def _buildah(self, *arguments: str) -> str:
        storage = ("--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run"))
        output = run(needed_as_root("buildah"), *storage, *arguments, seconds=900)
        return output.decode().strip()
