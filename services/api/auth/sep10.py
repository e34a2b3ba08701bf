"""SEP-10 challenges: made for a wallet to sign, and checked when they come back signed.

The work is stellar-sdk's; here stand its traps. It lets a key of weight 0 pass a threshold of 0,
drops a memo of 0 without a word, and raises whatever its decoder does on bytes that are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stellar_sdk import (
    Keypair,
    ManageData,
    MuxedAccount,
    Preconditions,
    TimeBounds,
    TransactionEnvelope,
)
from stellar_sdk.sep import stellar_web_authentication as sep10
from stellar_sdk.sep.ed25519_public_key_signer import Ed25519PublicKeySigner
from stellar_sdk.sep.exceptions import InvalidSep10ChallengeError

CHALLENGE_SECONDS = 900
"""How long a wallet has to sign; what SEP-10 recommends."""


class ChallengeRejectedError(Exception):
    """A challenge that does not log anybody in; the message says why."""


@dataclass(frozen=True, slots=True)
class LoginServer:
    """Who asks: signing key, domains and network."""

    keypair: Keypair
    home_domain: str
    web_auth_domain: str
    passphrase: str


@dataclass(frozen=True, slots=True)
class Signers:
    """The keys of an account with their weights, and what they must add up to."""

    weights: Sequence[tuple[str, int]]
    threshold: int


@dataclass(frozen=True, slots=True)
class ReceivedChallenge:
    """A challenge of ours that came back. `digest` is its transaction's hash, in hex."""

    envelope: str
    account: str
    memo: int | None
    client_domain: str | None
    digest: str
    issued: int
    """Unix seconds."""

    @property
    def address(self) -> str:
        """The G… account whose keys must have signed."""
        return MuxedAccount.from_account(self.account).account_id

    @property
    def subject(self) -> str:
        """`sub` of the token: G…, M…, or G…:memo for a user of a shared account."""
        return self.account if self.memo is None else f"{self.account}:{self.memo}"


def build(
    server: LoginServer,
    account: str,
    *,
    now: int,
    memo: int | None = None,
    client_domain: str | None = None,
    client_key: str | None = None,
) -> str:
    """A challenge for an account (G… or M…), signed by the server; base64 XDR.

    `now` in Unix seconds. stellar-sdk uses the machine's clock, so the time bounds are replaced.
    """
    envelope = sep10.build_challenge_transaction(
        server.keypair.secret,
        account,
        server.home_domain,
        server.web_auth_domain,
        server.passphrase,
        timeout=CHALLENGE_SECONDS,
        client_domain=client_domain,
        client_signing_key=client_key,
        memo=memo,
    )
    made = TransactionEnvelope.from_xdr(envelope, server.passphrase)
    made.transaction.preconditions = Preconditions(
        time_bounds=TimeBounds(now, now + CHALLENGE_SECONDS)
    )
    made.signatures.clear()
    made.sign(server.keypair)
    return made.to_xdr()


def read(server: LoginServer, envelope: str) -> ReceivedChallenge:
    """A signed challenge, sure to be ours and in time. Raises ChallengeRejectedError."""
    try:
        found = sep10.read_challenge_transaction(envelope, *_ours(server))
    except InvalidSep10ChallengeError as error:
        raise ChallengeRejectedError(str(error)) from None
    except Exception:  # its decoder raises struct.error, EOFError, binascii.Error, ValueError, …
        raise ChallengeRejectedError("the transaction is no base64 XDR of a challenge") from None
    domains = [
        (op.data_value or b"").decode(errors="replace")
        for op in found.transaction.transaction.operations
        if isinstance(op, ManageData) and op.data_name == "client_domain"
    ]
    preconditions = found.transaction.transaction.preconditions
    bounds = preconditions.time_bounds if preconditions else None
    assert bounds is not None  # without them stellar-sdk refuses it
    return ReceivedChallenge(
        envelope=envelope,
        account=found.client_account_id,
        memo=found.memo,
        client_domain=domains[0] if domains else None,
        digest=found.transaction.hash_hex(),
        issued=bounds.min_time,
    )


def verify(server: LoginServer, challenge: ReceivedChallenge, signers: Signers | None) -> None:
    """Raise ChallengeRejectedError unless enough of the account's keys have signed.

    `signers` None: the account does not exist yet, and its master key alone counts.
    """
    weights = signers.weights if signers else [(challenge.address, 1)]
    threshold = max(1, signers.threshold) if signers else 1
    able = [Ed25519PublicKeySigner(key, weight) for key, weight in weights if weight > 0]
    try:
        sep10.verify_challenge_transaction_threshold(
            challenge.envelope, *_ours(server), threshold=threshold, signers=able
        )
    except InvalidSep10ChallengeError as error:
        raise ChallengeRejectedError(str(error)) from None


def _ours(server: LoginServer) -> tuple[str, str, str, str]:
    return (
        server.keypair.public_key,
        server.home_domain,
        server.web_auth_domain,
        server.passphrase,
    )
