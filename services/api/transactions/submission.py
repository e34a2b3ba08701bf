"""Submits signed transactions: checks them, and sends each hash once.

See docs/decisions/0117-one-claim-for-a-hash.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from stellar_sdk import Keypair, xdr
from stellar_sdk.exceptions import BadSignatureError

from services.api.errors import EnvelopeRejectedError, RpcUnavailableError
from services.api.metrics import SUBMITTED, SubmissionOutcome
from services.api.transactions.documents import Document
from services.api.transactions.following import TransactionFollower, waiting
from services.api.transactions.network import ChainNetwork, was_not_sent
from services.api.transactions.preparation import no_account
from services.api.transactions.reading import ReadEnvelope, read_envelope
from services.api.transactions.rights import require_amount, require_source, token_taken
from services.api.transactions.settled import NOT_FOUND, code_of, ledger_times, network_error
from services.api.transactions.submission_store import (
    DAY,
    SubmissionRecord,
    SubmissionState,
    SubmissionStore,
)
from shared.auth.principal import Principal
from shared.chain.errors import SourceError
from shared.journal.streams import StoredStreams

log = structlog.get_logger()

_TRY_AGAIN_LATER = "TRY_AGAIN_LATER"


class TransactionSubmitter:
    """Submits transactions that call the stream contract."""

    def __init__(
        self,
        network: ChainNetwork,
        streams: StoredStreams,
        submissions: SubmissionStore,
        follower: TransactionFollower,
        contract_id: str,
    ) -> None:
        self._network = network
        self._streams = streams
        self._submissions = submissions
        self._follower = follower
        self._contract_id = contract_id

    async def submit(self, text: str, by: Principal) -> Document:
        """Send a signed envelope, unless its hash was sent before. Returns its status.

        Raises EnvelopeRejectedError, PermissionDeniedError, AmountLimitError;
        TransactionRefusedError if the network refuses it; RpcUnavailableError if it was not sent.
        """
        read = read_envelope(text, self._network.passphrase, self._contract_id)
        require_source(by, read.source)
        record = await self._submissions.get(read.hash)
        await self._check_amount(read, record, by)
        await self._network.check()
        await self._check_signatures(read)
        if record and record.state is SubmissionState.SENT:
            return await self._follower.status(read.hash, by)
        claim = self._submissions.claim(read.hash)
        if not await claim.take():
            return waiting(read.hash, record or _record(read))
        try:
            return await self._send(read, by)
        finally:
            await claim.release()

    async def _check_amount(
        self, read: ReadEnvelope, record: SubmissionRecord | None, by: Principal
    ) -> None:
        if read.call is None:
            if record is None:
                raise EnvelopeRejectedError("restores entries, but was not prepared by this API")
            return
        stream_id = read.call.stream_id
        stream = (await self._streams.find([stream_id]))[stream_id] if stream_id else None
        require_amount(by, read.call, token_taken(read.call, stream))

    async def _check_signatures(self, read: ReadEnvelope) -> None:
        """Check that one signature is by a key of the source. The network knows the weights."""
        account = await self._network.account(read.source)
        if account is None:
            raise no_account(read.source)
        if not any(_has_signed(signer, read) for signer in account.signers):
            raise EnvelopeRejectedError(f"is not signed by a key of its source {read.source}")

    async def _send(self, read: ReadEnvelope, by: Principal) -> Document:
        """Send the transaction, with the claim. RPC is asked first whether a ledger has it."""
        before = await self._submissions.get(read.hash)  # another replica may just have sent it
        known = await self._network.transaction(read.hash)
        if known["status"] != NOT_FOUND:
            return await self._follower.settled(known, read.hash, by)
        if before and before.state is SubmissionState.SENT:
            return waiting(read.hash, before)
        times = ledger_times(known)
        if not 0 < read.max_time <= times.closed + DAY:
            raise EnvelopeRejectedError("must have an upper time bound within the next 24 hours")
        after = before.after if before and _is_attempted(before) else times.latest
        record = _record(read, after)
        # Stored before it is sent: if this process dies now, the outcome is unknown.
        await self._submissions.put(read.hash, record)
        answer = await self._answer(read, before)
        if answer is None:
            return waiting(read.hash, record)
        return await self._outcome(answer, read, record, before)

    async def _answer(
        self, read: ReadEnvelope, before: SubmissionRecord | None
    ) -> Mapping[str, Any] | None:
        """The answer of sendTransaction; None if it is unknown whether RPC has the transaction."""
        try:
            return await self._network.send(read.envelope.to_xdr())
        except SourceError as error:
            if was_not_sent(error):
                await self._submissions.restore(read.hash, before)
                _count(SubmissionOutcome.UNREACHABLE)
                raise RpcUnavailableError(
                    "Stellar RPC cannot be reached. The transaction was not sent now; submit it "
                    "again."
                ) from error
            log.warning("submission_unknown", tx_hash=read.hash, error=str(error))
            _count(SubmissionOutcome.UNKNOWN)
            return None

    async def _outcome(
        self,
        answer: Mapping[str, Any],
        read: ReadEnvelope,
        record: SubmissionRecord,
        before: SubmissionRecord | None,
    ) -> Document:
        status = answer.get("status")
        if status in ("PENDING", "DUPLICATE"):
            _count(SubmissionOutcome.SENT)
            sent = replace(record, state=SubmissionState.SENT)
            await self._submissions.put(read.hash, sent)
            return waiting(read.hash, sent)
        refusal = _refusal(answer)
        # An earlier attempt may have succeeded, and be the reason of this refusal.
        if _is_attempted(before) or refusal is None or not await self._is_certain(refusal, read):
            _count(SubmissionOutcome.UNKNOWN)
            return waiting(read.hash, record)
        await self._submissions.restore(read.hash, before)
        if refusal == _TRY_AGAIN_LATER:
            _count(SubmissionOutcome.TRY_AGAIN_LATER)
            raise RpcUnavailableError(
                "The network takes no further transaction of this account now, or is busy. The "
                "transaction was not sent; submit the same one again.",
                retry_after=5,
            )
        _count(SubmissionOutcome.REFUSED)
        raise network_error(refusal)

    async def _is_certain(self, refusal: str, read: ReadEnvelope) -> bool:
        """True if the transaction was surely refused, and is in no ledger.

        txBAD_SEQ is also the answer if the transaction itself has used its sequence number: its
        owner may have sent it without this API, and RPC may not have read that ledger yet. Only
        after RPC has read the ledger that used the number, the transaction is there or not.
        """
        if refusal != "txBAD_SEQ":
            return True
        try:
            account = await self._network.account(read.source)
            found = (await self._network.transaction(read.hash))["status"] != NOT_FOUND
        except RpcUnavailableError:
            return False
        used = account is not None and account.sequence >= read.envelope.transaction.sequence
        return used and not found


def _is_attempted(record: SubmissionRecord | None) -> bool:
    return record is not None and record.state is SubmissionState.UNKNOWN


def _record(read: ReadEnvelope, after: int = 0) -> SubmissionRecord:
    return SubmissionRecord(SubmissionState.UNKNOWN, read.source, read.max_time, after)


def _count(outcome: SubmissionOutcome) -> None:
    SUBMITTED.labels(outcome).inc()


def _refusal(answer: Mapping[str, Any]) -> str | None:
    """The network's code of an ERROR, or TRY_AGAIN_LATER; None if the answer is something else."""
    status = answer.get("status")
    if status != "ERROR":
        return _TRY_AGAIN_LATER if status == _TRY_AGAIN_LATER else None
    try:
        return code_of(xdr.TransactionResult.from_xdr(str(answer["errorResultXdr"])))
    except Exception:  # the SDK raises many kinds of errors for wrong bytes
        return "txINTERNAL_ERROR"


def _has_signed(signer: str, read: ReadEnvelope) -> bool:
    key = Keypair.from_public_key(signer)
    hint, digest = key.signature_hint(), read.envelope.hash()
    for each in read.envelope.signatures:
        if each.signature_hint == hint:
            try:
                key.verify(digest, each.signature)
            except BadSignatureError:
                continue
            return True
    return False
