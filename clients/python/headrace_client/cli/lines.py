"""An event as a line of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace_client.model.answers import Token
from headrace_client.model.event import Event

_AMOUNTS: Mapping[str, str] = {
    "amount": "{}",
    "depositedAmount": "deposit {}",
    "ratePerSecond": "{} a second",
    "newDepositedAmount": "deposit now {}",
    "newRatePerSecond": "now {} a second",
    "totalWithdrawn": "withdrawn {}",
    "amountWithdrawn": "withdrawn {}",
    "refundedAmount": "refunded {}",
    "feeAmount": "fee {}",
    "settledAmount": "paid {}",
}
"""The fields with amounts, in the order in which they are shown."""


def token_of(event: Event) -> str | None:
    """The address of the token in which the event's amounts are."""
    return event.data.get("token") or event.token_address


def line(event: Event, token: Token | None) -> str:
    """One line without control characters. `token`: what is known of the token of its amounts."""
    where = f"#{event.stream_id}" if event.stream_id else "-"
    parts = [
        f"{event.time:%Y-%m-%d %H:%M:%SZ}",
        f"{event.type:<22}",
        f"{where:<6}",
        ", ".join(_amounts(event, token)),
        _parties(event),
        f"ledger {event.ledger}" if event.ledger else "API",
        "" if event.verified is not False else "PROOF FAILED",
    ]
    return printable("  ".join(part for part in parts if part))


def printable(text: str) -> str:
    """The text without what could control a terminal: a token's contract chooses its symbol."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _amounts(event: Event, token: Token | None) -> Iterator[str]:
    token = token or Token("")
    for name, form in _AMOUNTS.items():
        value = event.data.get(name)
        if isinstance(value, str) and value.removeprefix("-").isdecimal():
            yield form.format(token.show(int(value)))


def _parties(event: Event) -> str:
    first = event.sender or event.data.get("from")
    second = event.recipient or event.data.get("to")
    return " → ".join(_short(each) for each in (first, second) if each)


def _short(address: str) -> str:
    return f"{address[:4]}…{address[-4:]}" if len(address) > 12 else address
