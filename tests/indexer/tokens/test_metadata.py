"""What a token tells: of assets, of other tokens, and of contracts that want to deceive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Asset, Keypair, scval, xdr

from deploy.simulator.chain.accounts import contract_id
from deploy.simulator.chain.entries import entry_data
from deploy.simulator.contracts.storage import INSTANCE_KEY
from services.indexer.tokens.metadata import token_info
from shared.domain.tokens import MAX_DECIMALS, TokenInfo

PASSPHRASE = "Headrace Local Network ; November 2026"
ISSUER = Keypair.from_raw_ed25519_seed(bytes(32)).public_key
OTHER = contract_id("some token")
NOTHING = TokenInfo(read_at=5)


def usual(**more: xdr.SCVal) -> dict[str, xdr.SCVal]:
    texts = {"name": scval.to_string("Gold"), "symbol": scval.to_string("GLD")}
    return {"decimal": scval.to_uint32(2), **texts, **more}


def entry(
    metadata: xdr.SCVal | Mapping[str, xdr.SCVal],
    key: xdr.SCVal | None = None,
    address: str = OTHER,
    more: tuple[xdr.SCMapEntry, ...] = (),
) -> bytes:
    value = metadata if isinstance(metadata, xdr.SCVal) else scval.to_struct(dict(metadata))
    wasm = xdr.ContractExecutable(
        xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=xdr.Hash(bytes(32))
    )
    storage = [*more, xdr.SCMapEntry(key or scval.to_symbol("METADATA"), value)]
    instance = xdr.SCContractInstance(wasm, xdr.SCMap(storage))
    whole = xdr.SCVal(xdr.SCValType.SCV_CONTRACT_INSTANCE, instance=instance)
    return entry_data(address, INSTANCE_KEY, whole).to_xdr_bytes()


def told(raw: bytes, address: str = OTHER) -> TokenInfo:
    return token_info(raw, address, PASSPHRASE, 5)


def test_a_token_tells_symbol_name_and_decimals() -> None:
    assert told(entry(usual())) == TokenInfo("GLD", "Gold", 2, None, 5)


def test_tokens_of_openzeppelin_tell_it_in_their_own_form() -> None:
    fields = usual(decimals=scval.to_uint32(18))
    del fields["decimal"]
    meta = scval.to_vec([scval.to_symbol("Meta")])
    assert told(entry(fields, meta)) == TokenInfo("GLD", "Gold", 18, None, 5)
    assert told(entry(fields)) == TokenInfo("GLD", "Gold", 18, None, 5)


def test_other_entries_of_the_instance_do_not_matter() -> None:
    admin = xdr.SCMapEntry(scval.to_vec([scval.to_symbol("Admin")]), scval.to_address(ISSUER))
    nonsense = xdr.SCMapEntry(scval.to_string("METADATA"), scval.to_bool(True))
    assert told(entry(usual(), more=(admin, nonsense))) == told(entry(usual()))


@pytest.mark.parametrize("code", ["USDC", "X", "LONGERCODE12"])
def test_the_asset_of_a_true_asset_contract_is_proved(code: str) -> None:
    address = Asset(code, ISSUER).contract_id(PASSPHRASE)
    name = f"{code}:{ISSUER}"
    raw = entry(usual(name=scval.to_string(name)), address=address)
    assert told(raw, address).asset == told(raw, address).name == name


def test_the_native_asset_is_proved() -> None:
    address = Asset.native().contract_id(PASSPHRASE)
    raw = entry(usual(name=scval.to_string("native")), address=address)
    assert told(raw, address).asset == "native"
    assert token_info(raw, address, "another network", 5).asset is None


@pytest.mark.parametrize("name", [f"USDC:{ISSUER}", "native"])
def test_an_impostor_has_the_name_but_not_the_asset(name: str) -> None:
    info = told(entry(usual(name=scval.to_string(name), symbol=scval.to_string("USDC"))))
    assert (info.name, info.symbol, info.asset) == (name, "USDC", None)


WRONG: list[tuple[str, xdr.SCVal]] = [
    ("symbol", scval.to_string("\u202eCDSU")),
    ("symbol", scval.to_string("US\nDC")),
    ("symbol", scval.to_string(b"\xff\xfe")),
    ("symbol", scval.to_string("x" * 33)),
    ("symbol", scval.to_string("")),
    ("symbol", scval.to_address(ISSUER)),
    ("symbol", scval.to_uint32(5)),
    ("name", scval.to_string("x" * 60_000)),
    ("name", scval.to_bytes(b"Gold")),
    ("name", scval.to_void()),
    ("decimal", scval.to_uint32(39)),
    ("decimal", scval.to_int32(-1)),
    ("decimal", scval.to_bool(True)),
    ("decimal", scval.to_string("2")),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_what_cannot_be_shown_is_not_told_and_the_rest_is(field: str, value: xdr.SCVal) -> None:
    name = {"decimal": "decimals"}.get(field, field)
    usually = told(entry(usual()))
    assert told(entry(usual(**{field: value}))) == replace(usually, **{name: None})


NOT_TOLD = [
    b"",
    b"nonsense",
    entry(scval.to_void()),
    entry(scval.to_vec([])),
    entry({}),
    entry(usual(), key=scval.to_symbol("METADATA_")),
    entry(usual(), key=scval.to_string("METADATA")),
    entry(usual(), key=scval.to_vec([scval.to_symbol("Meta"), scval.to_uint32(1)])),
    entry_data(OTHER, INSTANCE_KEY, scval.to_uint32(7)).to_xdr_bytes(),
]


@pytest.mark.parametrize("raw", NOT_TOLD)
def test_a_contract_that_does_not_tell(raw: bytes) -> None:
    assert told(raw) == NOTHING


texts = st.one_of(st.text(max_size=40), st.binary(max_size=40)).map(scval.to_string)
leaves = st.one_of(
    texts,
    st.integers(0, (1 << 32) - 1).map(scval.to_uint32),
    st.integers(-(1 << 127), (1 << 127) - 1).map(scval.to_int128),
    st.from_regex("[A-Za-z0-9_]{0,32}", fullmatch=True).map(scval.to_symbol),
    st.booleans().map(scval.to_bool),
    st.just(scval.to_void()),
    st.just(scval.to_address(ISSUER)),
    st.just(scval.to_symbol("METADATA")),
)


def _map(pairs: list[tuple[xdr.SCVal, xdr.SCVal]]) -> xdr.SCVal:
    entries = xdr.SCMap([xdr.SCMapEntry(*pair) for pair in pairs])
    return xdr.SCVal(xdr.SCValType.SCV_MAP, map=entries)


values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(scval.to_vec),
        st.lists(st.tuples(inner, inner), max_size=4).map(_map),
        st.fixed_dictionaries({}, optional=dict.fromkeys(usual(), inner)).map(scval.to_struct),
    ),
    max_leaves=12,
)


@given(values, st.lists(st.tuples(values, values), max_size=3))
def test_no_instance_stops_the_reader(
    metadata: xdr.SCVal, more: list[tuple[xdr.SCVal, xdr.SCVal]]
) -> None:
    around = tuple(xdr.SCMapEntry(*pair) for pair in more)
    check(told(entry(metadata, more=around)))


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_stop_the_reader(noise: bytes, at: int) -> None:
    good = entry(usual())
    check(told(noise))
    check(told(good[:at] + noise + good[at + len(noise) :]))
    check(told(good[:at]))


def check(info: TokenInfo) -> None:
    for text in (info.symbol, info.name):
        assert text is None or (text.isprintable() and 0 < len(text) <= 100)
    assert info.decimals is None or 0 <= info.decimals <= MAX_DECIMALS
    assert info.asset is None
