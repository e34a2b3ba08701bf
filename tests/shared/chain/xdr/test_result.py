"""Results: random ones of the SDK, and the hash of a call with and without a fee bump."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import xdr

from shared.chain.xdr import XdrError, decode_result
from tests.shared.chain.xdr.test_oracle import throw
from tests.support.tier import examples

seeds = st.integers(0, 2**32)


def outcome(result: Any) -> tuple[bool, dict[int, bytes]] | None:
    """What a result of the SDK should decode to; None for a fee bump that contradicts itself."""
    code, inner = result.result.code.name, result.result
    if inner.inner_result_pair:
        inner = inner.inner_result_pair.result.result
    successful = inner.code.name == "txSUCCESS"
    if code.startswith("txFEE_BUMP") and successful != (code == "txFEE_BUMP_INNER_SUCCESS"):
        return None
    results = inner.results or []
    tr = results[0].tr if len(results) == 1 else None
    invoked = tr.invoke_host_function_result if tr else None
    return successful, {0: invoked.success.hash} if invoked and invoked.success else {}


@settings(max_examples=examples(500), deadline=None)
@given(seeds)
def test_any_result_decodes_as_the_sdk_says(seed: int) -> None:
    result = throw(xdr.TransactionResult, seed)
    expected = outcome(result)
    if expected is None:
        with pytest.raises(XdrError, match="fee bump"):
            decode_result(result.to_xdr_bytes())
    else:
        decoded = decode_result(result.to_xdr_bytes())
        assert (decoded.successful, decoded.invoke_hash) == expected


INVOKED = xdr.OperationResult(
    xdr.OperationResultCode.opINNER,
    xdr.OperationResultTr(
        xdr.OperationType.INVOKE_HOST_FUNCTION,
        invoke_host_function_result=xdr.InvokeHostFunctionResult(
            xdr.InvokeHostFunctionResultCode.INVOKE_HOST_FUNCTION_SUCCESS, xdr.Hash(b"\7" * 32)
        ),
    ),
)


def invoked(*, bumped: bool) -> bytes:
    code = xdr.TransactionResultCode
    if not bumped:
        body = xdr.TransactionResultResult(code.txSUCCESS, results=[INVOKED])
    else:
        inner = xdr.InnerTransactionResult(
            xdr.Int64(1),
            xdr.InnerTransactionResultResult(code.txSUCCESS, results=[INVOKED]),
            xdr.InnerTransactionResultExt(0),
        )
        pair = xdr.InnerTransactionResultPair(xdr.Hash(b"\3" * 32), inner)
        body = xdr.TransactionResultResult(code.txFEE_BUMP_INNER_SUCCESS, pair)
    return xdr.TransactionResult(xdr.Int64(100), body, xdr.TransactionResultExt(0)).to_xdr_bytes()


@pytest.mark.parametrize("bumped", [False, True])
def test_an_invocation_has_its_hash_with_and_without_a_fee_bump(bumped: bool) -> None:
    raw = invoked(bumped=bumped)
    assert decode_result(raw).invoke_hash == {0: b"\7" * 32}
    for wrong in [raw[:n] for n in range(len(raw))] + [raw + b"\0", raw[:-1] + b"\1"]:
        with pytest.raises(XdrError):
            decode_result(wrong)
