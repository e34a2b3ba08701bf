"""A decoder for the parts of Stellar's XDR that contract events need. Pure: bytes to values.

stellar-sdk is not used: it decodes only a few thousand events a second, and does not know protocol
30. On wrong bytes every function raises XdrError, and no other error.

See docs/decisions/0009-stellar-sdk-without-streaming.md.
"""

from shared.chain.xdr.event import ContractEvent, decode_contract_event
from shared.chain.xdr.meta import TransactionMeta, decode_meta
from shared.chain.xdr.natives import (
    Address,
    ContractInstance,
    ExecutableTag,
    ExternalRef,
    LedgerKeyInstance,
    LedgerKeyNonce,
    Pairs,
    ScError,
    ScVal,
    Symbol,
)
from shared.chain.xdr.reader import XdrError
from shared.chain.xdr.result import TransactionResult, decode_result
from shared.chain.xdr.scval import decode_scval

__all__ = [
    "Address",
    "ContractEvent",
    "ContractInstance",
    "ExecutableTag",
    "ExternalRef",
    "LedgerKeyInstance",
    "LedgerKeyNonce",
    "Pairs",
    "ScError",
    "ScVal",
    "Symbol",
    "TransactionMeta",
    "TransactionResult",
    "XdrError",
    "decode_contract_event",
    "decode_meta",
    "decode_result",
    "decode_scval",
]
