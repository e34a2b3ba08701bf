"""Checks a prepared envelope before a client gets it. Pure.

The envelope is decoded from its bytes, and each part is compared with what was asked. So neither a
mistake of ours nor a wrong answer of RPC can make a client sign something else.

See docs/decisions/0116-the-api-never-holds-a-key.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from stellar_sdk import (
    InvokeHostFunction,
    MuxedAccount,
    NoneMemo,
    Preconditions,
    TimeBounds,
    scval,
    xdr,
)

from services.api.errors import EnvelopeRejectedError
from services.api.transactions.calls import Action, ActionCall
from services.api.transactions.envelopes import Terms
from services.api.transactions.reading import ReadEnvelope, address_of, read_call, read_envelope
from shared.domain.errors import HeadraceError


class WrongEnvelopeError(HeadraceError):
    """The prepared envelope is not what was asked. It must not leave the API."""


def check_prepared(
    text: str, call: ActionCall, terms: Terms, *, token: str | None, restores: bool = False
) -> ReadEnvelope:
    """The envelope, if it does what `call` and `terms` say, or restores archived entries for it.

    `token` is the token that the call takes from the source; None if it takes none. Raises
    WrongEnvelopeError.
    """
    try:
        read = read_envelope(text, terms.passphrase, call.contract_id)
        differences = [*_differences(read, call, terms, token, restores=restores)]
    except EnvelopeRejectedError as error:
        raise WrongEnvelopeError(f"the envelope {error}") from None
    if differences:
        raise WrongEnvelopeError(f"other than asked: {', '.join(differences)}")
    return read


def _differences(
    read: ReadEnvelope, call: ActionCall, terms: Terms, token: str | None, *, restores: bool
) -> Iterator[str]:
    transaction = read.envelope.transaction
    if transaction.source != MuxedAccount(terms.source):
        yield "source"
    if transaction.sequence != terms.sequence:
        yield "sequence"
    if read.resource_fee < 0 or transaction.fee != terms.inclusion_fee + read.resource_fee:
        yield "fee"
    if transaction.preconditions != Preconditions(time_bounds=TimeBounds(0, terms.max_time)):
        yield "time bounds"
    if transaction.memo != NoneMemo():
        yield "memo"
    if read.envelope.signatures:
        yield "signatures"
    if read.call != (None if restores else call):
        yield "call"
    entries = read.operation.auth if isinstance(read.operation, InvokeHostFunction) else ()
    if len(entries) > 1 or not all(_is_authorized(each, call, token) for each in entries):
        yield "authorization"


def _is_authorized(
    entry: xdr.SorobanAuthorizationEntry, call: ActionCall, token: str | None
) -> bool:
    """True if the source agrees to exactly this call, and to its transfer into the contract.

    A signature of the transaction agrees to the whole tree of invocations, so each is checked.
    """
    source = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
    root = entry.root_invocation
    args = root.function.contract_fn
    if entry.credentials.type is not source or args is None:
        return False
    if read_call(args, call.contract_id) != call:
        return False
    below = root.sub_invocations
    return len(below) <= 1 and all(_is_transfer(each, call, token) for each in below)


def _is_transfer(
    invocation: xdr.SorobanAuthorizedInvocation, call: ActionCall, token: str | None
) -> bool:
    args = invocation.function.contract_fn
    if args is None or invocation.sub_invocations or token is None:
        return False
    if call.action not in (Action.CREATE, Action.TOP_UP):
        return False
    asked = (call.party, call.contract_id, call.value("amount"))
    return (
        address_of(args.contract_address) == token
        and args.function_name.sc_symbol == b"transfer"
        and _transferred(args.args) == asked
    )


def _transferred(arguments: list[xdr.SCVal]) -> tuple[object, ...]:
    """Payer, payee and amount of a transfer; () if the arguments are others."""
    try:
        payer, payee, amount = arguments
        addresses = [str(scval.from_address(each).address) for each in (payer, payee)]
        return (*addresses, scval.from_int128(amount))
    except ValueError:
        return ()
