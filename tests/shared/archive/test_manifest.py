"""Manifests: one canonical form, and a signature over all of it."""

from __future__ import annotations

from dataclasses import fields, replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import Keypair

from shared.archive.errors import DamagedArchiveError
from shared.archive.manifest import Manifest
from shared.domain.position import Position
from tests.shared.archive.written import manifest
from tests.support.tier import examples

POSITIONS = st.builds(Position, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
FIELDS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
MANIFESTS = st.builds(
    Manifest,
    before=POSITIONS,
    first=POSITIONS,
    last=POSITIONS,
    erased=st.lists(POSITIONS, max_size=3).map(tuple),
    progress=FIELDS,
    owner=FIELDS,
    **{name: st.integers(0, 2**53) for name in ("count", "size", "index_size")},
    **{name: st.integers(0, 2**53) for name in ("first_published", "last_published")},
    **{name: st.none() | st.integers(0, 2**31) for name in ("first_ledger", "last_ledger")},
)
KEY = Keypair.random()


@settings(max_examples=examples(10))
@given(made=MANIFESTS)
def test_what_is_encoded_can_be_decoded(made: Manifest) -> None:
    assert Manifest.decode(made.encode()) == made


def test_the_encoding_is_canonical() -> None:
    raw = manifest(progress={"b": "1", "a": "2"}).encode()
    assert raw == orjson.dumps(orjson.loads(raw), option=orjson.OPT_SORT_KEYS)
    assert raw == manifest(progress={"a": "2", "b": "1"}).encode()


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[]", b"null", manifest().encode()[:-1], b"\xff"],
)
def test_what_is_no_manifest_is_told(raw: bytes) -> None:
    with pytest.raises(DamagedArchiveError, match="not a manifest"):
        Manifest.decode(raw)


def test_a_manifest_of_a_later_format_is_told() -> None:
    raw = manifest().encode().replace(b'"format":1', b'"format":2')
    with pytest.raises(DamagedArchiveError, match="its format is 2, expected 1"):
        Manifest.decode(raw)


def test_a_signature_is_checked_with_the_public_key() -> None:
    signed = manifest().signed(KEY.secret)
    Manifest.decode(signed.encode()).check_signature(KEY.public_key)
    with pytest.raises(DamagedArchiveError, match="is not by G"):
        signed.check_signature(Keypair.random().public_key)
    with pytest.raises(DamagedArchiveError, match="has no signature"):
        signed.signed(None).check_signature(KEY.public_key)
    with pytest.raises(DamagedArchiveError, match="is not by G"):
        replace(signed, signature="AAAA").check_signature(KEY.public_key)


CHANGED: dict[type, object] = {int: 77, str: "changed", bytes: b"changed", tuple: (Position(5, 5),)}


@pytest.mark.parametrize("name", [each.name for each in fields(Manifest)][:-1])
def test_the_signature_covers_every_field(name: str) -> None:
    signed = manifest().signed(KEY.secret)
    value = getattr(signed, name)
    other = {"changed": "1"} if isinstance(value, dict) else CHANGED.get(type(value), 77)
    changed = Position(5, 5) if isinstance(value, Position) else other
    with pytest.raises(DamagedArchiveError, match="is not by G"):
        manifest(**{name: changed}, signature=signed.signature).check_signature(KEY.public_key)
