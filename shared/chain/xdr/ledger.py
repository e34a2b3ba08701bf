"""Shapes of Soroban values, contract events and ledger entries, as of protocol 30.

The tables follow Stellar's XDR files (Stellar-contract.x, -ledger-entries.x, -ledger.x,
-contract-config-setting.x). They say how to skip a value (shared.chain.xdr.shapes). An unknown
discriminant raises XdrError.
"""

from shared.chain.xdr.fast_shapes import skip_address, skip_contract_data, skip_value
from shared.chain.xdr.reader import XdrError
from shared.chain.xdr.shapes import (
    WORD,
    Words,
    array_of,
    children,
    maybe,
    opaque,
    optional,
    read_count,
    struct,
    tree,
    union,
)

HASH = 32
_CONTRACT_DATA, _TTL = 6, 9  # LedgerEntryType
_TTL_WORDS = 9
NOTHING = union("ExtensionPoint", {0: 0})
ACCOUNT_ID = union("PublicKey", {0: 32})
BALANCE_ID = union("ClaimableBalanceID", {0: HASH})

# ── Soroban values and events ──
ADDRESS = skip_address
VALUE = skip_value
EVENT_BODY = union("ContractEvent.body", {0: struct(array_of(VALUE), VALUE)})
EVENT = struct(NOTHING, optional(HASH), 4, EVENT_BODY)
TRANSACTION_EVENT = struct(4, EVENT)  # stage of the transaction, event
DIAGNOSTIC_EVENT = struct(4, EVENT)  # flag if the call succeeded, event

# ── classic ledger entries ──
ALPHANUM4 = struct(4, ACCOUNT_ID)
ALPHANUM12 = struct(12, ACCOUNT_ID)
ASSET = union("Asset", {0: 0, 1: ALPHANUM4, 2: ALPHANUM12})
TRUSTLINE_ASSET = union("TrustLineAsset", {0: 0, 1: ALPHANUM4, 2: ALPHANUM12, 3: HASH})
SIGNER_KEY = union("SignerKey", {0: HASH, 1: HASH, 2: HASH, 3: struct(HASH, opaque)})
SPONSOR = optional(ACCOUNT_ID)
LIABILITIES = 16

ACCOUNT_V3 = struct(NOTHING, 4, 8)
ACCOUNT_V2 = struct(8, array_of(SPONSOR), union("AccountEntry v2", {0: 0, 3: ACCOUNT_V3}))
ACCOUNT_V1 = struct(LIABILITIES, union("AccountEntry v1", {0: 0, 2: ACCOUNT_V2}))
ACCOUNT = struct(
    *(ACCOUNT_ID, 8 + 8 + 4),  # balance, sequence number, count of sub-entries
    *(optional(ACCOUNT_ID), 4, opaque, 4),  # inflation, flags, home domain, thresholds
    *(array_of(struct(SIGNER_KEY, 4)), union("AccountEntry", {0: 0, 1: ACCOUNT_V1})),
)
TRUSTLINE_V1 = struct(LIABILITIES, union("TrustLineEntry v1", {0: 0, 2: struct(4, NOTHING)}))
TRUSTLINE = struct(
    ACCOUNT_ID, TRUSTLINE_ASSET, 8 + 8 + 4, union("TrustLineEntry", {0: 0, 1: TRUSTLINE_V1})
)
OFFER = struct(ACCOUNT_ID, 8, ASSET, ASSET, 8 + 8 + 4, NOTHING)
DATA = struct(ACCOUNT_ID, opaque, opaque, NOTHING)
PREDICATE = tree(
    "ClaimPredicate",
    {0: 0, 4: 8, 5: 8},  # unconditional; before an absolute or a relative time
    {1: children(), 2: children(), 3: maybe(lambda _words, at: (at, 1))},  # and, or, not
)
CLAIMANT = union("Claimant", {0: struct(ACCOUNT_ID, PREDICATE)})
CLAIMABLE_BALANCE = struct(
    *(BALANCE_ID, array_of(CLAIMANT), ASSET, 8),
    union("ClaimableBalanceEntry", {0: 0, 1: struct(NOTHING, 4)}),
)
CONSTANT_PRODUCT = struct(ASSET, ASSET, 4 + 4 * 8)
LIQUIDITY_POOL = struct(HASH, union("LiquidityPoolEntry", {0: CONSTANT_PRODUCT}))

