"""The events of a token in all forms that exist on the chain: SEP-41, and asset contracts."""

from __future__ import annotations

from deploy.simulator.chain.accounts import address
from deploy.simulator.chain.operations import Operation
from deploy.simulator.chain.values import Emission, Typed
from deploy.simulator.contracts.record import CallRefusedError

FORMS = ("asset", "old", "plain")
"""`asset`: since protocol 23 (CAP-67). `old`: an asset before that. `plain`: any other token."""

_PARTIES = {
    "transfer": ("sender", "recipient"),
    "mint": ("recipient",),
    "burn": ("sender",),
    "clawback": ("sender",),
    "approve": ("sender", "recipient"),
}
_BY_ADMIN = ("mint", "clawback")


def transfer(
    token: str, asset: str, *, sender: str, recipient: str, amount: int, memo: str = ""
) -> Emission:
    """The event of a transfer, as the token contract of `asset` emits it.

    If `asset` is empty, the token is not a Stellar asset.
    """
    call = Operation(
        op="token",
        name="transfer",
        sender=sender,
        recipient=recipient,
        amount=amount,
        form="asset" if asset else "plain",
        muxed=memo,
    )
    return event_of(call, token, asset)


def event_of(operation: Operation, token: str, asset: str) -> Emission:
    """The event of a direct call of the token.

    `muxed` is the sub-account of the recipient: a u64 in digits, bytes as 0x…, or text. Raises
    CallRefusedError if no token has an event of this name or form.
    """
    name, form = operation.name, operation.form
    if name not in _PARTIES or form not in FORMS:
        raise CallRefusedError(0, f"no token emits an event {name!r} in the form {form!r}")
    admin = ("admin",) if form == "old" and name in _BY_ADMIN else ()
    parties = (getattr(operation, each) for each in (*admin, *_PARTIES[name]))
    named = (Typed("address", address(each)) for each in parties)
    of = () if form == "plain" else (Typed("string", asset),)
    value = Typed("i128", operation.amount)
    topics = (Typed("symbol", name), *named, *of)
    if not operation.muxed:
        return Emission(token, topics, value)
    return Emission(token, topics, {"amount": value, "to_muxed_id": _muxed(operation.muxed)})


def _muxed(text: str) -> Typed:
    if text.isdecimal():
        return Typed("u64", int(text))
    if text.startswith("0x"):
        return Typed("bytes", bytes.fromhex(text[2:]))
    return Typed("string", text)
