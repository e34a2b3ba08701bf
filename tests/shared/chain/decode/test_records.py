"""Horizon's JSON is parsed strictly: an error names the wrong field."""

from __future__ import annotations

from typing import Any

import pytest

from shared.chain.decode.records import MalformedError, parse_record
from shared.domain.position import toid
from tests.indexer.handmade import NOW, created, document, meta_v4, proof, result, without

GOOD = document(meta_v4([created()]), result(proof([created()])))
ODD: list[tuple[str, list[Any]]] = [
    ("paging_token", [None, "", "x", "-1", "1.5", 5, "1" * 5000, "99", str(toid(1000, 1, 1))]),
    ("hash", [None, "", "G" * 64, 7, "a" * 63]),
    ("ledger", [None, "1000", 1000.0, True, 999, -1, 1 << 40]),
    ("created_at", [None, "", "yesterday", "2026-02-02T02:40:00", "1969-01-01T00:00:00Z", 5]),
    ("successful", [None, "true", 1, 0]),
    ("envelope_xdr", [None, 7, "*", "AAA", "ä", ["A"]]),
    ("result_xdr", [None, 7, "*", "AAA", {}]),
    ("result_meta_xdr", [7, "*", "AAA", ["x"]]),
]


@pytest.mark.parametrize(("field", "values"), ODD, ids=[field for field, _ in ODD])
def test_a_malformed_record_names_the_field(field: str, values: list[Any]) -> None:
    named = "paging_token" if field == "ledger" else field
    cases = [GOOD | {field: value} for value in values]
    if field != "result_meta_xdr":
        cases.append(without(GOOD, field))
    for case in cases:
        with pytest.raises(MalformedError, match=f"'{field}'|'{named}'"):
            parse_record(case)
    assert parse_record(GOOD).toid == toid(1000, 1)


def test_close_times_may_have_milliseconds_and_other_zones() -> None:
    for text in ("2026-02-02T02:40:00.999Z", "2026-02-02T03:40:00+01:00"):
        assert parse_record(GOOD | {"created_at": text}).closed == NOW
