"""The contract that failed, and its error, are found in diagnostic events and in RPC's text."""

from __future__ import annotations

from stellar_sdk import Address, scval, xdr

from deploy.simulator.chain import accounts
from services.api.transactions.failures import Failure, failure_in

STORAGE = xdr.SCError(xdr.SCErrorType.SCE_STORAGE, code=xdr.SCErrorCode.SCEC_MISSING_VALUE)


def of_contract(code: int) -> xdr.SCError:
    return xdr.SCError(xdr.SCErrorType.SCE_CONTRACT, contract_code=xdr.Uint32(code))


def event(error: xdr.SCError, contract: str) -> bytes:
    """The diagnostic event of an error that passes a contract."""
    topics = [scval.to_symbol("error"), xdr.SCVal(xdr.SCValType.SCV_ERROR, error=error)]
    body = xdr.ContractEventBody(0, xdr.ContractEventV0(topics, scval.to_string("why")))
    written = xdr.ContractEvent(
        xdr.ExtensionPoint(0),
        Address(contract).to_xdr_sc_address().contract_id,
        xdr.ContractEventType.DIAGNOSTIC,
        body,
    )
    return xdr.DiagnosticEvent(False, written).to_xdr_bytes()


def test_an_error_that_the_contract_caught_is_not_the_failure() -> None:
    found = failure_in([event(STORAGE, accounts.GOLD), event(of_contract(10), accounts.STREAMS)])
    assert found == Failure(10, accounts.STREAMS, "Contract, #10")


def test_the_first_contract_that_an_error_passes_has_failed() -> None:
    passed = [event(of_contract(10), each) for each in (accounts.TOKEN, accounts.STREAMS)]
    assert failure_in(passed) == Failure(10, accounts.TOKEN, "Contract, #10")


def test_the_text_names_the_error_of_the_whole_call() -> None:
    caught = [event(of_contract(10), accounts.TOKEN), event(of_contract(4), accounts.STREAMS)]
    text = "HostError: Error(Contract, #4)\n\nEvent log (newest first):\n   0: Error(Contract, #10)"
    assert failure_in(caught, text) == Failure(4, accounts.STREAMS, "Contract, #4")
    assert failure_in([], text) == Failure(4, None, "Contract, #4")


def test_an_error_of_the_host_has_no_number() -> None:
    found = failure_in([event(STORAGE, accounts.STREAMS)])
    assert found == Failure(None, accounts.STREAMS, "Storage, MissingValue")
    assert failure_in([b"damaged"], "no such ledger\nmore") == Failure(None, None, "no such ledger")
    assert failure_in([]) == Failure(None, None, "")
