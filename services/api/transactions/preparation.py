"""Prepares transactions: builds, simulates and checks them, and says what they would do.

See docs/decisions/0116-the-api-never-holds-a-key.md.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from stellar_sdk import TransactionEnvelope

from services.api.auth.permissions import require_read
from services.api.errors import RpcUnavailableError, TransactionRefusedError
from services.api.transactions.calls import Action, ActionCall
from services.api.transactions.checks import WrongEnvelopeError, check_prepared
from services.api.transactions.documents import (
    Document,
    returned,
    simulated_event,
    simulated_events,
    stream_after,
)
from services.api.transactions.envelopes import Terms, assembled, invocation, restoration
from services.api.transactions.failures import Failure
from services.api.transactions.network import ChainNetwork, LedgerAccount
from services.api.transactions.reading import ReadEnvelope
from services.api.transactions.refusals import refusal_of
from services.api.transactions.rights import require_amount, require_source, token_taken
from services.api.transactions.simulation import NeedsRestore, SimulatedCall
from services.api.transactions.submission_store import SubmissionStore
from shared.auth.principal import Principal
from shared.chain.decode.contracts import WatchedContracts
from shared.domain.stream import Stream
from shared.journal.plan import plan_writes
from shared.journal.streams import StoredStreams

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PreparationLimits:
    """`seconds`: how long a prepared transaction is valid. `inclusion_fee`: at most, in stroops."""

    seconds: int
    inclusion_fee: int


class TransactionPreparer:
    """Prepares transactions that call the stream contract."""

    def __init__(
        self,
        network: ChainNetwork,
        streams: StoredStreams,
        contracts: WatchedContracts,
        submissions: SubmissionStore,
        limits: PreparationLimits,
    ) -> None:
        self._network = network
        self._streams = streams
        self._contracts = contracts
        self._submissions = submissions
        self._limits = limits

    async def prepare(self, call: ActionCall, by: Principal) -> Document:
        """The unsigned transaction of a call, and what it would do.

        Raises StreamNotFoundError, PermissionDeniedError or AmountLimitError if the caller may not
        do this; TransactionRefusedError if the contract would refuse; RpcUnavailableError.
        """
        require_source(by, call.party)
        stream = await self._stream(call, by)
        token = token_taken(call, stream)
        require_amount(by, call, token)
        account, terms, closed = await self._terms(call.party)
        envelope = invocation(call, terms)
        match await self._network.simulate(envelope.to_xdr()):
            case Failure() as failure:
                raise refusal_of(
                    failure, call, by_asset=await self._network.is_by_asset(failure, call)
                )
            case NeedsRestore(data):
                read = self._checked(restoration(data, terms), call, terms, restores=True)
                await self._submissions.prepared(read)
                effect = _Effect(None, [], None)
            case SimulatedCall() as found:
                complete = assembled(envelope, found.data, found.authorization)
                read = self._checked(complete, call, terms, token=token)
                effect = self._effect(call, found, stream, closed)
        _require_fee(account, read)
        return _document(call, read, terms, effect)

    async def _stream(self, call: ActionCall, by: Principal) -> Stream | None:
        """The stored stream that the call changes; None if it creates one."""
        if (stream_id := call.stream_id) is None:
            return None
        stored = await self._streams.find([stream_id])
        return require_read(by, stream_id, stored[stream_id])

    async def _terms(self, source: str) -> tuple[LedgerAccount, Terms, int]:
        """The account, what the envelope says, and the close time of the last ledger."""
        await self._network.check()
        account, times, fee = await asyncio.gather(
            self._network.account(source),
            self._network.times(),
            self._network.inclusion_fee(self._limits.inclusion_fee),
        )
        if account is None:
            raise no_account(source)
        valid_until = times.closed + self._limits.seconds
        passphrase = self._network.passphrase
        terms = Terms(source, account.sequence + 1, fee, valid_until, passphrase)
        return account, terms, times.closed

    def _checked(
        self,
        envelope: TransactionEnvelope,
        call: ActionCall,
        terms: Terms,
        *,
        token: str | None = None,
        restores: bool = False,
    ) -> ReadEnvelope:
        try:
            return check_prepared(envelope.to_xdr(), call, terms, token=token, restores=restores)
        except WrongEnvelopeError as error:
            log.error("prepared_wrong", function=call.function.name, reason=str(error))
            raise RpcUnavailableError(
                f"The answer of Stellar RPC does not fit the request ({error}). "
                "The transaction is not handed out."
            ) from error

    def _effect(
        self, call: ActionCall, found: SimulatedCall, stream: Stream | None, closed: int
    ) -> _Effect:
        events = simulated_events(found, self._contracts, closed)
        writes = plan_writes(events, {stream.id: stream} if stream else {})
        return _Effect(
            returned(call, found),
            [simulated_event(each) for each in writes],
            stream_after(writes, call.stream_id, closed),
        )


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a call would return and emit, and its stream after it."""

    returns: Document | None
    events: list[Document]
    stream: Document | None


def no_account(source: str) -> TransactionRefusedError:
    """The error for a source that is not in the ledger."""
    message = f"Account {source} does not exist on this network. Somebody must send lumens to it."
    return TransactionRefusedError("AccountNotFound", message, "/source")


def _require_fee(account: LedgerAccount, read: ReadEnvelope) -> None:
    """Check that the account can pay the fee. The network also wants its reserve to stay."""
    fee = read.envelope.transaction.fee
    if account.balance < fee:
        message = f"The fee can be {fee} stroops, but {read.source} has {account.balance}."
        raise TransactionRefusedError("InsufficientBalance", message, "/source")


def _document(call: ActionCall, read: ReadEnvelope, terms: Terms, effect: _Effect) -> Document:
    fee = read.envelope.transaction.fee
    return {
        "action": call.action if read.call else Action.RESTORE,
        "requested": call.action,
        "contract": call.contract_id,
        "function": call.function.name if read.call else None,
        "arguments": call.document() if read.call else {},
        "source": terms.source,
        "sequence": str(terms.sequence),
        "xdr": read.envelope.to_xdr(),
        "hash": read.hash,
        "networkPassphrase": terms.passphrase,
        "fee": {
            "inclusion": str(terms.inclusion_fee),
            "resource": str(read.resource_fee),
            "total": str(fee),
        },
        "timeBounds": {"minTime": 0, "maxTime": terms.max_time},
        "returns": effect.returns,
        "events": effect.events,
        "stream": effect.stream,
    }
