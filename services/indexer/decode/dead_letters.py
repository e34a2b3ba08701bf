"""Dead letters, read again: what was kept, put through today's decoder and adapters.

Pure. The letters are made by services.indexer.decode.transactions.dead_letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.indexer.decode.contracts import WatchedContracts
from services.indexer.decode.records import (
    HorizonTransaction,
    MalformedError,
    base64_bytes,
    hash_text,
    time_text,
)
from services.indexer.decode.transactions import (
    DecodedEvents,
    MetaMissingError,
    UnprovedError,
    decode_events,
    decode_transaction,
)
from services.indexer.xdr import XdrError
from services.indexer.xdr.event import contract_of
from shared.domain.errors import HeadraceError
from shared.domain.position import Position, parse_position, transaction_of


class StillUndecodableError(HeadraceError):
    """The letter cannot be read today either; says why."""


def reread(letter: Mapping[str, Any], contracts: WatchedContracts) -> DecodedEvents:
    """The events that the letter holds, and new dead letters. Raises StillUndecodableError."""
    into = DecodedEvents()
    try:
        position = parse_position(letter["position"])
        raw = base64_bytes(letter["xdr"])
        if letter["kind"] == "event":
            _event(letter, position, raw, contracts, into)
        else:
            _meta(letter, position, raw, contracts, into)
    except (KeyError, TypeError, MalformedError) as error:
        raise StillUndecodableError(f"the letter lacks what is needed: {error!s:.200}") from error
    except MetaMissingError as error:
        raise StillUndecodableError(f"the meta of transaction {error} is empty") from error
    except UnprovedError as error:
        raise StillUndecodableError(
            f"the events of {error} do not hash to what consensus signed"
        ) from error
    except (XdrError, ValueError) as error:
        raise StillUndecodableError(str(error)) from error
    return into


def _event(
    letter: Mapping[str, Any],
    position: Position,
    raw: bytes,
    contracts: WatchedContracts,
    into: DecodedEvents,
) -> None:
    if contracts.by_raw(contract_of(raw, 0)[0]) is None:
        raise StillUndecodableError(f"{letter.get('contractId')} is not watched: see CONTRACTS")
    record = _record(letter, position, b"", b"", None)
    decode_events(record, contracts, {position: raw}, into, letter.get("verified"))
    if into.dead:
        raise StillUndecodableError(str(into.dead[0]["why"]))


def _meta(
    letter: Mapping[str, Any],
    position: Position,
    raw: bytes,
    contracts: WatchedContracts,
    into: DecodedEvents,
) -> None:
    envelope, result = base64_bytes(letter["envelope"]), base64_bytes(letter["result"])
    if not contracts.may_emit(envelope, raw):
        raise StillUndecodableError("it touches no contract that is watched: see CONTRACTS")
    decode_transaction(_record(letter, position, envelope, result, raw), contracts, into)


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
