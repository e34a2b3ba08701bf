"""Parses REDIS_URL and FEED_REDIS_URL. Pure.

    redis://[user:password@]host:port/db                     the address of the primary
    redis+sentinel://[user:password@]host,host:port/name/db  sentinels, and the primary's name there
    redis+cluster://[user:password@]host:port,host:port      nodes of a Cluster
    unix://[user:password@]/path?db=0                        a socket on this machine

`rediss` instead of `redis` means TLS, also to sentinels. Options after `?` are those of redis-py:
`ssl_ca_certs=/path` for your own CA, `ssl_certfile` and `ssl_keyfile` for a client certificate,
`ssl_check_hostname=false`. `sentinel_username` and `sentinel_password` are the credentials for
sentinels that need them.

In FEED_REDIS_URL, `redis://` and `rediss://` may name several servers, separated by commas.

See docs/decisions/0031-connections-find-the-primary.md,
docs/decisions/0102-fanouts-read-from-replicas.md.
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
    """A parsed REDIS_URL or FEED_REDIS_URL.

    `options` are the connection options for redis-py. `seeds` are the sentinels or nodes that know
    the address of the primary, or the servers that FEED_REDIS_URL names. `primary` is the name of
    the primary at the sentinels.
    """

    kind: Kind
    options: dict[str, Any]
    seeds: tuple[Address, ...] = ()
    primary: str = ""
    sentinel_options: dict[str, Any] = field(default_factory=dict)


def parse_redis_url(url: str) -> RedisTarget:
    """Parse REDIS_URL. Raises ValueError; the message omits the URL, which may have a password."""
    parts = urlsplit(url)
    kind = _SCHEMES.get(parts.scheme)
    if kind is None:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        raise ValueError(f"{parts.scheme!r} is not a scheme of Redis: use one of {known}")
    if kind == "one":
        return RedisTarget(kind, dict(parse_url(url)))
    path = [part for part in parts.path.split("/") if part]
    primary = path.pop(0) if kind == "sentinel" and path else ""
    if kind == "sentinel" and (not primary or primary.isdigit()):
        raise ValueError("the name of the primary is missing: redis+sentinel://host:26379/name/0")
    if kind == "cluster" and path not in ([], ["0"]):
        raise ValueError("a Cluster has only database 0: remove the path after the nodes")
    if len(path) > 1 or not all(map(str.isdigit, path)):
        raise ValueError(f"the database must be a number, not {'/'.join(path)!r}")
    options = _options(parts, path[0] if path else "0")
    own = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    shared = {k: v for k, v in options.items() if k.startswith("ssl_")}
    for_sentinels = {**shared, **{k: v for k, v in own.items() if v}}
    return RedisTarget(kind, options, _seeds(parts, _PORTS[kind]), primary, for_sentinels)


def parse_feed_url(url: str) -> RedisTarget:
    """Parse FEED_REDIS_URL. Raises ValueError as `parse_redis_url` does."""
    parts = urlsplit(url)
    if _SCHEMES.get(parts.scheme) == "sentinel":
        return parse_redis_url(url)
    if parts.scheme not in ("redis", "rediss"):
        known = "redis://, rediss://, redis+sentinel://, rediss+sentinel://"
        raise ValueError(f"{parts.scheme!r} cannot lead to a replica: use one of {known}")
    path = parts.path.strip("/")
    if path and not path.isdigit():
        raise ValueError(f"the database must be a number, not {path!r}")
    return RedisTarget("one", _options(parts, path), _seeds(parts, _PORTS["one"]))


def _options(parts: SplitResult, db: str) -> dict[str, Any]:
    """The options that redis-py reads from the URL. A dummy host replaces the list of hosts."""
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
    """Parse `host`, `host:port` or `[::1]:port`."""
    try:
        parts = urlsplit(f"//{text}")
        address = parts.hostname or "", parts.port or port
    except ValueError:
        address = "", 0
    if not address[0]:
        raise ValueError(f"{text!r} is not an address: expected host:port, separated by commas")
    return address
