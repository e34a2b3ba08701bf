"""URLs of other servers: appended paths and queries, and redacted secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from shared.runtime.urls import append_path, host_of, metrics_of, origin, redacted, without_secrets

KEY = "0a1b2c3d4e5f60718293"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1)


@pytest.mark.parametrize(
    ("base", "path", "whole"),
    [
        ("https://h", "/", "https://h/"),
        ("https://h/", "/ledgers/5", "https://h/ledgers/5"),
        ("https://h/horizon", "/ledgers/5", "https://h/horizon/ledgers/5"),
        ("https://h/horizon/", "/ledgers/5", "https://h/horizon/ledgers/5"),
        ("https://h?api-key=K", "/ledgers/5", "https://h/ledgers/5?api-key=K"),
        ("https://h/a%2Fb?k=a%2Bb%26c", "/x", "https://h/a%2Fb/x?k=a%2Bb%26c"),
        ("https://u:p@h:8443/v1/KEY", "/x", "https://u:p@h:8443/v1/KEY/x"),
    ],
)
def test_path_and_query_of_the_base_are_kept(base: str, path: str, whole: str) -> None:
    assert append_path(base, path) == whole


def test_a_query_is_added_after_that_of_the_base() -> None:
    url = append_path("https://h/p?api-key=K&limit=3", "/transactions", cursor=5, order="asc")
    assert url == "https://h/p/transactions?api-key=K&limit=3&cursor=5&order=asc"


@given(TEXT)
def test_an_api_key_is_kept_unchanged(key: str) -> None:
    base = str(URL("https://h/p").with_query({"key": key}))
    assert URL(append_path(base, "/x", cursor=1)).query["key"] == key


@pytest.mark.parametrize(
    ("url", "metrics"),
    [
        ("http://h:80", "http://h:80/metrics"),
        ("http://h:80/readyz", "http://h:80/metrics"),
        ("https://h/f1/readyz?key=K", "https://h/f1/metrics?key=K"),
        ("https://h/f1?key=K", "https://h/f1/metrics?key=K"),
    ],
)
def test_the_url_of_metrics(url: str, metrics: str) -> None:
    assert metrics_of(url) == metrics


def test_host_and_origin() -> None:
    assert origin("https://u:p@h:8443/x?y=z") == "https://h:8443"
    assert host_of("https://u:p@h:80/x?y=z") == "h:80"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://h:3020/readyz", "http://h:3020/readyz"),
        ("https://h/", "https://h"),
        ("http://h:80/readyz", "http://h:80/readyz"),
        ("https://h?secret", "https://h?…"),
        ("https://user:secret@h/p", "https://h/p"),
        ("https://h/p?api-key=secret&limit=5", "https://h/p?api-key=…&limit=…"),
        (f"https://h/v1/{KEY}/rpc", "https://h/v1/0a1b…/rpc"),
        ("http://[::1", "(not a URL)"),
        ("", "(not a URL)"),
    ],
)
def test_redacted_urls(url: str, text: str) -> None:
    assert redacted(url) == text


@given(TEXT.filter(lambda text: len(text) > 15))
def test_no_secret_of_a_url_is_shown(secret: str) -> None:
    url = str(
        URL.build(scheme="https", host="h", user=secret, password=secret, query={"k": secret})
    )
    assert secret not in redacted(url)


def test_secrets_are_removed_from_the_text_of_a_server() -> None:
    url = f"https://user:pass%20word@h/v1/{KEY}?k=a%2Bbcd&limit=5"
    text = f"cannot GET /v1/{KEY}?k=a%2Bbcd&limit=5 (a+bcd) for user, pass word"
    assert without_secrets(text, url) == "cannot GET /v1/…?k=…&limit=5 (…) for …, …"
