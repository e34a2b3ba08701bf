"""Answers of the API: tokens, pages of streams and events, summaries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace_client.model.event import Event
from headrace_client.model.fields import Json, required, whole
from headrace_client.model.stream import Stream


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token. A field is None if it is not known.

    `symbol` and `name` are not proved: anyone can make a token that calls itself USDC. `asset` is
    proved: the token is the contract of this Stellar asset (`native` or `CODE:ISSUER`).
    """

    address: str
    symbol: str | None = None
    name: str | None = None
    decimals: int | None = None
    asset: str | None = None
    source: str | None = None
    read_at: int | None = None

    @classmethod
    def from_json(cls, document: Json) -> Token:
        """The token in a JSON object."""
        return cls(
            address=required(document, "address"),
            symbol=document.get("symbol"),
            name=document.get("name"),
            decimals=document.get("decimals"),
            asset=document.get("asset"),
            source=document.get("source"),
            read_at=document.get("readAt"),
        )

    @property
    def label(self) -> str:
        """`USDC` if an asset proves the symbol, else `“USDC”`; "" if there is no symbol."""
        if self.asset == "native":
            return "XLM"
        if self.asset:
            return self.asset.partition(":")[0]
        return f"“{self.symbol}”" if self.symbol else ""

    def show(self, amount: int) -> str:
        """An amount as text: `12.50 USDC`, or `125000000 base units` without known decimals."""
        if self.decimals is None:
            return f"{amount} base units"
        sign, digits = "-" if amount < 0 else "", str(abs(amount)).zfill(self.decimals + 1)
        at = len(digits) - self.decimals
        part = digits[at:].rstrip("0").ljust(min(2, self.decimals), "0")
        number = sign + digits[:at] + (f".{part}" if part else "")
        return f"{number} {self.label}".rstrip()


def tokens_of(document: Json) -> Mapping[str, Token]:
    """The tokens of an answer, by address."""
    return {name: Token.from_json(each) for name, each in (document.get("tokens") or {}).items()}


@dataclass(frozen=True, slots=True)
class StreamPage:
    """A page of streams. `next` is the cursor of the following page; None if there is none.

    Events after `position` are not in this page.
    """

    items: tuple[Stream, ...]
    tokens: Mapping[str, Token]
    total: int | None
    next: str | None
    position: str

    @classmethod
    def from_json(cls, document: Json) -> StreamPage:
        """The page in a JSON object."""
        return cls(
            items=tuple(Stream.from_json(each) for each in required(document, "items")),
            tokens=tokens_of(document),
            total=document.get("total"),
            next=document.get("next"),
            position=required(document, "position"),
        )


@dataclass(frozen=True, slots=True)
class MissingEvents:
    """The events after `after`, up to and including `to`, are not available."""

    after: str
    to: str


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of past events. Events after `position` are not in this page."""

    items: tuple[Event, ...]
    next: str | None
    position: str
    gap: MissingEvents | None

    @classmethod
    def from_json(cls, document: Json) -> EventPage:
        """The page in a JSON object."""
        gap = document.get("gap")
        return cls(
            items=tuple(Event.from_json(each) for each in required(document, "items")),
            next=document.get("next"),
            position=required(document, "position"),
            gap=MissingEvents(gap["from"], gap["to"]) if gap else None,
        )


@dataclass(frozen=True, slots=True)
class TokenTotals:
    """The totals of an account in one token, in base units. `sent` and `received` are by name."""

    token_address: str
    sent: Mapping[str, int]
    received: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OriginTotals:
    """The totals over `streams` streams. `counts` has numbers by side and status."""

    streams: int
    counts: Mapping[str, Mapping[str, int]]
    tokens: tuple[TokenTotals, ...]

    @classmethod
    def from_json(cls, document: Json) -> OriginTotals:
        """The totals in a JSON object."""
        return cls(
            streams=required(document, "streams"),
            counts=required(document, "counts"),
            tokens=tuple(
                TokenTotals(
                    each["tokenAddress"], _amounts(each["sent"]), _amounts(each["received"])
                )
                for each in required(document, "tokens")
            ),
        )


def _amounts(document: Json) -> Mapping[str, int]:
    return {name: whole(value) for name, value in document.items()}


@dataclass(frozen=True, slots=True)
class Summary:
    """The totals of an account. Never add `chain` and `api`: only the contract guarantees money.

    `pending` and `hidden` are numbers of streams that are in no total.
    """

    account: str
    chain: OriginTotals
    api: OriginTotals
    tokens: Mapping[str, Token]
    pending: int
    hidden: int
    next: str | None
    position: str

    @classmethod
    def from_json(cls, document: Json) -> Summary:
        """The summary in a JSON object."""
        return cls(
            account=required(document, "account"),
            chain=OriginTotals.from_json(required(document, "chain")),
            api=OriginTotals.from_json(required(document, "api")),
            tokens=tokens_of(document),
            pending=required(document, "pending"),
            hidden=required(document, "hidden"),
            next=document.get("next"),
            position=required(document, "position"),
        )
