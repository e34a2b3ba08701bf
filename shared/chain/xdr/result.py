"""Decode a TransactionResult: its success, and the hash that proves the events."""

from dataclasses import dataclass
from struct import Struct

from shared.chain.xdr.reader import I32, U32, XdrError, count, ended_early, finish, guarded

_HEAD = Struct(">qi")  # fee charged, code
_INVOKED = Struct(">iii").unpack_from  # opINNER, INVOKE_HOST_FUNCTION, its code

_SUCCESS, _FAILED = 0, -1
_FEE_BUMP_SUCCESS, _FEE_BUMP_FAILED = 1, -13
_INNER, _INVOKE_HOST_FUNCTION = 0, 24


@dataclass(frozen=True, slots=True)
class TransactionResult:
    """The success of a transaction, and the hash that proves its events.

    `successful`: for a fee bump, the success of the inner transaction. `invoke_hash`: by the index
    of an invocation's operation, the SHA-256 over the return value and the events. The protocol
    requires that a Soroban transaction has exactly one operation, so a result with more operations
    has no hash.
    """

    successful: bool
    invoke_hash: dict[int, bytes]


@guarded
def decode_result(raw: bytes) -> TransactionResult:
    """Decode a TransactionResult. Raises XdrError.

    Results of classic operations are not read, see `_operations`.
    """
    code, at = _head(raw, 0)
    if code not in (_FEE_BUMP_SUCCESS, _FEE_BUMP_FAILED):
        return _tail(raw, *_operations(raw, code, at), extensions=1)
    inner, at = _head(raw, at + 32)  # skip the inner transaction's hash
    if (inner == _SUCCESS) != (code == _FEE_BUMP_SUCCESS):
        raise XdrError(
            f"the fee bump has code {code}, but its inner transaction has {inner}", at - 4
        )
    return _tail(raw, *_operations(raw, inner, at), extensions=2)


def _head(buf: bytes, at: int) -> tuple[int, int]:
    _, code = _HEAD.unpack_from(buf, at)
    return code, at + _HEAD.size


def _tail(
    buf: bytes, result: TransactionResult, at: int | None, *, extensions: int
) -> TransactionResult:
    if at is not None:
        for _ in range(extensions):
            if U32(buf, at) != (0,):
                raise XdrError("unknown extension of a TransactionResult; expected 0", at)
            at += 4
        finish(buf, at)
    return result


def _operations(buf: bytes, code: int, at: int) -> tuple[TransactionResult, int | None]:
    """Read the operations' results. The offset after them is None if their end was not searched.

    Only the result of a single INVOKE_HOST_FUNCTION is read. Results of classic operations have
    many shapes, and nothing in or after these results is needed.
    """
    if code > _SUCCESS:
        raise XdrError(f"unknown code {code} of a TransactionResult; expected 0 or below", at - 4)
    if code < _FAILED:
        return TransactionResult(False, {}), at  # rejected as a whole: no operation ran
    successful = code == _SUCCESS
    n, at = count(buf, at, 4)
    if n != 1:
        return TransactionResult(successful, {}), None
    return _operation(buf, at, successful)


def _operation(buf: bytes, at: int, successful: bool) -> tuple[TransactionResult, int | None]:
    (code,) = I32(buf, at)
    if code != _INNER:
        return TransactionResult(successful, {}), at + 4  # codes such as opBAD_AUTH have no body
    (kind,) = I32(buf, at + 4)
    if kind != _INVOKE_HOST_FUNCTION:
        return TransactionResult(successful, {}), None
    (outcome,) = I32(buf, at + 8)
    at += 12
    if outcome != _SUCCESS:
        return TransactionResult(successful, {}), at
    if at + 32 > len(buf):
        raise ended_early(buf)
    return TransactionResult(successful, {0: buf[at : at + 32]}), at + 32
