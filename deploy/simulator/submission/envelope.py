"""An envelope that a client submits, read for the checks of the network. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import sha256

from stellar_sdk import Keypair, StrKey, xdr
from stellar_sdk.exceptions import BadSignatureError

from deploy.simulator.chain.envelopes import SignedTransaction, native
from deploy.simulator.chain.values import to_base64

SOROBAN = (xdr.OperationType.INVOKE_HOST_FUNCTION, xdr.OperationType.RESTORE_FOOTPRINT)
"""The operations that the simulated network executes."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A transaction in a signed envelope. `payload` is what its signatures sign."""

    text: str
    body: xdr.Transaction
    signatures: tuple[xdr.DecoratedSignature, ...]
    payload: bytes
    source: str
    passphrase: str

    @property
    def hash(self) -> str:
        """The hash in hex."""
        return self.payload.hex()

    @property
    def sequence(self) -> int:
        """The sequence number."""
        return self.body.seq_num.sequence_number.int64

    @property
    def operation(self) -> xdr.Operation:
        """The first operation. The network refuses Soroban transactions that have more."""
        return self.body.operations[0]

    @property
    def has_other_source(self) -> bool:
        """True if the operation is one of another account than the transaction."""
        source = self.operation.source_account
        return source is not None and source != self.body.source_account

    @property
    def data(self) -> xdr.SorobanTransactionData | None:
        """The resources; None if the envelope has none."""
        return self.body.ext.soroban_data

    @property
    def resource_fee(self) -> int:
        """The declared fee for resources, in stroops."""
        return self.data.resource_fee.int64 if self.data else 0

    @property
    def inclusion_fee(self) -> int:
        """The fee that is offered for the place in a ledger, in stroops."""
        return self.body.fee.uint32 - self.resource_fee

    @property
    def times(self) -> tuple[int, int]:
        """The time bounds in Unix seconds. 0 stands for no bound."""
        conditions = self.body.cond
        bounds = conditions.time_bounds or (conditions.v2.time_bounds if conditions.v2 else None)
        if bounds is None:
            return 0, 0
        return bounds.min_time.time_point.uint64, bounds.max_time.time_point.uint64

    def is_signed_by(self, signature: xdr.DecoratedSignature) -> bool:
        """True if this is a signature of the source account."""
        keys = Keypair.from_public_key(self.source)
        try:
            keys.verify(self.payload, signature.signature.signature)
        except BadSignatureError:
            return False
        return keys.signature_hint() == signature.hint.signature_hint

    def signed(self) -> SignedTransaction:
        """The transaction as the chain keeps it."""
        return SignedTransaction(
            envelope=self.text,
            hash=self.hash,
            source=self.source,
            sequence=self.sequence,
            fee_source=self.source,
            max_fee=self.body.fee.uint32,
            signatures=tuple(to_base64(each.signature.signature) for each in self.signatures),
            native=native(self.passphrase),
            times=self.times,
        )


def read_envelope(text: str) -> xdr.TransactionEnvelope:
    """The envelope in base64. Raises ValueError if it is no envelope or has bytes after its end."""
    try:
        found = xdr.TransactionEnvelope.from_xdr(text)
        whole = base64.b64decode(text, validate=True)
    except Exception:  # the SDK raises many kinds of errors for wrong bytes
        raise ValueError("this is no envelope in XDR") from None
    if found.to_xdr_bytes() != whole:
        raise ValueError("there are bytes after the end of the envelope")
    return found


def read_submission(text: str, passphrase: str) -> Submission:
    """The transaction of an envelope.

    Raises ValueError if it is no envelope, and UnsupportedEnvelopeError if it is one that the
    simulated network does not know.
    """
    envelope = read_envelope(text).v1
    if envelope is None or not envelope.tx.operations:
        raise UnsupportedEnvelopeError("a fee bump, a transaction v0, or one without operations")
    return Submission(
        text=text,
        body=envelope.tx,
        signatures=tuple(envelope.signatures),
        payload=_payload(envelope.tx, passphrase),
        source=_account(envelope.tx.source_account),
        passphrase=passphrase,
    )


class UnsupportedEnvelopeError(Exception):
    """The simulated network does not know this kind of envelope."""


def _payload(body: xdr.Transaction, passphrase: str) -> bytes:
    kind = xdr.EnvelopeType.ENVELOPE_TYPE_TX
    tagged = xdr.TransactionSignaturePayloadTaggedTransaction(kind, tx=body)
    network = xdr.Hash(sha256(passphrase.encode()).digest())
    image = xdr.TransactionSignaturePayload(network, tagged)
    return sha256(image.to_xdr_bytes()).digest()


def _account(source: xdr.MuxedAccount) -> str:
    key = source.ed25519 or (source.med25519.ed25519 if source.med25519 else None)
    assert key
    return StrKey.encode_ed25519_public_key(key.uint256)
