"""Decode a dead letter again, with the current decoder and the current CONTRACTS. Pure.

The function dead_letter in shared.chain.decode.transactions creates the letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.records import (
    HorizonTransaction,
    MalformedError,
    base64_bytes,
    hash_text,
    time_text,
)
from shared.chain.decode.transactions import (
    DecodedEvents,
    MetaMissingError,
    UnprovedError,
    decode_events,
    decode_transaction,
)
from shared.chain.xdr import XdrError
from shared.chain.xdr.event import contract_of
from shared.domain.errors import HeadraceError
from shared.domain.position import Position, parse_position, transaction_of


class StillUndecodableError(HeadraceError):
    """The letter still cannot be decoded; the text says why."""


def reread(letter: Mapping[str, Any], contracts: WatchedContracts) -> DecodedEvents:
    """Decode a letter. In a letter with a whole meta, events that fail become new dead letters.

    Raises StillUndecodableError.
    """
    try:
        position = parse_position(letter["position"])
        raw = base64_bytes(letter["xdr"])
        read = _event if letter["kind"] == "event" else _meta
        return read(letter, position, raw, contracts)
    except (KeyError, TypeError, MalformedError) as error:
        raise StillUndecodableError(f"a field is missing or wrong: {error!s:.200}") from error
    except MetaMissingError as error:
        raise StillUndecodableError(f"the meta of transaction {error} is empty") from error
    except UnprovedError as error:
        text = f"the events of {error} do not match the hash in its result"
        raise StillUndecodableError(text) from error
    except (XdrError, ValueError) as error:
        raise StillUndecodableError(str(error)) from error


def _event(
    letter: Mapping[str, Any], position: Position, raw: bytes, contracts: WatchedContracts
) -> DecodedEvents:
    if contracts.by_raw(contract_of(raw, 0)[0]) is None:
        raise StillUndecodableError(f"CONTRACTS does not contain {letter.get('contractId')}")
    record = _record(letter, position, b"", b"", None)
    decoded = decode_events(record, contracts, {position: raw}, letter.get("verified"))
    if decoded.dead:
        raise StillUndecodableError(str(decoded.dead[0]["why"]))
    return decoded


def _meta(
    letter: Mapping[str, Any], position: Position, raw: bytes, contracts: WatchedContracts
) -> DecodedEvents:
    envelope, result = base64_bytes(letter["envelope"]), base64_bytes(letter["result"])
    if not contracts.may_emit(envelope, raw):
        text = "the transaction touches none of the contracts in CONTRACTS"
        raise StillUndecodableError(text)
    return decode_transaction(_record(letter, position, envelope, result, raw), contracts)


def _record(
    letter: Mapping[str, Any],
    position: Position,
    envelope: bytes,
    result: bytes,
    meta: bytes | None,
) -> HorizonTransaction:
    return HorizonTransaction(
        transaction_of(position.toid),
        hash_text(letter["txHash"]),
        position.ledger,
        time_text(letter["closedAt"]),
        True,
        envelope,
        result,
        meta,
    )
