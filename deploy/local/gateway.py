"""The gateway of a local run: `/events/…` goes to a fanout, the rest to the API, on one port.

The gateway is nginx if it is installed, else the Caddy of the `local` extra
(docs/decisions/0010-caddy-when-nginx-is-missing.md). If neither is installed, the API itself
listens on this port and redirects subscribers to a fanout with status 307.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from deploy.local.processes import Part
from shared.auth.settings import CorsSettings
from shared.web.cors import ANY_ORIGIN

_HERE = Path(__file__).parent
_SHARED = _HERE.parent / "nginx"
"""The configuration that the deployment's gateway and the local nginx share."""

KINDS = ("nginx", "caddy", "api")
"""In order of preference. `api` is the API itself without a proxy, which is always available."""


def find_gateway(wanted: str = "") -> tuple[str, str]:
    """Kind and path of the gateway: the wanted kind, else the first that is installed.

    Raises LookupError if the wanted kind is not installed.
    """
    found = {kind: path for kind in KINDS if (path := _path_of(kind)) is not None}
    kind = wanted or next(iter(found))
    if kind not in found:
        raise LookupError(f"GATEWAY={wanted!r}: expected one of {', '.join(found)}")
    return kind, found[kind]


def _path_of(kind: str) -> str | None:
    match kind:
        case "nginx":
            return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        case "caddy":
            beside = Path(sys.executable).parent / "caddy"
            return str(beside) if beside.exists() else shutil.which("caddy")
    return ""


_SANDBOX = {
    "nginx": (
        "add_header Headrace-Sandbox /sandbox;\n"
        "    location /sandbox { proxy_pass http://$target; }"
    ),
    "caddy": (
        "header Headrace-Sandbox /sandbox\n\thandle /sandbox* {\n\t\treverse_proxy $target\n\t}"
    ),
}
"""The way to the sandbox, and the header by which the console knows that there is one.

See docs/decisions/0112-sandbox-belongs-to-the-runner.md.
"""


def proxy(
    kind: str,
    path: str,
    *,
    port: int,
    api: str,
    fanouts: Sequence[str],
    folder: Path,
    sandbox: str = "",
) -> Part:
    """The proxy as a process. Writes its configuration to `folder`. Each target is `host:port`.

    Without `sandbox`, the proxy has no path to a sandbox.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / ("nginx.conf" if kind == "nginx" else "Caddyfile")
    template = Template((_HERE / f"{config.name}.template").read_text(encoding="utf-8"))
    values = _for_nginx(fanouts) if kind == "nginx" else _for_caddy(fanouts)
    way = Template(_SANDBOX[kind]).substitute(target=sandbox) if sandbox else ""
    common = {"port": port, "api": api, "folder": folder, "shared": _SHARED, "sandbox": way}
    text = template.substitute(common, silence=_silence(), **values)
    config.write_text(text, "utf-8")
    command = [path, "-p", str(folder), "-c", str(config), "-e", "stderr"]
    if kind == "caddy":
        command = [path, "run", "--config", str(config), "--adapter", "caddyfile"]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return Part("gateway", command, home, port)


def _for_nginx(fanouts: Sequence[str]) -> dict[str, str]:
    named = (
        "default $http_origin;" if origin == ANY_ORIGIN else f'"{origin}" $http_origin;'
        for origin in _origins()
    )
    servers = (f"server {fanout} max_fails=0;" for fanout in fanouts)
    return {"origins": "\n    ".join(named), "fanouts": "\n    ".join(servers)}


def _for_caddy(fanouts: Sequence[str]) -> dict[str, str]:
    named = (f"header Origin {origin}" for origin in _origins())
    return {"origins": "\n\t\t\t".join(named) or "expression false", "fanouts": " ".join(fanouts)}


def _origins() -> Sequence[str]:
    """The origins whose pages may read the gateway's answers; none if CORS_ORIGINS is invalid."""
    try:
        return CorsSettings().origins
    except ValidationError:
        return ()


class _Fanout(BaseSettings):
    """The settings of the fanouts that the gateway needs too."""

    sync_seconds: float = 15.0


def _silence() -> int:
    """Seconds without data after which the gateway closes its connection to a fanout.

    If SYNC_SECONDS is invalid, its default is used. The fanout reports the invalid setting.
    """
    try:
        fanout = _Fanout()
    except ValidationError:
        fanout = _Fanout.model_construct()
    return int(fanout.sync_seconds) + 10
