"""The method getLedgerEntries: accounts, trustlines, and entries of the contracts' storage.

They are as of the server's last ledger.

Entries that never existed are left out. An archived entry is there, and lives until ledger 0.
"""

from __future__ import annotations

from stellar_sdk import StrKey, xdr

from deploy.simulator.chain.ledger import Ledger
from deploy.simulator.chain.storage_history import StoredEntry
from deploy.simulator.problems import INVALID_PARAMS, RpcProblem
from deploy.simulator.rpc.parameters import check_format, items
from deploy.simulator.submission.submissions import Submissions

MOST_KEYS = 200
_NO_EXTENSION = xdr.LedgerEntryExt(0).to_xdr()
Json = dict[str, object]


def read_entries(params: Json, submissions: Submissions, latest: Ledger) -> Json:
    """The answer for these parameters. Raises RpcProblem -32602.

    Who reads an account wants its sequence number, so the script does not use it for a while.
    """
    check_format(params, "GetLedgerEntriesRequest")
    keys = [str(each) for each in items(params, "GetLedgerEntriesRequest.keys", "string")]
    if len(keys) > MOST_KEYS:
        reason = f"key count ({len(keys)}) exceeds maximum supported ({MOST_KEYS})"
        raise RpcProblem(INVALID_PARAMS, reason)
    for parsed in [_parsed(key, index) for index, key in enumerate(keys)]:
        if parsed.account:
            submissions.reserve(_address(parsed.account), latest.closed_at)
    found = [(key, submissions.state.entry(key, latest.sequence)) for key in keys]
    entries = [_shown(key, entry) for key, entry in found if entry is not None]
    return {"entries": entries, "latestLedger": latest.sequence}


def _address(key: xdr.LedgerKeyAccount) -> str:
    public = key.account_id.account_id.ed25519
    assert public
    return StrKey.encode_ed25519_public_key(public.uint256)


def _parsed(key: str, index: int) -> xdr.LedgerKey:
    try:
        parsed = xdr.LedgerKey.from_xdr(key)
    except Exception:  # the SDK raises many kinds of errors for wrong bytes
        reason = f"cannot unmarshal key value {key} at index {index}"
        raise RpcProblem(INVALID_PARAMS, reason) from None
    if parsed.type is xdr.LedgerEntryType.TTL:
        raise RpcProblem(INVALID_PARAMS, "ledger ttl entries cannot be queried directly")
    return parsed


def _shown(key: str, entry: StoredEntry) -> Json:
    return {
        "key": key,
        "xdr": entry.data,
        "lastModifiedLedgerSeq": entry.modified,
        **({} if entry.live_until is None else {"liveUntilLedgerSeq": entry.live_until}),
        "extXdr": _NO_EXTENSION,
    }
