"""The address of an asset's contract, compared with the one that stellar-sdk derives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Asset, Keypair

from shared.domain.assets import asset_contract, is_asset_contract

PUBLIC = "Public Global Stellar Network ; September 2015"
codes = st.from_regex(r"[A-Za-z0-9]{1,12}", fullmatch=True)
seeds = st.binary(min_size=32, max_size=32)


@given(codes, seeds, st.text(min_size=1, max_size=60))
def test_the_address_is_the_one_that_the_sdk_derives(
    code: str, seed: bytes, passphrase: str
) -> None:
    issuer = Keypair.from_raw_ed25519_seed(seed).public_key
    expected = Asset(code, issuer).contract_id(passphrase)
    assert asset_contract(f"{code}:{issuer}", passphrase) == expected
    assert is_asset_contract(expected, f"{code}:{issuer}", passphrase)


def test_lumens_of_the_public_network() -> None:
    # Published in Stellar's documentation of asset contracts.
    lumens = "CAS3J7GYLGXMF6TDJBBYYSE3HQ6BBSMLNUQ34T6TZMYMW2EVH34XOWMA"
    assert asset_contract("native", PUBLIC) == lumens
    assert not is_asset_contract(lumens, "native", "Test SDF Network ; September 2015")


@pytest.mark.parametrize(
    "asset", ["", "XLM", "Native", "USDC:", "USDC:G", ":", "U SD:G", "ABCDEFGHIJKLM:G", "native:"]
)
def test_what_is_not_an_asset_has_no_contract(asset: str) -> None:
    with pytest.raises(ValueError, match="not an"):
        asset_contract(asset, PUBLIC)
    assert not is_asset_contract("C", asset, PUBLIC)
