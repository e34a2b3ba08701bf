"""Values of our formats for schemathesis, which a pattern alone cannot make."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st
from stellar_sdk import Keypair, StrKey

from services.api.http.page_cursor import encode_cursor
from services.api.streams.ids import uuid7
from shared.domain.stream import I128_MAX
from shared.domain.topics import user_topic

seeds = st.binary(min_size=32, max_size=32)
accounts = seeds.map(lambda seed: Keypair.from_raw_ed25519_seed(seed).public_key)
contracts = seeds.map(StrKey.encode_contract)
u64 = st.integers(0, (1 << 64) - 1)
members = st.tuples(st.integers(0, 10**11), st.integers(1, 10**6)).map(
    lambda pair: f"{pair[0]:012d}:{pair[1]:020d}"
)
uuids = st.integers(0, (1 << 48) - 1).map(lambda ms: f"api-{uuid7(ms, 0)}")

schemathesis.openapi.format("stellar-account", st.one_of(accounts, contracts))
schemathesis.openapi.format("stellar-wallet", accounts)
schemathesis.openapi.format("stellar-contract", contracts)
schemathesis.openapi.format("i128", st.integers(1, I128_MAX).map(str))
schemathesis.openapi.format("stream-id", st.one_of(st.integers(1, (1 << 64) - 1).map(str), uuids))
schemathesis.openapi.format("position", st.tuples(u64, u64).map("{0[0]}-{0[1]}".format))
schemathesis.openapi.format("cursor", members.map(encode_cursor))
schemathesis.openapi.format("entity-tags", st.sampled_from(['"1"', "*", '"2", "1"']))

urls = st.from_regex(r"\Ahttps://[a-z]{1,20}\.example/[a-z0-9?=&]{0,20}\Z")
schemathesis.openapi.format("webhook-url", urls)

topics = st.one_of(st.just("*"), accounts.map(user_topic), uuids)
schemathesis.openapi.format("topic", topics)

FORMATS = {"stellar-account", "stellar-wallet", "stellar-contract", "i128", "stream-id"}
FORMATS |= {"position", "cursor", "webhook-url"}


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """A pattern allows more than its format, such as addresses with a wrong checksum."""
    _without_patterns(raw_schema)


def _without_patterns(node: object) -> None:
    if isinstance(node, dict):
        if node.get("format") in FORMATS:
            node.pop("pattern", None)
        for each in node.values():
            _without_patterns(each)
    elif isinstance(node, list):
        for each in node:
            _without_patterns(each)
