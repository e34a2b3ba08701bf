"""Ids, cursors and settings, tested without a server."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from stellar_sdk import Keypair

from services.api.http.page_cursor import decode_cursor, encode_cursor
from services.api.settings import ApiSettings
from services.api.streams.ids import new_stream_id, uuid7
from shared.domain.topics import is_stream_id
from tests.api.samples import TOKEN


def test_uuid7_equals_the_example_of_rfc_9562() -> None:
    # Appendix A.6: unix_ts_ms 017F22E279B0, rand_a CC3, rand_b 18C4DC0C0C07398F
    entropy = 0xCC3 << 62 | 0x18C4DC0C0C07398F
    assert str(uuid7(0x017F22E279B0, entropy)) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, (1 << 48) - 1), st.integers(0, (1 << 80) - 1))
def test_every_uuid7_has_version_variant_and_time(milliseconds: int, entropy: int) -> None:
    made = uuid7(milliseconds, entropy)
    assert (made.int >> 76 & 0xF, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == milliseconds


def test_ids_are_stream_ids_and_sort_by_time() -> None:
    ids = [new_stream_id(1_770_000_000 + n / 100) for n in range(100)]
    assert all(map(is_stream_id, ids))
    assert ids == sorted(ids)


@pytest.mark.parametrize("stream_id", ["7".zfill(20), new_stream_id(1)], ids=["chain", "api"])
def test_a_cursor_decodes_to_its_member(stream_id: str) -> None:
    member = f"{1_770_000_000:012d}:{stream_id}"
    assert decode_cursor(encode_cursor(member)) == member


@given(st.text(max_size=60))
def test_other_texts_are_not_cursors(text: str) -> None:
    with pytest.raises(ValueError, match="`next` of a page"):
        decode_cursor(text)


@pytest.mark.parametrize(
    "member",
    ["", ":", "177:7", f"{1:012d}:7", f"{1:012d}:{'0' * 20}", f"{'x' * 12}:{'7':0>20}", "+" * 40],
)
def test_a_cursor_must_contain_a_member(member: str) -> None:
    with pytest.raises(ValueError, match="`next` of a page"):
        decode_cursor(encode_cursor(member))


def test_each_member_has_exactly_one_cursor() -> None:
    text = encode_cursor(f"{1:012d}:{'7':0>20}")
    for other in (text + "=", text[:5] + "\n" + text[5:], text[:5] + "!" + text[5:]):
        with pytest.raises(ValueError, match="`next` of a page"):
            decode_cursor(other)


def test_settings_from_lists_and_their_defaults() -> None:
    given = ApiSettings(
        contracts=TOKEN,
        fanout_urls="http://a:1/, https://b",
        cors_origins="https://App.example, http://localhost:5173",
    )
    assert given.fanout_urls == ("http://a:1", "https://b")
    assert given.cors_origins == ("https://app.example", "http://localhost:5173")
    plain = ApiSettings(contracts=TOKEN)
    assert (plain.cors_origins, plain.fanout_urls, plain.ready_urls) == (("*",), (), ())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("auth_mode", "required", "set JWT_SECRET, or else JWT_PRIVATE_KEY or JWKS_URL"),
        ("auth_mode", "closed", "'open' or 'required'"),
        ("jwt_secret", "s" * 31, "shorter than 32 bytes"),
        ("jwt_private_key", "c2VjcmV0", "openssl genpkey"),
        ("signing_seed", "SBAD", "valid secret seed"),
        pytest.param(
            "signing_seed", Keypair.random().secret, "needs JWT_PRIV", id="seed-without-secret"
        ),
        ("home_domain", "https://a.example", "host name"),
        ("home_domain", "a" * 60, "at most 59"),
        ("trusted_proxies", "10.0.0.0/33", "10.0.0.0/33|network"),
        ("login_seconds", "5", "greater than or equal to 60"),
        ("fanout_urls", "http://a, ftp://b", "ftp://b"),
        ("ready_urls", "localhost:3020", "not a URL"),
        ("cors_origins", "https://a/", "not an origin"),
        ("cors_origins", "null", "not an origin"),
        ("max_body_bytes", "0", "greater than or equal to 1"),
    ],
)
def test_invalid_settings_are_rejected(name: str, value: str, message: str) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(ValidationError, match=message):
        ApiSettings(contracts=TOKEN, **given)
