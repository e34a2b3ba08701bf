"""The resources of a call: its footprint, its sizes and its fee. Pure.

Keys are XDR of ledger keys in base64, fees are in stroops.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stellar_sdk import xdr

from deploy.simulator.chain.entries import EntryChange, entry_key
from deploy.simulator.chain.holding_entries import holding_key
from deploy.simulator.chain.holdings import Holding
from deploy.simulator.contracts.storage import INSTANCE_KEY, code_key

INSTRUCTIONS = 2_000_000
"""The instructions of each call. A simulation adds a margin, as the real server does."""
MOST_INSTRUCTIONS, MOST_BYTES, MOST_ENTRIES = 100_000_000, 200_000, 100
"""The network's limits for a transaction."""
_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class Footprint:
    """The keys of the entries that a transaction reads, and of those that it writes."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]

    def covers(self, other: Footprint) -> bool:
        """True if this footprint allows what `other` needs."""
        written = set(self.writes)
        return written.issuperset(other.writes) and (written | set(self.reads)).issuperset(
            other.reads
        )

    def writing(self, keys: Iterable[str]) -> Footprint:
        """The footprint that also writes these entries."""
        writes = {*self.writes, *keys}
        return Footprint(tuple(sorted({*self.reads} - writes)), tuple(sorted(writes)))

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys."""
        return self.reads + self.writes


def footprint_of(
    contract_id: str,
    read: Iterable[str],
    changes: Iterable[EntryChange],
    holdings: Iterable[Holding],
) -> Footprint:
    """What a call needs: its contract and `read`, and the entries and amounts that it changes."""
    written = {entry_key(each.contract_id, each.key).to_xdr() for each in changes}
    written |= {holding_key(*each).to_xdr() for each in holdings}
    instances = {instance_key(contract_id), *read}
    instances |= {instance_key(each.token) for each in holdings}
    code = code_key().to_xdr()
    return Footprint(tuple(sorted({code, *instances} - written)), tuple(sorted(written)))


def instance_key(contract_id: str) -> str:
    """The key of a contract's instance."""
    return entry_key(contract_id, INSTANCE_KEY).to_xdr()


def read_footprint(footprint: xdr.LedgerFootprint) -> Footprint:
    """The footprint of an envelope."""
    return Footprint(
        tuple(each.to_xdr() for each in footprint.read_only),
        tuple(each.to_xdr() for each in footprint.read_write),
    )


def transaction_data(
    footprint: Footprint,
    sizes: Mapping[str, int],
    archived: Iterable[int] = (),
    *,
    instructions: int = INSTRUCTIONS,
    leeway: int = 0,
) -> xdr.SorobanTransactionData:
    """The data that a simulation proposes. `sizes` are the bytes of the entries that are written.

    `archived` are the places of archived entries among those that are written. The transaction
    restores them before its call.
    """
    places = list(archived)
    extension = xdr.SorobanTransactionDataExt(0)
    if places:
        found = xdr.SorobanResourcesExtV0([xdr.Uint32(each) for each in places])
        extension = xdr.SorobanTransactionDataExt(1, resource_ext=found)
    written = sum(sizes.get(each, 0) for each in footprint.writes)
    resources = xdr.SorobanResources(
        footprint=xdr.LedgerFootprint(
            read_only=[xdr.LedgerKey.from_xdr(each) for each in footprint.reads],
            read_write=[xdr.LedgerKey.from_xdr(each) for each in footprint.writes],
        ),
        instructions=xdr.Uint32(max(int(instructions * _MARGIN), instructions + leeway)),
        disk_read_bytes=xdr.Uint32(int(disk_bytes(footprint, sizes, places) * _MARGIN)),
        write_bytes=xdr.Uint32(int(written * _MARGIN)),
    )
    fee = xdr.Int64(int(resource_fee(resources) * _MARGIN))
    return xdr.SorobanTransactionData(extension, resources, fee)


def disk_bytes(footprint: Footprint, sizes: Mapping[str, int], archived: Iterable[int]) -> int:
    """The bytes read from disk: accounts and trustlines, and archived entries."""
    restored = {footprint.writes[each] for each in archived}
    return sum(
        sizes.get(each, 0) for each in footprint.keys if each in restored or _is_classic(each)
    )


def _is_classic(key: str) -> bool:
    kind = int.from_bytes(base64.b64decode(key)[:4], "big")
    types = xdr.LedgerEntryType
    return kind in (types.ACCOUNT, types.TRUSTLINE)


def resource_fee(resources: xdr.SorobanResources) -> int:
    """The least fee for declared resources. The rates are those of no real network."""
    reads, writes = resources.footprint.read_only, resources.footprint.read_write
    return (
        10_000
        + resources.instructions.uint32 // 400
        + 500 * (len(reads) + len(writes))
        + 2_000 * len(writes)
        + 5 * resources.disk_read_bytes.uint32
        + 12 * resources.write_bytes.uint32
    )
