"""The gateway of a local run: `/events/…` to a fanout, the rest to the API, on one port.

nginx where it is installed, else the Caddy of the `local` extra (docs/decisions.md 10). Where there
is neither, the API itself answers on that port and sends subscribers on with a 307.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from deploy.local.processes import Part

_HERE = Path(__file__).parent


def find_gateway() -> tuple[str, str] | None:
    """Name and path of the proxy to use, None when there is none."""
    if path := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin"):
        return "nginx", path
    beside = Path(sys.executable).parent / "caddy"
    if path := str(beside) if beside.exists() else shutil.which("caddy"):
        return "caddy", path
    return None


def gateway(port: int, api: int, fanouts: Sequence[int], folder: Path) -> Part | None:
    """The proxy as a part, its configuration written into `folder`."""
    found = find_gateway()
    if found is None:
        return None
    name, path = found
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / ("nginx.conf" if name == "nginx" else "Caddyfile")
    template = Template((_HERE / f"{config.name}.template").read_text(encoding="utf-8"))
    config.write_text(template.substitute(_values(name, port, api, fanouts, folder)), "utf-8")
    command = [path, "-p", str(folder), "-c", str(config), "-e", "stderr"]
    if name == "caddy":
        command = [path, "run", "--config", str(config), "--adapter", "caddyfile"]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return Part("gateway", command, home, port)


def _values(
    name: str, port: int, api: int, fanouts: Sequence[int], folder: Path
) -> dict[str, object]:
    lines = [f"server 127.0.0.1:{p} max_fails=1 fail_timeout=2s;" for p in fanouts]
    plain = [f"127.0.0.1:{p}" for p in fanouts]
    servers = "\n    ".join(lines) if name == "nginx" else " ".join(plain)
    return {"port": port, "api": api, "fanouts": servers, "folder": folder}
