"""The setting TOKENS, as an operator writes it."""

from __future__ import annotations

import pytest

from services.api.settings import ApiSettings
from shared.domain.tokens import TokenSpec
from shared.runtime.config import load
from tests.api.samples import TOKEN


def test_it_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACTS", TOKEN)
    assert load(ApiSettings).tokens == ()
    monkeypatch.setenv("TOKENS", f" {TOKEN}=USDC:7 , ")
    assert load(ApiSettings).tokens == (TokenSpec(TOKEN, "USDC", 7),)


def test_a_mistake_says_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONTRACTS", TOKEN)
    monkeypatch.setenv("TOKENS", f"USDC:7,{TOKEN}=USDC:70")
    with pytest.raises(SystemExit):
        load(ApiSettings)
    assert capsys.readouterr().err == (
        "1 invalid setting:\n"
        "  TOKENS: 'USDC:7' is not a contract address: expected C…=SYMBOL:DECIMALS, "
        f"such as C…=USDC:7; '{TOKEN}=USDC:70' has no usable decimals: "
        "expected C…=SYMBOL:DECIMALS, such as C…=USDC:7, with 0 to 38 decimals\n"
    )
