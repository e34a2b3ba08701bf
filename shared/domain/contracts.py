"""Contracts that are watched: their addresses and what each is, as the settings name them.

Pure. One stream contract, since stream ids are its own and the namespace bears it; any number of
token contracts (SEP-41) beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from shared.domain.strkeys import is_contract


class ContractKind(StrEnum):
    """What a contract is, and so how its events are read."""

    STREAM = "stream"
    TOKEN = "token"


class ContractSpec(NamedTuple):
    """A contract as the settings name it; `address` is C…."""

    address: str
    kind: ContractKind

    def __str__(self) -> str:
        return f"{self.address}:{self.kind}"


def parse_contracts(texts: Iterable[str]) -> tuple[ContractSpec, ...]:
    """Contracts from `C…:stream`, `C…:token`; a bare `C…` is the stream contract.

    The stream contract comes first, whatever the order it was named in. Raises ValueError that
    tells every mistake.
    """
    found, mistakes = [], []
    for text in texts:
        address, colon, kind = text.partition(":")
        if not is_contract(address):
            mistakes.append(f"{address!r} is no contract address: expected C… with its checksum")
        elif colon and kind not in set(ContractKind):
            mistakes.append(f"{text!r} is of no kind that is known: expected {_FORMS}")
        else:
            found.append(ContractSpec(address, ContractKind(kind or ContractKind.STREAM)))
    addresses = [each.address for each in found]
    twice = [each for each in dict.fromkeys(addresses) if addresses.count(each) > 1]
    mistakes += [f"{address} is named twice" for address in twice]
    streams = [each for each in found if each.kind is ContractKind.STREAM]
    if len(streams) > 1 or (not streams and not mistakes):
        mistakes.append(
            f"name exactly one stream contract, not {len(streams)} (its stream ids are its own); "
            f"any other is {_FORMS.rpartition(' ')[2]}"
        )
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return (*streams, *(each for each in found if each.kind is not ContractKind.STREAM))


_FORMS = "C…:stream or C…:token"
