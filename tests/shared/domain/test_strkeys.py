"""Strkeys are valid exactly when stellar-sdk accepts them. Most services do not load it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import MuxedAccount, StrKey

from shared.domain.strkeys import (
    ACCOUNT,
    CONTRACT,
    MUXED,
    account_of_login,
    is_account,
    is_contract,
    is_public_key,
    is_secret_seed,
    payload_of,
    strkey,
)
from tests.deploy.dockerfile import ROOT

CHECKS = {
    ACCOUNT: StrKey.is_valid_ed25519_public_key,
    CONTRACT: StrKey.is_valid_contract,
    MUXED: StrKey.is_valid_med25519_public_key,
}
SIZES = {ACCOUNT: 32, CONTRACT: 32, MUXED: 40}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@st.composite
def strkeys(draw: st.DrawFn) -> str:
    """Valid strkeys of many versions and lengths."""
    version = draw(st.sampled_from([*SIZES, 18 << 3, 1 << 3, 22 << 3]))
    size = draw(st.sampled_from([SIZES.get(version, 32), 31, 33, 39, 40, 0]))
    return strkey(version, draw(st.binary(min_size=size, max_size=size)))


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """A valid strkey with one letter changed, removed or inserted."""
    text = draw(strkeys())
    at = draw(st.integers(0, len(text)))
    letter = draw(st.sampled_from([*LETTERS, "a", "=", " ", "1", "é", "\n", ""]))
    return text[:at] + letter + text[at + draw(st.integers(0, 1)) :]


@given(st.one_of(strkeys(), spoiled(), st.text()))
def test_addresses_are_valid_exactly_when_stellar_sdk_accepts_them(text: str) -> None:
    assert is_account(text) == any(check(text) for check in CHECKS.values())
    assert is_contract(text) == CHECKS[CONTRACT](text)
    assert is_public_key(text) == CHECKS[ACCOUNT](text)
    assert is_secret_seed(text) == StrKey.is_valid_ed25519_secret_seed(text)


@pytest.mark.parametrize("version", SIZES)
@given(data=st.data())
def test_a_payload_survives_encoding_and_decoding(version: int, data: st.DataObject) -> None:
    payload = data.draw(st.binary(min_size=SIZES[version], max_size=SIZES[version]))
    assert payload_of(version, strkey(version, payload)) == payload
    assert CHECKS[version](strkey(version, payload))


def test_the_error_names_the_wrong_address() -> None:
    with pytest.raises(ValueError, match="'GABC' is not an address"):
        payload_of(CONTRACT, "GABC")


@pytest.mark.io
@pytest.mark.parametrize("service", ["fanout", "indexer"])
def test_a_service_without_wallet_logins_does_not_load_stellar_sdk(service: str) -> None:
    code = f"import sys, services.{service}.app; sys.exit('stellar_sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=50)
    assert done.returncode == 0


@given(st.binary(min_size=32, max_size=32), st.integers(0, (1 << 64) - 1))
def test_the_account_of_a_login_is_the_one_whose_keys_signed(key: bytes, user: int) -> None:
    account = strkey(ACCOUNT, key)
    muxed = strkey(MUXED, key + user.to_bytes(8, "big"))
    assert MuxedAccount.from_account(muxed).account_id == account
    for login in (account, muxed, f"{account}:{user}"):
        assert account_of_login(login) == account


@pytest.mark.parametrize("subject", ["", "key-1", "a:7", "auth0|x:7", ":", "M", "GA:7", "Mé"])
def test_other_subjects_are_their_own_account(subject: str) -> None:
    assert account_of_login(subject) == subject
