"""Settings from the environment: all invalid ones are reported together, with their names."""

from __future__ import annotations

import pytest
from stellar_sdk import StrKey

from shared.domain.contracts import ContractKind
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from shared.journal.settings import CommonSettings, JournalSettings
from shared.runtime.config import describe, http_url, load, split_list
from tests.shared.samples import TOKEN, S

NAMES = [name.upper() for name in JournalSettings.model_fields]
FORMER = "CONTRACT_IDS"
ASSET, OTHER = (StrKey.encode_contract(bytes([n]) * 32) for n in (1, 2))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that contains only what the test sets."""
    for name in (*NAMES, FORMER, "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CONTRACTS", TOKEN)
    return monkeypatch


def error_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        load(JournalSettings)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_only_contracts_is_required() -> None:
    settings = load(JournalSettings)
    assert settings.contracts == ((TOKEN, ContractKind.STREAM),)
    assert (settings.port, settings.host, settings.log_level) == (0, "127.0.0.1", "info")
    assert settings.retention == Retention(1_000_000, 0)


def test_an_empty_variable_counts_as_unset(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "")
    environment.setenv("JOURNAL_MAX_AGE", "")
    assert load(JournalSettings).port == 0


def test_all_invalid_settings_are_printed_one_on_each_line(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {
        "REDIS_URL": "http://localhost",
        "CONTRACTS": S,
        "NAMESPACE": "Test Net",
        "PORT": "70000",
        "LOG_LEVEL": "loud",
        "JOURNAL_MAX_LENGTH": "0",
        "JOURNAL_MAX_AGE": "a day",
    }
    for name, value in wrong.items():
        environment.setenv(name, value)
    first, *lines = error_lines(capsys)
    assert first == "7 invalid settings:"
    reasons = dict(line.strip().split(": ", 1) for line in lines)
    assert set(reasons) == set(wrong)
    assert "redis://" in reasons["REDIS_URL"]
    assert "expected C…" in reasons["CONTRACTS"]
    assert "65535" in reasons["PORT"]
    assert "'warning'" in reasons["LOG_LEVEL"]
    assert "integer" in reasons["JOURNAL_MAX_AGE"]
    assert "greater than or equal to 1" in reasons["JOURNAL_MAX_LENGTH"]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy"])
@pytest.mark.parametrize(
    "url",
    [
        "https://user:geheim@proxy:3128",
        "socks5://proxy:1080",
        "proxy:3128",
        "http://[",
        "/",
        "http://p:x",
    ],
)
def test_a_proxy_that_is_no_http_proxy_is_refused(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, url: str
) -> None:
    """Otherwise it would be ignored, with direct connections, or each request would fail."""
    environment.setenv(name, url)
    environment.setenv("PORT", "70000")
    first, port, proxy = error_lines(capsys)
    assert (first, port.split(":")[0]) == ("2 invalid settings:", "  PORT")
    assert proxy.startswith(f"  {name.upper()}: expected http://")
    assert "geheim" not in proxy


def test_an_http_proxy_is_accepted(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "http://user:geheim@proxy.example:3128")
    environment.setenv("ALL_PROXY", "socks5://proxy.example")  # no service uses it
    assert load(JournalSettings).port == 0


def test_a_missing_contract_is_reported(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("CONTRACTS")
    first, line = error_lines(capsys)
    assert first == "1 invalid setting:"
    assert line.startswith("  CONTRACTS: not set; expected contracts to watch")


def test_the_first_contract_is_the_stream_contract_and_the_others_are_tokens(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("CONTRACTS", f"{ASSET}:token, {TOKEN}:stream,{OTHER}:token")
    both = load(CommonSettings)
    assert both.contracts == (
        (TOKEN, ContractKind.STREAM), (ASSET, ContractKind.TOKEN), (OTHER, ContractKind.TOKEN)
    )  # fmt: skip
    environment.setenv("CONTRACTS", TOKEN)
    assert load(CommonSettings).keys == both.keys, "the namespace is the stream contract's"


def test_the_former_name_of_the_setting_still_works(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("CONTRACTS")
    environment.setenv(FORMER, TOKEN)
    assert load(CommonSettings).contracts == ((TOKEN, ContractKind.STREAM),)
    assert (
        CommonSettings(contract_ids=TOKEN).contracts == CommonSettings(contracts=(TOKEN,)).contracts
    )
    environment.setenv(FORMER, "C")
    assert error_lines(capsys)[1].startswith("  CONTRACTS: 'C' is not a contract address")


@pytest.mark.parametrize(
    ("contracts", "reasons"),
    [
        (
            TOKEN[:-1] + "A",
            f"'{TOKEN[:-1]}A' is not a contract address: expected C… with a checksum",
        ),
        (TOKEN.lower(), f"'{TOKEN.lower()}' is not a contract address: expected C…"),
        (",", "exactly one stream contract, found 0; every other contract is C…:t"),
        (f"{TOKEN},{ASSET}", "exactly one stream contract, found 2"),
        (f"{TOKEN}:token", "exactly one stream contract, found 0"),
        (f"{TOKEN},{TOKEN}:token", f"{TOKEN} is listed twice"),
        (f"{TOKEN},{ASSET}:token,{ASSET}:token", f"{ASSET} is listed twice"),
        (
            f"{TOKEN},{ASSET}:coin",
            f"'{ASSET}:coin' has an unknown kind: expected C…:stream",
        ),
        (f"{TOKEN},{ASSET}:", "has an unknown kind"),
        (f"{TOKEN}:stream:token", "has an unknown kind"),
        (f"{TOKEN},{ASSET},x", "stream contract, found 2"),
        (f"{TOKEN},{ASSET},x", "'x' is not a contract address"),
    ],
)
def test_invalid_contracts_are_reported(
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    contracts: str,
    reasons: str,
) -> None:
    environment.setenv("CONTRACTS", contracts)
    _, line = error_lines(capsys)
    assert line.startswith("  CONTRACTS: ")
    assert reasons in line


def test_an_invalid_url_is_reported_without_its_password(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("REDIS_URL", "reddis://:hunter2@redis/0")
    assert "hunter2" not in "".join(error_lines(capsys))


@pytest.mark.parametrize("url", ["redis://r:1/0", "rediss://r", "unix:///run/redis.sock"])
def test_valid_redis_urls(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("REDIS_URL", url)
    assert load(CommonSettings).redis_url == url


def test_the_default_namespace_follows_from_network_and_contract(
    environment: pytest.MonkeyPatch,
) -> None:
    default = load(CommonSettings).keys
    assert default.namespace.startswith("testnet-")
    environment.setenv("NETWORK_PASSPHRASE", "Standalone Network ; February 2017")
    assert load(CommonSettings).keys.namespace.startswith("network-")
    assert load(CommonSettings).keys.namespace[-12:] != default.namespace[-12:]
    environment.setenv("NAMESPACE", "testnet-2")
    assert load(CommonSettings).keys == Keys("testnet-2")
    assert load(CommonSettings).keys.journal == "headrace:{testnet-2}:journal"


def test_the_description_lists_every_setting_with_its_default() -> None:
    lines = describe(JournalSettings).splitlines()
    assert [line.split()[0] for line in lines[1:]] == NAMES
    assert "(required)" in next(line for line in lines if "CONTRACTS" in line)
    assert "(default redis://localhost:6379/0)" in next(
        line for line in lines if "REDIS_URL" in line
    )
    assert "(default empty)" in next(line for line in lines if "NAMESPACE" in line)
    assert "(default 1000000)" in next(line for line in lines if "JOURNAL_MAX_LENGTH" in line)


def test_every_setting_has_a_description() -> None:
    assert "None" not in describe(JournalSettings)
    assert all(field.description for field in JournalSettings.model_fields.values())


@pytest.mark.parametrize("url", ["localhost:80", "ftp://x", "https://", "//x", ""])
def test_invalid_http_urls(url: str) -> None:
    with pytest.raises(ValueError, match="expected http"):
        http_url(url)


def test_a_trailing_slash_of_an_http_url_is_removed() -> None:
    assert http_url("https://rpc.example/v1/") == "https://rpc.example/v1"


def test_a_list_is_split_at_commas() -> None:
    assert split_list(" a, b,,") == ("a", "b")
    assert split_list(("a",)) == ("a",)
