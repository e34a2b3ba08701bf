"""Where Redis is: REDIS_URL, read. Pure.

    redis://[user:password@]host:port/db                     one address, which leads to the master
    redis+sentinel://[user:password@]host,host:port/name/db  these sentinels know the master `name`
    redis+cluster://[user:password@]host:port,host:port      these are nodes of a Cluster
    unix://[user:password@]/path?db=0                        a socket on this machine

`rediss` in place of `redis` is TLS, to sentinels too. Options behind `?` are redis-py's:
`ssl_ca_certs=/path` for a CA of one's own, `ssl_certfile` and `ssl_keyfile` for a client's
certificate, `ssl_check_hostname=false`. `sentinel_username` and `sentinel_password` are for the
sentinels, where they ask for any.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from redis.asyncio.connection import parse_url

Address = tuple[str, int]
Kind = Literal["one", "sentinel", "cluster"]

_SCHEMES: dict[str, Kind] = {
    "redis": "one",
    "rediss": "one",
    "unix": "one",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
_PORTS: dict[Kind, int] = {"one": 6379, "sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """Of `options` redis-py makes a connection; `seeds` are whom to ask for the address."""

    kind: Kind
    options: dict[str, Any]
    seeds: tuple[Address, ...] = ()
    master: str = ""
    sentinel_options: dict[str, Any] = field(default_factory=dict)


def parse_redis_url(url: str) -> RedisTarget:
    """Raises ValueError; its text never shows the URL, which may hold a password."""
    parts = urlsplit(url)
    kind = _SCHEMES.get(parts.scheme)
    if kind is None:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        raise ValueError(f"{parts.scheme!r} is no scheme of Redis: use one of {known}")
    if kind == "one":
        return RedisTarget(kind, dict(parse_url(url)))
    path = [part for part in parts.path.split("/") if part]
    master = path.pop(0) if kind == "sentinel" and path else ""
    if kind == "sentinel" and (not master or master.isdigit()):
        raise ValueError("the master's name is missing: redis+sentinel://host:26379/name/0")
    if kind == "cluster" and path not in ([], ["0"]):
        raise ValueError("a Cluster has one database: leave out what stands behind the nodes")
    if len(path) > 1 or not all(map(str.isdigit, path)):
        raise ValueError(f"a database is a number, not {'/'.join(path)!r}")
    options = _options(parts, path[0] if path else "0")
    own = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    shared = {k: v for k, v in options.items() if k.startswith("ssl_")}
    asked = {**shared, **{k: v for k, v in own.items() if v}}
    return RedisTarget(kind, options, _seeds(parts, _PORTS[kind]), master, asked)


def _options(parts: SplitResult, db: str) -> dict[str, Any]:
    """The rest of the URL as redis-py reads it, with a host in place of many."""
    who, at, _ = parts.netloc.rpartition("@")
    scheme = parts.scheme.partition("+")[0]
    plain = parts._replace(scheme=scheme, netloc=f"{who}{at}localhost", path=f"/{db}")
    options = dict(parse_url(plain.geturl()))
    del options["host"]
    return options


def _seeds(parts: SplitResult, port: int) -> tuple[Address, ...]:
    hosts = parts.netloc.rpartition("@")[2].split(",")
    return tuple(_address(host.strip(), port) for host in hosts)


def _address(text: str, port: int) -> Address:
    """`host`, `host:port`, `[::1]:port`."""
    try:
        parts = urlsplit(f"//{text}")
        address = parts.hostname or "", parts.port or port
    except ValueError:
        address = "", 0
    if not address[0]:
        raise ValueError(f"{text!r} is no address: expected host:port, separated by commas")
    return address
