"""Read the stream contract's storage through RPC (getLedgerEntries)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.indexer.state.findings import MISSING
from shared.chain.decode.contracts import WatchedContract
from shared.chain.decode.stream_record import (
    StreamRecord,
    UnreadableRecordError,
    read_record,
    stream_count,
)
from shared.chain.errors import SourceError
from shared.chain.rpc import LedgerEntry, RpcClient
from shared.chain.xdr import XdrError
from shared.chain.xdr.entries import contract_data
from shared.chain.xdr.ledger_keys import instance_key, record_key


class StateReading(NamedTuple):
    """Records of streams by id, as of the end of `ledger`.

    `archived`: the streams whose record is archived. `unreadable`: the reason for each record that
    is missing (MISSING) or cannot be read.
    """

    ledger: int
    records: Mapping[str, StreamRecord]
    archived: frozenset[str]
    unreadable: Mapping[str, str]


class StreamCount(NamedTuple):
    """The number of streams that the contract had created by the end of `ledger`."""

    streams: int
    ledger: int


class ContractStorage:
    """The storage of one stream contract."""

    def __init__(self, rpc: RpcClient, contract: WatchedContract) -> None:
        self._rpc = rpc
        self._raw = contract.raw
        self.contract_id = contract.address

    async def count(self) -> StreamCount:
        """The number of streams that the contract has created. Raises SourceError."""
        key = instance_key(self._raw)
        answer = await self._rpc.entries([key])
        if (entry := answer.found.get(key)) is None:
            raise SourceError("no_contract", f"RPC has no contract {self.contract_id}")
        try:
            return StreamCount(stream_count(contract_data(entry.data).value), answer.latest)
        except (XdrError, UnreadableRecordError) as error:
            raise SourceError("malformed", f"the contract's instance: {error}") from error

    async def read(self, stream_ids: Sequence[str]) -> StateReading:
        """The records of at most MOST_KEYS streams. Raises SourceError."""
        keys = {record_key(self._raw, "Stream", int(each)): each for each in stream_ids}
        answer = await self._rpc.entries(list(keys))
        records: dict[str, StreamRecord] = {}
        unreadable = dict.fromkeys(keys.values(), MISSING)
        for key, entry in answer.found.items():
            if key not in keys:
                continue
            try:
                records[keys[key]] = _record(entry)
                del unreadable[keys[key]]
            except (XdrError, UnreadableRecordError) as error:
                unreadable[keys[key]] = str(error)
        archived = (keys[key] for key, entry in answer.found.items() if entry.archived)
        return StateReading(answer.latest, records, frozenset(archived), unreadable)


def _record(entry: LedgerEntry) -> StreamRecord:
    return read_record(contract_data(entry.data).value)