# ── Soroban's ledger entries ──
CONTRACT_DATA = skip_contract_data
CODE_COSTS = struct(NOTHING, struct(NOTHING, 10 * 4))
CONTRACT_CODE = struct(union("ContractCodeEntry", {0: 0, 1: CODE_COSTS}), HASH, opaque)
TTL = HASH + 4

COST_PARAMS = array_of(struct(NOTHING, 8 + 8))
CONFIG_SETTING = union(
    "ConfigSettingEntry",
    {
        0: 4,  # contract max size
        1: 3 * 8 + 4,  # compute
        2: 8 * 4 + 6 * 8 + 4,  # ledger cost
        3: 8,  # historical data
        4: 4 + 8,  # events
        5: 2 * 4 + 8,  # bandwidth
        6: COST_PARAMS,
        7: COST_PARAMS,
        8: 4,  # data key size
        9: 4,  # data entry size
        10: 3 * 4 + 2 * 8 + 5 * 4,  # state archival
        11: 4,  # execution lanes
        12: array_of(8),  # size window
        13: 4 + 4 + 8,  # eviction iterator
        14: 4,  # parallel compute
        15: 4 + 8,  # ledger cost, extended
        16: 5 * 4,  # SCP timing
        17: array_of(opaque),  # frozen ledger keys
        18: struct(array_of(opaque), array_of(opaque)),
        19: array_of(HASH),  # transactions that bypass the freeze
        20: struct(array_of(HASH), array_of(HASH)),
    },
)

# ── entries, keys, changes: the discriminant is a LedgerEntryType ──
ENTRY_DATA = union(
    "LedgerEntry",
    {
        0: ACCOUNT,
        1: TRUSTLINE,
        2: OFFER,
        3: DATA,
        4: CLAIMABLE_BALANCE,
        5: LIQUIDITY_POOL,
        6: CONTRACT_DATA,
        7: CONTRACT_CODE,
        8: CONFIG_SETTING,
        9: TTL,
    },
)
ENTRY_EXT = union("LedgerEntry.ext", {0: 0, 1: struct(SPONSOR, NOTHING)})


def ENTRY(words: Words, at: int) -> int:  # noqa: N802 - a shape, like the other names here
    """Skip a LedgerEntry: its last change, its data, its extension."""
    # The entries of contracts first, because they are most of a meta.
    kind = words[at + 1]
    if kind == _CONTRACT_DATA:
        at = skip_contract_data(words, at + 2)
    else:
        at = at + 2 + _TTL_WORDS if kind == _TTL else ENTRY_DATA(words, at + 1)
    return ENTRY_EXT(words, at) if words[at] else at + 1


KEY = union(
    "LedgerKey",
    {
        0: ACCOUNT_ID,
        1: struct(ACCOUNT_ID, TRUSTLINE_ASSET),
        2: struct(ACCOUNT_ID, 8),
        3: struct(ACCOUNT_ID, opaque),
        4: BALANCE_ID,
        5: HASH,
        6: struct(ADDRESS, VALUE, 4),
        7: HASH,
        8: 4,
        9: HASH,
    },
)
_REMOVED, _LAST_CHANGE = 2, 4  # created, updated, removed, state, restored


def CHANGES(words: Words, at: int) -> int:  # noqa: N802 - a shape, like the other names here
    """Skip LedgerEntryChanges."""
    n, at = read_count(words, at, 1)
    for _ in range(n):
        if (kind := words[at]) > _LAST_CHANGE:
            what = f"unknown type {kind} of a LedgerEntryChange; expected 0 to {_LAST_CHANGE}"
            raise XdrError(what, at * WORD)
        at = (KEY if kind == _REMOVED else ENTRY)(words, at + 1)
    return at
