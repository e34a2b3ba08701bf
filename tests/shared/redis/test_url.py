"""REDIS_URL: what each form of it means, and what is wrong with the others, without a password."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection

from shared.redis.client import check_url, connect
from shared.redis.url import parse_redis_url


def test_one_address() -> None:
    place = parse_redis_url("redis://me:p%40ss@redis.example:6380/3")
    assert (place.kind, place.seeds) == ("one", ())
    assert place.options == {
        "host": "redis.example", "port": 6380, "db": 3, "username": "me", "password": "p@ss",
    }  # fmt: skip


def test_sentinels_and_the_master_s_name() -> None:
    place = parse_redis_url("redis+sentinel://:word@a,b:26380,[::1]:26381/payments/2")
    assert place.kind == "sentinel"
    assert place.seeds == (("a", 26379), ("b", 26380), ("::1", 26381))
    assert place.master == "payments"
    assert place.options == {"db": 2, "password": "word"}
    assert place.sentinel_options == {}, "the master's password is not the sentinels'"


def test_sentinels_have_a_password_of_their_own_and_the_same_ca() -> None:
    url = "rediss+sentinel://me:mine@a/m?sentinel_password=theirs&ssl_ca_certs=/ca.pem"
    place = parse_redis_url(url)
    assert place.sentinel_options == {"password": "theirs", "ssl_ca_certs": "/ca.pem"}
    assert place.options == {
        "username": "me", "password": "mine", "db": 0, "ssl_ca_certs": "/ca.pem",
        "connection_class": SSLConnection,
    }  # fmt: skip


def test_nodes_of_a_cluster() -> None:
    place = parse_redis_url("redis+cluster://me:p@a:7000,b")
    assert (place.kind, place.seeds) == ("cluster", (("a", 7000), ("b", 6379)))
    assert place.options == {"username": "me", "password": "p", "db": 0}


def test_a_socket_on_this_machine() -> None:
    options = parse_redis_url("unix:///run/redis.sock?db=1").options
    assert options["path"] == "/run/redis.sock"
    assert options["connection_class"] is UnixDomainSocketConnection


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("reddis://:secret@a", "'reddis' is no scheme of Redis: use one of redis://"),
        ("redis+sentinel://:secret@a:26379", "the master's name is missing"),
        ("redis+sentinel://:secret@a:26379/0", "the master's name is missing"),
        ("redis+sentinel://:secret@a/m/x", "a database is a number, not 'x'"),
        ("redis+sentinel://:secret@a:x/m", "'a:x' is no address"),
        ("redis+cluster://:secret@a,,b", "'' is no address"),
        ("redis+cluster://:secret@a/2", "a Cluster has one database"),
        ("redis://:secret@a/0?retires=3", "an option is unknown to redis-py"),
    ],
)
def test_a_mistake_is_told_and_the_password_is_not(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")) as told:
        check_url(url)
    assert "secret" not in str(told.value)


def test_in_a_cluster_a_connection_needs_a_key() -> None:
    with pytest.raises(ValueError, match="a key to be near to"):
        connect("redis+cluster://a")
