"""Convert a token contract's events: transfers, mints, burns and clawbacks. Pure.

The topics of an event have one of three forms:

* SEP-41: the topics name the parties.
* CAP-67: contracts of assets also name the asset.
* CAP-46-6, before protocol 23: contracts of assets also name the admin of a mint or clawback.

The event's data is the amount. If the destination is muxed, the data is a map, and the amount is
its field `amount`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shared.chain.decode.stream_contract import UnreadableEventError, name_of, raw_facts
from shared.chain.xdr import Address, ContractEvent, ScVal
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position


class _Form(NamedTuple):
    """The event type for a name, and the parties in the order of the topics.

    `with_admin`: the same before protocol 23, if the topics then named the admin.
    """

    type: EventType
    parties: tuple[str, ...]
    with_admin: tuple[str, ...] = ()


_FORMS: Mapping[str, _Form] = {
    "transfer": _Form(EventType.TOKEN_TRANSFER, ("from", "to")),
    "mint": _Form(EventType.TOKEN_MINT, ("to",), ("admin", "to")),
    "burn": _Form(EventType.TOKEN_BURN, ("from",)),
    "clawback": _Form(EventType.TOKEN_CLAWBACK, ("from",), ("admin", "from")),
}


def read_token_event(
    event: ContractEvent, position: Position, source: Provenance, closed: int
) -> Event:
    """Convert an event of a token contract. `closed`: the ledger's close in Unix seconds.

    Events with other names, such as approve and set_admin, are kept raw. Raises
    UnreadableEventError.
    """
    name = name_of(event)
    token: dict[str, object] = {"tokenAddress": source.contract_id}
    if (form := _FORMS.get(name)) is None:
        kind, facts = EventType.CHAIN_UNKNOWN, token | raw_facts(event)
    else:
        kind = form.type
        facts = _party_facts(name, form, event.topics[1:]) | token | _amount(name, event.data)
    return Event(kind, None, closed, facts, position, source)


def _party_facts(name: str, form: _Form, topics: tuple[ScVal, ...]) -> dict[str, object]:
    """Return the parties, and the asset (SEP-11) if the topic after the parties is a text."""
    count = next((n for n, each in enumerate(topics) if not isinstance(each, Address)), len(topics))
    parties = form.with_admin if count == len(form.with_admin) else form.parties
    if not parties or count != len(parties):
        raise UnreadableEventError(
            f"{name}: its topics name {count} addresses, not {_expected(form)}"
        )
    facts: dict[str, object] = {
        party: str(each) for party, each in zip(parties, topics, strict=False)
    }
    asset = topics[count] if count < len(topics) else None
    return facts | ({"asset": str(asset)} if isinstance(asset, str) else {})


def _expected(form: _Form) -> str:
    return " or ".join(", ".join(each) for each in (form.parties, form.with_admin) if each)


def _amount(name: str, data: ScVal) -> dict[str, object]:
    """Return the amount in base units, and the muxed id (CAP-67) if there is one."""
    muxed = data.get("to_muxed_id") if isinstance(data, dict) else None
    amount = data.get("amount") if isinstance(data, dict) else data
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise UnreadableEventError(f"{name}: neither its data nor its field 'amount' is an integer")
    match muxed:
        case None:
            return {"amount": str(amount)}
        case bool():
            pass
        case int():
            return _muxed(amount, str(muxed), "id")
        case str():
            return _muxed(amount, str(muxed), "text")
        case bytes():
            return _muxed(amount, muxed.hex(), "hash")
    raise UnreadableEventError(f"{name}: its field 'to_muxed_id' is not a u64, string or bytes")


def _muxed(amount: int, muxed: str, kind: str) -> dict[str, object]:
    """`kind`: id, text or hash. All three are text in JSON, and can look the same."""
    return {"amount": str(amount), "toMuxedId": muxed, "toMuxedIdType": kind}
