"""Runs a transaction: makes the envelope, result, meta and events of a proposal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stellar_sdk import Keypair, scval, xdr

from deploy.simulator.chain.accounts import (
    ADMIN,
    NAMES,
    ROUTER,
    SPONSOR,
    STRANGER,
    STREAMS,
    TOKEN,
    address,
    keypair,
    signer,
)
from deploy.simulator.chain.entries import EntryChange
from deploy.simulator.chain.envelopes import Caller, SignedTransaction, invocation, payment
from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.chain.values import Emission, Emitted, Typed, emitted, to_scval
from deploy.simulator.chain.xdr import (
    InvocationOutcome,
    fee_charged,
    invocation_result,
    meta_v3,
    meta_v4,
    payment_result,
)
from deploy.simulator.contracts.entry_changes import entry_changes
from deploy.simulator.contracts.record import CallRefusedError
from deploy.simulator.contracts.stream_contract import StreamContract
from deploy.simulator.contracts.token import transfer
from deploy.simulator.future_protocol import CHANGES, rewritten

STROOPS = 10_000_000
"""Stroops in one lumen."""

PHANTOM = Emission(
    STREAMS,
    (Typed("symbol", "tokens_withdrawn"), Typed("u64", 1)),
    {"amount": Typed("i128", 1), "stream_id": Typed("u64", 1)},
)
"""Part of the diagnostic events of a failed call. A reader must not use this event."""


class LedgerSlot(NamedTuple):
    """The place of a transaction: its ledger, and its order in the ledger."""

    ledger: int
    order: int
    closed_at: int


CallerOf = Callable[[Keypair, Keypair | None], Caller]
"""Returns the caller for an account, with its next sequence number, and a sponsor if given."""


def execute(
    proposal: Proposal, contract: StreamContract, place: LedgerSlot, caller_of: CallerOf
) -> Transaction:
    """Run the transaction, which changes the contract's state. Returns it as part of its ledger."""
    caller = caller_of(
        sender_of(proposal, contract), keypair(SPONSOR) if proposal.fee_bump else None
    )
    if not proposal.operations:
        return _pay(caller, proposal, place)
    run = _call(contract, proposal.operations, place.closed_at)
    touched = _touched(proposal.operations, contract)
    signed = _invocation(caller, proposal.operations, touched)
    write = meta_v3 if proposal.meta == 3 else meta_v4
    made = _transaction(
        place,
        signed,
        invocation_result(signed, run),
        write(signed, place.ledger, run, touched),
        fee=fee_charged(signed, soroban=True),
        events=[emitted(each) for each in run.events] if run.successful else [],
        successful=run.successful,
        entries=run.changes,
    )
    if proposal.future is None or run.returned is None:
        return made
    return rewritten(made, run.returned, CHANGES[proposal.future])


def _pay(caller: Caller, proposal: Proposal, place: LedgerSlot) -> Transaction:
    """A classic payment in lumens. Their contract emits an event (CAP-67) that no hash proves."""
    to = address(NAMES[place.order % len(NAMES)])
    signed = payment(caller, to, f"{place.order}.5", proposal.memo)
    event = transfer(
        signed.native,
        "native",
        sender=signed.source,
        recipient=to,
        amount=place.order * STROOPS + STROOPS // 2,
        memo=proposal.memo or "",
    )
    run = InvocationOutcome(events=[event.to_xdr()])
    return _transaction(
        place,
        signed,
        payment_result(signed),
        meta_v4(signed, place.ledger, run, ()),
        fee=fee_charged(signed, soroban=False),
        events=[emitted(each) for each in run.events],
        successful=True,
    )


def _transaction(
    place: LedgerSlot,
    signed: SignedTransaction,
    result: xdr.TransactionResult,
    meta: xdr.TransactionMeta,
    *,
    fee: int,
    events: Sequence[Emitted],
    successful: bool,
    entries: Sequence[EntryChange] = (),
) -> Transaction:
    return Transaction(
        ledger=place.ledger,
        order=place.order,
        closed_at=place.closed_at,
        signed=signed,
        successful=successful,
        fee_charged=fee,
        result=result.to_xdr(),
        meta=meta.to_xdr(),
        fee_events=tuple(each.to_xdr() for each in meta.v4.events) if meta.v4 else (),
        operations=(tuple(events),) if successful else (),
        entries=tuple(entries),
    )


def _call(contract: StreamContract, operations: Sequence[Operation], now: int) -> InvocationOutcome:
    try:
        emissions = contract.call(operations, now)
    except CallRefusedError:
        return InvocationOutcome(events=[PHANTOM.to_xdr()], successful=False)
    return InvocationOutcome(
        events=[each.to_xdr() for each in emissions],
        changes=entry_changes(contract),
        returned=_returned(operations, emissions),
    )


def _returned(operations: Sequence[Operation], emissions: Sequence[Emission]) -> xdr.SCVal:
    """The id if one stream was created, the amount if one withdrawal was made, else nothing."""
    match [each.op for each in operations]:
        case ["create"]:
            return to_scval(emissions[-1].topics[1])
        case ["withdraw"]:
            moved = emissions[0].data
            return to_scval(moved)
    return scval.to_void()


def sender_of(proposal: Proposal, contract: StreamContract) -> Keypair:
    """The account with the right to do this: the sender, or the recipient for some operations."""
    if not proposal.operations:
        return keypair(proposal.payer)
    operation = proposal.operations[0]
    if operation.op == "create":
        return signer(operation.sender)
    stream = contract.state.streams.get(operation.stream_id)
    if stream is None:
        return keypair(ADMIN)
    recipients = operation.op in ("withdraw", "transfer_recipient")
    return signer(stream.recipient if recipients else stream.sender)


def _touched(operations: Sequence[Operation], contract: StreamContract) -> list[str]:
    """The contracts of the footprint. A transaction has one call, so a router makes several."""
    if all(each.op == "foreign" for each in operations):
        return [STRANGER]
    if all(each.op == "token" for each in operations):
        return [TOKEN]
    tokens = dict.fromkeys(map(contract.token_of, operations))
    return [STREAMS, *tokens] if len(operations) == 1 else [ROUTER, STREAMS, *tokens]


def _invocation(
    caller: Caller, operations: Sequence[Operation], touched: list[str]
) -> SignedTransaction:
    first = operations[0]
    if len(operations) == 1:
        arguments = [to_scval(each) for each in first.arguments()]
        function = first.name if first.op == "token" else first.op
        return invocation(caller, touched[0], function, arguments, touched)
    calls = scval.to_vec([scval.to_symbol(each.op) for each in operations])
    return invocation(caller, touched[0], "batch", [calls], touched)
