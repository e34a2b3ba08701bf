"""Stand-ins for images of others, made of Debian packages, so that no image registry is needed.

All but that of Python have BusyBox's shell and tools, as the real images do. What a stand-in cannot
show: musl instead of glibc, and the exact versions of the real images. Debian has no Grafana: its
stand-in only serves the path of the health check.
See docs/decisions/0098-images-run-in-an-engine-of-their-own.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.engine.commands import needed_as_root, run
from tests.support.programs import needed

_SUITES = {
    "bookworm": ("ca-certificates", "python3", "python3-venv"),
    "trixie": (
        "busybox-static",
        "gettext-base",
        "libnginx-mod-stream",
        "nginx-light",
        "valkey-server",
        "valkey-tools",
    ),
}
"""The packages of each Debian release. Debian 12 has Python 3.11, Debian 13 a current nginx."""

_PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BUSYBOX = "RUN busybox --install -s /usr/local/bin && ln -sf /usr/bin/busybox /bin/sh"
_PROMETHEUS = (
    "RUN printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d"
    " && apt-get update -qq && DEBIAN_FRONTEND=noninteractive"
    " apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager"
)
"""Installs both programs; `policy-rc.d` keeps them from being started meanwhile."""


@dataclass(frozen=True)
class StandIn:
    """A Debian release, and the lines of a Dockerfile that make an image of it.

    `lacks` says what the tests cannot see with it.
    """

    suite: str
    lines: tuple[str, ...]
    lacks: str = ""

    @property
    def tag(self) -> str:
        """The name of the image. It changes with everything that the image is made from."""
        parts = (self.suite, *_SUITES[self.suite], *self.lines)
        return f"localhost/stand-in:{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"


STAND_INS = {
    "python": StandIn("bookworm", (_PATH, "RUN ln -s /usr/bin/python3 /usr/local/bin/python")),
    "nginx": StandIn("trixie", (_PATH, _BUSYBOX)),
    "valkey/valkey": StandIn(
        "trixie",
        (
            _PATH,
            _BUSYBOX,
            "RUN mkdir /data && chown 999:1000 /data",
            "VOLUME /data",
            "WORKDIR /data",
        ),
    ),
    "prom/prometheus": StandIn(
        "trixie",
        (
            _PATH,
            _PROMETHEUS,
            _BUSYBOX,
            "RUN mkdir /prometheus && chown 65534:65534 /prometheus",
            "USER 65534:65534",
            # Version 3 has this feature without the option.
            'ENTRYPOINT ["prometheus", "--enable-feature=expand-external-labels"]',
        ),
    ),
    "prom/alertmanager": StandIn(
        "trixie",
        (
            _PATH,
            _PROMETHEUS,
            _BUSYBOX,
            "RUN ln -s /usr/bin/prometheus-alertmanager /usr/local/bin/alertmanager",
            "RUN mkdir /alertmanager && chown 65534:65534 /alertmanager",
            "USER 65534:65534",
        ),
    ),
    "grafana/grafana": StandIn(
        "trixie",
        (
            _PATH,
            _BUSYBOX,
            "RUN mkdir -p /srv/api && echo ok >/srv/api/health",
            "USER 472:0",
            'ENTRYPOINT ["busybox", "httpd", "-f", "-p", "3000", "-h", "/srv"]',
        ),
        lacks="Grafana itself",
    ),
}
"""By the name of the real image, without its version."""

OF_SERVICES = {
    "redis": "valkey/valkey",
    "prometheus": "prom/prometheus",
    "alertmanager": "prom/alertmanager",
    "grafana": "grafana/grafana",
}
"""The images of others in compose.yaml, by service."""


def stand_in_of(image: str) -> StandIn:
    """The stand-in of `name:version@digest`."""
    return STAND_INS[image.partition(":")[0]]


def packed_suite(suite: str, folder: Path) -> Path:
    """A tar file with a Debian system that has the packages. Made once, about a minute."""
    digest = hashlib.sha256(repr(_SUITES[suite]).encode()).hexdigest()[:12]
    target = folder / f"{suite}-{digest}.tar"
    if not target.exists():
        debootstrap = needed_as_root("debootstrap")
        include = f"--include={','.join(_SUITES[suite])}"
        part = target.with_suffix(".part")
        root = folder / suite
        run("rm", "-rf", str(root))
        run(debootstrap, "--variant=minbase", include, suite, str(root), seconds=600)
        run(needed("tar"), "-C", str(root), "--exclude=./var/cache/apt", "-cf", str(part), ".")
        run("rm", "-rf", str(root))
        part.rename(target)
    return target
