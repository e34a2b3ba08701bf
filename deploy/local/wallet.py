"""The stand-in wallet of `make run`: signs for the accounts of the simulated network, unasked.

It is a part of the sandbox, so only the runner has it: no service and no image. Anybody can compute
the keys of these accounts from their names, and their money is not real.

See docs/decisions/0118-a-wallet-signs-what-the-page-has-read.md.
"""

from __future__ import annotations

from stellar_sdk import TransactionEnvelope
from stellar_sdk.exceptions import SdkError

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings

_LARGEST = 65_536
"""Characters of an envelope. Those of one call have about 2,000."""


class WalletError(ValueError):
    """The wallet does not sign. The message says why."""


def offer() -> list[dict[str, str]]:
    """The accounts for which the wallet signs: name and address."""
    return [{"name": name, "address": accounts.address(name)} for name in accounts.NAMES]


def sign(xdr: object, passphrase: object, account: object) -> str:
    """The envelope with the signature of a simulated account, in base64. Raises WalletError."""
    names = {each["address"]: each["name"] for each in offer()}
    if not isinstance(account, str) or account not in names:
        raise WalletError(f"account: the wallet has no key of {account!r}")
    known = SimulatorSettings().network_passphrase
    if passphrase != known:
        raise WalletError(f"networkPassphrase: expected {known!r}, not {passphrase!r}")
    envelope = _read(xdr, known)
    envelope.sign(accounts.keypair(names[account]))
    return envelope.to_xdr()


def _read(xdr: object, passphrase: str) -> TransactionEnvelope:
    if not isinstance(xdr, str) or len(xdr) > _LARGEST:
        raise WalletError("xdr: expected an envelope in base64")
    try:
        return TransactionEnvelope.from_xdr(xdr, passphrase)
    except (SdkError, ValueError, TypeError, EOFError, KeyError):
        raise WalletError("xdr: this is no envelope of a transaction") from None
