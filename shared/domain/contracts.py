"""The watched contracts, as the settings name them: address and kind of each. Pure.

There is exactly one stream contract, because stream ids are unique within one contract only, and
the default namespace is derived from its address. There may be any number of token contracts
(SEP-41).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from shared.domain.strkeys import is_contract


class ContractKind(StrEnum):
    """The kind of a contract, which decides how its events are decoded."""

    STREAM = "stream"
    TOKEN = "token"


class ContractSpec(NamedTuple):
    """One watched contract. `address` is a contract address (C…)."""

    address: str
    kind: ContractKind

    def __str__(self) -> str:
        return f"{self.address}:{self.kind}"


def parse_contracts(texts: Iterable[str]) -> tuple[ContractSpec, ...]:
    """Parse `C…:stream` and `C…:token`. An address without a kind is the stream contract.

    The result has the stream contract first. Raises ValueError with all mistakes in its message.
    """
    found, mistakes = [], []
    for text in texts:
        address, colon, kind = text.partition(":")
        if not is_contract(address):
            mistakes.append(f"{address!r} is not a contract address: expected C… with a checksum")
        elif colon and kind not in set(ContractKind):
            mistakes.append(f"{text!r} has an unknown kind: expected {_FORMS}")
        else:
            found.append(ContractSpec(address, ContractKind(kind or ContractKind.STREAM)))
    addresses = [each.address for each in found]
    twice = [each for each in dict.fromkeys(addresses) if addresses.count(each) > 1]
    mistakes += [f"{address} is listed twice" for address in twice]
    streams = [each for each in found if each.kind is ContractKind.STREAM]
    if len(streams) > 1 or (not streams and not mistakes):
        mistakes.append(
            f"expected exactly one stream contract, found {len(streams)}; "
            "every other contract is C…:token"
        )
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return (*streams, *(each for each in found if each.kind is not ContractKind.STREAM))


_FORMS = "C…:stream or C…:token"
