"""The method getLedgerEntries: accounts, trustlines, and entries of the contracts' storage.

They are as of the server's last ledger.

Entries that never existed are left out. An archived entry is there, and lives until ledger 0.
"""

from __future__ import annotations

from stellar_sdk import xdr

from deploy.simulator.chain.storage_history import StoredEntry
from deploy.simulator.problems import INVALID_PARAMS, RpcProblem
from deploy.simulator.rpc.parameters import check_format, items
from deploy.simulator.submission.state import State

MOST_KEYS = 200
_NO_EXTENSION = xdr.LedgerEntryExt(0).to_xdr()
Json = dict[str, object]


def read_entries(params: Json, state: State, latest: int) -> Json:
    """The answer for these parameters. Raises RpcProblem -32602."""
    check_format(params, "GetLedgerEntriesRequest")
    keys = [str(each) for each in items(params, "GetLedgerEntriesRequest.keys", "string")]
    if len(keys) > MOST_KEYS:
        reason = f"key count ({len(keys)}) exceeds maximum supported ({MOST_KEYS})"
        raise RpcProblem(INVALID_PARAMS, reason)
    for index, key in enumerate(keys):
        _check(key, index)
    found = [(key, state.entry(key, latest)) for key in keys]
    entries = [_shown(key, entry) for key, entry in found if entry is not None]
    return {"entries": entries, "latestLedger": latest}


def _check(key: str, index: int) -> None:
    try:
        kind = xdr.LedgerKey.from_xdr(key).type
    except Exception:  # the SDK raises many kinds of errors for wrong bytes
        reason = f"cannot unmarshal key value {key} at index {index}"
        raise RpcProblem(INVALID_PARAMS, reason) from None
    if kind is xdr.LedgerEntryType.TTL:
        raise RpcProblem(INVALID_PARAMS, "ledger ttl entries cannot be queried directly")


def _shown(key: str, entry: StoredEntry) -> Json:
    return {
        "key": key,
        "xdr": entry.data,
        "lastModifiedLedgerSeq": entry.modified,
        **({} if entry.live_until is None else {"liveUntilLedgerSeq": entry.live_until}),
        "extXdr": _NO_EXTENSION,
    }
