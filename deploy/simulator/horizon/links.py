"""The `_links` of Horizon's documents: absolute URLs, and URI templates for parameters."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

Links = dict[str, dict[str, object]]

_PAGED = "{?cursor,limit,order}"
_PAGED_WITH_FAILED = "{?cursor,limit,order,include_failed}"
_PAIR = "?" + "&".join(
    f"{side}_asset_{part}={{{side}_asset_{part}}}"
    for side in ("base", "counter")
    for part in ("type", "code", "issuer")
)
_ROOT = {
    "account": "/accounts/{account_id}",
    "accounts": "/accounts{?signer,sponsor,asset,liquidity_pool,cursor,limit,order}",
    "account_transactions": f"/accounts/{{account_id}}/transactions{_PAGED}",
    "claimable_balances": "/claimable_balances{?asset,sponsor,claimant,cursor,limit,order}",
    "assets": "/assets{?asset_code,asset_issuer,cursor,limit,order}",
    "effects": f"/effects{_PAGED}",
    "fee_stats": "/fee_stats",
    "ledger": "/ledgers/{sequence}",
    "ledgers": f"/ledgers{_PAGED}",
    "liquidity_pools": "/liquidity_pools{?reserves,account,cursor,limit,order}",
    "offer": "/offers/{offer_id}",
    "offers": "/offers{?selling,buying,seller,sponsor,cursor,limit,order}",
    "operation": "/operations/{id}",
    "operations": f"/operations{_PAGED_WITH_FAILED}",
    "order_book": "/order_book{?selling_asset_type,selling_asset_code,selling_asset_issuer,"
    "buying_asset_type,buying_asset_code,buying_asset_issuer,limit}",
    "payments": f"/payments{_PAGED_WITH_FAILED}",
    "self": "/",
    "strict_receive_paths": "/paths/strict-receive{?source_assets,source_account,"
    "destination_account,destination_asset_type,destination_asset_issuer,"
    "destination_asset_code,destination_amount}",
    "strict_send_paths": "/paths/strict-send{?destination_account,destination_assets,"
    "source_asset_type,source_asset_issuer,source_asset_code,source_amount}",
    "trade_aggregations": f"/trade_aggregations{_PAIR}",
    "trades": f"/trades{_PAIR}",
    "transaction": "/transactions/{hash}",
    "transactions": f"/transactions{_PAGED}",
}


def root_links(base: str) -> Links:
    """The links of the root document. The simulator does not serve most of them."""
    return _links(base, _ROOT)


def ledger_links(base: str, sequence: int) -> Links:
    """The links of a ledger."""
    own = f"/ledgers/{sequence}"
    parts = ("transactions", "operations", "payments", "effects")
    return _links(base, {"self": own} | {part: f"{own}/{part}{_PAGED}" for part in parts})


def transaction_links(base: str, digest: str, source: str, ledger: int, token: int) -> Links:
    """The links of a transaction: to its hash, source account, ledger and paging token."""
    own = f"/transactions/{digest}"
    paths = {
        "self": own,
        "account": f"/accounts/{source}",
        "ledger": f"/ledgers/{ledger}",
        "operations": f"{own}/operations{_PAGED}",
        "effects": f"{own}/effects{_PAGED}",
        "precedes": f"/transactions?order=asc&cursor={token}",
        "succeeds": f"/transactions?order=desc&cursor={token}",
        "transaction": own,
    }
    return _links(base, paths)


def page_links(url: str, asked: Mapping[str, str], first: str, last: str, back: str) -> Links:
    """The links of a page: to the page after `last`, and to the page before `first`."""

    def link(**changes: str) -> dict[str, object]:
        return {"href": f"{url}?{urlencode(sorted({**asked, **changes}.items()))}"}

    return {"self": link(), "next": link(cursor=last), "prev": link(cursor=first, order=back)}


def _links(base: str, paths: Mapping[str, str]) -> Links:
    return {
        name: {"href": base + path} | ({"templated": True} if "{" in path else {})
        for name, path in paths.items()
    }
