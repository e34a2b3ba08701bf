"""Builds SEP-10 challenges, and checks challenges that a wallet has signed.

stellar-sdk does most of the work, but has three defects. It accepts a key of weight 0 if the
threshold is 0, and its decoder raises many types of errors: this module corrects both. It also
leaves out a memo of 0: ChallengeQuery rejects this memo.

The import of stellar-sdk takes 0.4 s and 20 MB. So other modules import this module only if the API
has a signing key (SIGNING_SEED).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
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

from services.api.auth.settings import CHALLENGE_SECONDS
from services.api.auth.signers import Signers
from services.api.errors import ChallengeRejectedError


@dataclass(frozen=True, slots=True)
class LoginServer:
    """The server in a SEP-10 login: its signing key, domains and network."""

    keypair: Keypair
    home_domain: str
    web_auth_domain: str
    passphrase: str

    @classmethod
    def from_seed(
        cls, seed: str, *, home_domain: str, web_auth_domain: str, passphrase: str
    ) -> LoginServer:
        """The server whose signing key has this secret seed (S…)."""
        return cls(Keypair.from_secret(seed), home_domain, web_auth_domain, passphrase)


@dataclass(frozen=True, slots=True)
class ReceivedChallenge:
    """A challenge that a wallet signed and sent. `digest` is its transaction's hash, in hex."""

    envelope: str
    account: str
    memo: int | None
    client_domain: str | None
    digest: str
    issued: int
    """The start of the challenge's time bounds, in Unix seconds."""

    @property
    def address(self) -> str:
        """The account (G…) whose keys must have signed."""
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
    """Build a challenge for an account (G… or M…), signed by the server, as base64 XDR.

    `now` is in Unix seconds. stellar-sdk sets the time bounds by the clock of this machine. So this
    function sets the time bounds again, by `now`, and signs again.
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
    parsed = TransactionEnvelope.from_xdr(envelope, server.passphrase)
    parsed.transaction.preconditions = Preconditions(
        time_bounds=TimeBounds(now, now + CHALLENGE_SECONDS)
    )
    parsed.signatures.clear()
    parsed.sign(server.keypair)
    return parsed.to_xdr()


def read(servers: Sequence[LoginServer], envelope: str) -> tuple[LoginServer, ReceivedChallenge]:
    """Parse a signed challenge. Returns the server that signed it too.

    Raises ChallengeRejectedError if no server accepts it, with the reason of the last one.
    """
    *others, last = servers
    for server in others:
        with suppress(ChallengeRejectedError):
            return server, _read(server, envelope)
    return last, _read(last, envelope)


def _read(server: LoginServer, envelope: str) -> ReceivedChallenge:
    try:
        challenge = sep10.read_challenge_transaction(envelope, *_server_arguments(server))
    except InvalidSep10ChallengeError as error:
        raise ChallengeRejectedError(str(error)) from None
    except Exception:  # the decoder raises struct.error, EOFError, binascii.Error, ValueError, …
        raise ChallengeRejectedError(
            "The transaction is not the base64 XDR of a challenge."
        ) from None
    transaction = challenge.transaction.transaction
    domains = [
        (op.data_value or b"").decode(errors="replace")
        for op in transaction.operations
        if isinstance(op, ManageData) and op.data_name == "client_domain"
    ]
    bounds = transaction.preconditions.time_bounds if transaction.preconditions else None
    assert bounds is not None  # stellar-sdk has already rejected a challenge without time bounds
    return ReceivedChallenge(
        envelope=envelope,
        account=challenge.client_account_id,
        memo=challenge.memo,
        client_domain=domains[0] if domains else None,
        digest=challenge.transaction.hash_hex(),
        issued=bounds.min_time,
    )


def verify(server: LoginServer, challenge: ReceivedChallenge, signers: Signers | None) -> None:
    """Raise ChallengeRejectedError unless enough of the account's keys have signed.

    If `signers` is None, the account does not exist yet. Then its master key must have signed.
    """
    weights = signers.weights if signers else [(challenge.address, 1)]
    threshold = max(1, signers.threshold) if signers else 1
    usable = [Ed25519PublicKeySigner(key, weight) for key, weight in weights if weight > 0]
    try:
        sep10.verify_challenge_transaction_threshold(
            challenge.envelope, *_server_arguments(server), threshold=threshold, signers=usable
        )
    except InvalidSep10ChallengeError as error:
        raise ChallengeRejectedError(str(error)) from None


def _server_arguments(server: LoginServer) -> tuple[str, str, str, str]:
    return (
        server.keypair.public_key,
        server.home_domain,
        server.web_auth_domain,
        server.passphrase,
    )
