"""What servers report of their versions, however odd, and which ones are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.sources.versions import (
    NEWEST_KNOWN_PROTOCOL,
    ServerVersion,
    horizon_version,
    major,
    note_of_protocol,
    refusal_of_rpc,
    rpc_version,
)

URL = "http://rpc.example"
ROOT = {
    "horizon_version": "27.0.0-dd8a9b473a303cfcdd383d1db45dace93ea0861c",
    "core_version": "stellar-core 27.1.0 (3589a696b0d4ef5a2cf2124e349c671d71886d9c)",
    "current_protocol_version": 26,
    "supported_protocol_version": 27,
}
INFO = {
    "version": "27.1.1-7e712815319140618b9be8cf0846701a6f9a2cbe",
    "commitHash": "7e712815319140618b9be8cf0846701a6f9a2cbe",
    "buildTimestamp": "2026-07-07T21:12:19",
    "captiveCoreVersion": "stellar-core 27.1.0 (3589a696b0d4ef5a2cf2124e349c671d71886d9c)",
    "protocolVersion": 27,
}


def test_horizon_reports_the_network_s_protocol_not_the_newest_that_it_supports() -> None:
    reported = horizon_version(ROOT)
    assert reported == ("horizon", ROOT["horizon_version"], ROOT["core_version"], 26)


def test_rpc_reports_all_in_get_version_info() -> None:
    assert rpc_version(INFO) == ("rpc", INFO["version"], INFO["captiveCoreVersion"], 27)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("22.1.3", 22),
        ("v23.0.0", 23),
        ("27.1.1-7e712815319140618b9be8cf0846701a6f9a2cbe", 27),
        ("23.0.0-rc.2", 23),
        ("25.0.0-rc1-abc", 25),
        ("0.0.0", None),
        ("v0.0.0", None),
        ("devel", None),
        ("heads/main-7e71281", None),
        ("22", None),
        ("22.1", None),
        ("22.1.3rc1", None),
        ("7e71281", None),
        ("٢٢.1.3", None),
        ("", None),
    ],
)
def test_the_first_number_of_a_version(text: str, number: int | None) -> None:
    assert major(text) == number


@given(st.dictionaries(st.sampled_from([*ROOT, *INFO]), st.text() | st.integers() | st.none()))
def test_whatever_is_reported_is_short_and_printable(answer: dict[str, object]) -> None:
    for reported in (horizon_version(answer), rpc_version(answer)):
        for text in (reported.version, reported.core):
            assert len(text) <= 80
            assert text.isascii()
            assert text.isprintable()
        assert 0 <= reported.protocol < 1 << 32


@given(st.text(), st.integers(0, 22))
def test_only_a_version_with_three_numbers_is_refused(text: str, protocol: int) -> None:
    reported = rpc_version({"version": text, "protocolVersion": protocol})
    refusal = refusal_of_rpc(reported, URL)
    number = major(reported.version)
    assert (refusal is not None) == (number is not None and number < 23)


def test_an_old_rpc_is_refused_by_a_sentence_that_says_what_to_do() -> None:
    reported = ServerVersion("rpc", "22.1.3", "", 22)
    assert refusal_of_rpc(reported, URL) == (
        "RPC at http://rpc.example is version 22.1.3; Headrace needs 23.0.0 or newer, because older"
        " versions answer getEvents without latestLedgerCloseTime. Upgrade RPC, set another"
        " RPC_URL, or use SOURCE=horizon"
    )
    assert refusal_of_rpc(reported._replace(version="23.0.0"), URL) is None


def test_an_rpc_without_get_version_info_is_refused() -> None:
    refusal = refusal_of_rpc(ServerVersion("rpc", "", "", 20), URL, has_version=False)
    assert refusal
    assert "does not know getVersionInfo, so it is older than 21.1.0" in refusal


@pytest.mark.parametrize("has_version", [True, False])
def test_an_rpc_that_follows_protocol_23_is_new_enough(has_version: bool) -> None:
    """A gateway may report a version of its own, or hide getVersionInfo."""
    reported = ServerVersion("rpc", "1.4.2" if has_version else "", "", 23)
    assert refusal_of_rpc(reported, URL, has_version=has_version) is None


def test_a_newer_protocol_is_a_note() -> None:
    tried = ServerVersion("horizon", "30.0.0", "", NEWEST_KNOWN_PROTOCOL)
    newer = ServerVersion("rpc", "31.0.0", "", NEWEST_KNOWN_PROTOCOL + 1)
    assert note_of_protocol([]) is None
    assert note_of_protocol([tried]) is None
    note = note_of_protocol([tried, newer])
    assert note
    assert note.startswith("rpc is at protocol 31; this version of Headrace knows")
    assert "Upgrade Headrace" in note
