"""Strkeys are valid exactly when stellar-sdk says so, and most services do not load it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import StrKey

from shared.domain.strkeys import (
    ACCOUNT,
    CONTRACT,
    MUXED,
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
    """Right ones of many kinds and lengths."""
    version = draw(st.sampled_from([*SIZES, 18 << 3, 1 << 3, 22 << 3]))
    size = draw(st.sampled_from([SIZES.get(version, 32), 31, 33, 39, 40, 0]))
    return strkey(version, draw(st.binary(min_size=size, max_size=size)))


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """A right one with a letter changed, taken out or put in."""
    text = draw(strkeys())
    at = draw(st.integers(0, len(text)))
    letter = draw(st.sampled_from([*LETTERS, "a", "=", " ", "1", "é", "\n", ""]))
    return text[:at] + letter + text[at + draw(st.integers(0, 1)) :]


@given(st.one_of(strkeys(), spoiled(), st.text()))
def test_what_is_an_address_is_what_stellar_sdk_says(text: str) -> None:
    assert is_account(text) == any(check(text) for check in CHECKS.values())
    assert is_contract(text) == CHECKS[CONTRACT](text)
    assert is_public_key(text) == CHECKS[ACCOUNT](text)
    assert is_secret_seed(text) == StrKey.is_valid_ed25519_secret_seed(text)


@pytest.mark.parametrize("version", SIZES)
@given(data=st.data())
def test_a_payload_is_spelled_and_read_back(version: int, data: st.DataObject) -> None:
    payload = data.draw(st.binary(min_size=SIZES[version], max_size=SIZES[version]))
    assert payload_of(version, strkey(version, payload)) == payload
    assert CHECKS[version](strkey(version, payload))


def test_a_wrong_address_is_named() -> None:
    with pytest.raises(ValueError, match="'GABC' is not an address"):
        payload_of(CONTRACT, "GABC")


@pytest.mark.parametrize("service", ["fanout", "indexer"])
def test_a_service_without_wallet_logins_does_not_load_stellar_sdk(service: str) -> None:
    code = f"import sys, services.{service}.app; sys.exit('stellar_sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=50)
    assert done.returncode == 0
