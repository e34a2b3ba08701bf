"""The stand-in wallet of the sandbox: what it signs, and that no image has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import Account, Keypair, TransactionBuilder, TransactionEnvelope

from deploy.local import wallet
from deploy.local.wallet import WalletError
from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings
from tests.deploy.dockerfile import Image, files_in
from tests.deploy.test_images import IMAGES

ALICE = accounts.address("alice")
PASSPHRASE = SimulatorSettings().network_passphrase


def unsigned() -> TransactionEnvelope:
    builder = TransactionBuilder(Account(ALICE, 1), PASSPHRASE)
    return builder.append_bump_sequence_op(5).add_time_bounds(0, 1_770_000_300).build()


def test_it_signs_for_each_account_that_it_offers() -> None:
    offered = {each["name"]: each["address"] for each in wallet.offer()}
    assert offered == {name: accounts.address(name) for name in accounts.NAMES}
    for address in offered.values():
        signed = TransactionEnvelope.from_xdr(
            wallet.sign(unsigned().to_xdr(), PASSPHRASE, address), PASSPHRASE
        )
        (signature,) = signed.signatures
        assert signed.hash() == unsigned().hash()
        Keypair.from_public_key(address).verify(signed.hash(), signature.signature)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"account": accounts.address(accounts.ADMIN)}, "account: the wallet has no key of"),
        ({"account": None}, "account: the wallet has no key of"),
        ({"passphrase": "Public Global Stellar Network ; September 2015"}, "networkPassphrase: "),
        ({"xdr": None}, "xdr: expected an envelope"),
        ({"xdr": "A" * 70_000}, "xdr: expected an envelope"),
        ({"xdr": "AAAA"}, "xdr: this is no envelope"),
        ({"xdr": "ä"}, "xdr: this is no envelope"),
        ({"xdr": unsigned().to_xdr()[:-8]}, "xdr: this is no envelope"),
    ],
)
def test_it_signs_nothing_else(change: dict[str, Any], reason: str) -> None:
    given = {"xdr": unsigned().to_xdr(), "passphrase": PASSPHRASE, "account": ALICE} | change
    with pytest.raises(WalletError) as refused:
        wallet.sign(**given)
    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize("target", IMAGES)
def test_no_image_has_the_wallet(target: str, tmp_path: Path) -> None:
    """Only the page knows its path. No service answers there: tests/console/test_sandbox.py."""
    Image(target).lay_out(tmp_path)
    names = files_in(tmp_path)
    code = [name for name in names if name.endswith(".py")]
    assert code or target == "gateway"
    assert [name for name in names if "deploy/local" in name] == []
    for name in code:
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "deploy.local" not in text, name
        assert "sandbox/wallet" not in text, name
