"""REDIS_URL: each valid form, and error messages for invalid ones that show no password."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection

from shared.redis.client import check_url, connect
from shared.redis.url import parse_redis_url


def test_one_address() -> None:
    target = parse_redis_url("redis://me:p%40ss@redis.example:6380/3")
    assert (target.kind, target.seeds) == ("one", ())
    assert target.options == {
        "host": "redis.example", "port": 6380, "db": 3, "username": "me", "password": "p@ss",
    }  # fmt: skip


def test_sentinels_and_the_name_of_the_primary() -> None:
    target = parse_redis_url("redis+sentinel://:word@a,b:26380,[::1]:26381/payments/2")
    assert target.kind == "sentinel"
    assert target.seeds == (("a", 26379), ("b", 26380), ("::1", 26381))
    assert target.primary == "payments"
    assert target.options == {"db": 2, "password": "word"}
    assert target.sentinel_options == {}, "the sentinels do not get the password of the primary"


def test_sentinels_have_their_own_password_and_the_same_ca() -> None:
    url = "rediss+sentinel://me:mine@a/m?sentinel_password=theirs&ssl_ca_certs=/ca.pem"
    target = parse_redis_url(url)
    assert target.sentinel_options == {"password": "theirs", "ssl_ca_certs": "/ca.pem"}
    assert target.options == {
        "username": "me", "password": "mine", "db": 0, "ssl_ca_certs": "/ca.pem",
        "connection_class": SSLConnection,
    }  # fmt: skip


def test_nodes_of_a_cluster() -> None:
    target = parse_redis_url("redis+cluster://me:p@a:7000,b")
    assert (target.kind, target.seeds) == ("cluster", (("a", 7000), ("b", 6379)))
    assert target.options == {"username": "me", "password": "p", "db": 0}


def test_a_socket_on_this_machine() -> None:
    options = parse_redis_url("unix:///run/redis.sock?db=1").options
    assert options["path"] == "/run/redis.sock"
    assert options["connection_class"] is UnixDomainSocketConnection


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("reddis://:secret@a", "'reddis' is not a scheme of Redis: use one of redis://"),
        ("redis+sentinel://:secret@a:26379", "the name of the primary is missing"),
        ("redis+sentinel://:secret@a:26379/0", "the name of the primary is missing"),
        ("redis+sentinel://:secret@a/m/x", "the database must be a number, not 'x'"),
        ("redis+sentinel://:secret@a:x/m", "'a:x' is not an address"),
        ("redis+cluster://:secret@a,,b", "'' is not an address"),
        ("redis+cluster://:secret@a/2", "a Cluster has only database 0"),
        ("redis://:secret@a/0?retires=3", "redis-py does not know an option of this URL"),
    ],
)
def test_an_invalid_url_is_reported_without_its_password(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")) as raised:
        check_url(url)
    assert "secret" not in str(raised.value)


def test_a_connection_to_a_cluster_needs_a_slot_key() -> None:
    with pytest.raises(ValueError, match="needs a slot_key"):
        connect("redis+cluster://a")
