"""A decoder for the parts of Stellar's XDR that contract events need. Pure: bytes to values.

stellar-sdk is not used: it decodes only a few thousand events a second, and does not know protocol
30. On wrong bytes every function raises XdrError, and no other error.

See docs/decisions/0009-stellar-sdk-without-streaming.md.
"""

from services.indexer.xdr.event import ContractEvent, decode_contract_event
from services.indexer.xdr.meta import TransactionMeta, decode_meta
from services.indexer.xdr.natives import (
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
from services.indexer.xdr.reader import XdrError
from services.indexer.xdr.result import TransactionResult, decode_result
from services.indexer.xdr.scval import decode_scval

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
