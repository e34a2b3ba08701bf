"""The block explorer of the console: the setting EXPLORER_URL, and its default for each network."""

from __future__ import annotations

import pytest

from services.api.console.explorer import explorer_url
from services.api.settings import ApiSettings
from shared.runtime.config import load
from tests.api.samples import TOKEN


def test_the_explorer_is_that_of_the_network_unless_it_is_set() -> None:
    local, test, public = (
        explorer_url("", passphrase)
        for passphrase in (
            "Headrace Local Network ; November 2026",
            "Test SDF Network ; September 2015",
            "Public Global Stellar Network ; September 2015",
        )
    )
    assert local is None
    assert test == "https://stellar.expert/explorer/testnet"
    assert public == "https://stellar.expert/explorer/public"
    assert explorer_url("off", "Test SDF Network ; September 2015") is None
    assert explorer_url("https://e.example", "any") == "https://e.example"


def test_the_setting_is_a_url_or_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONTRACTS", TOKEN)
    for value in ("", "off", "https://e.example/x"):
        monkeypatch.setenv("EXPLORER_URL", value)
        assert load(ApiSettings).explorer_url == value
    monkeypatch.setenv("EXPLORER_URL", "javascript:alert(1)")
    with pytest.raises(SystemExit):
        load(ApiSettings)
    assert "EXPLORER_URL" in capsys.readouterr().err
