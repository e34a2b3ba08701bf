"""The topics of an event, and the parsing of a subscription."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.events import Event, EventType, Origin
from shared.domain.stream import Acceptance
from shared.domain.topics import (
    ALL,
    is_stream_id,
    matches,
    own_topics,
    parse_subscription,
    topics_of,
)
from tests.shared.samples import R2, TOKEN, TYPE, R, S, a_stream, after, creation, fact

API_ID = "api-01890a5d-ac96-774b-bcce-b302099a8057"


def test_a_creation_has_the_topics_of_both_parties() -> None:
    event = fact(TYPE.STREAM_CREATED, **creation())
    assert topics_of(event) == ("7", f"user:{S}", f"user:{R}")


@pytest.mark.parametrize(
    "event",
    [
        fact(TYPE.STREAM_TOPPED_UP, sender=S),
        fact(TYPE.STREAM_WITHDRAWN, recipient=R),
        fact(TYPE.STREAM_FEE_COLLECTED, treasury=R2),
    ],
)
def test_a_party_that_the_event_lacks_comes_from_the_stored_stream(event: Event) -> None:
    topics = topics_of(event, a_stream())
    assert topics[0] == "7"
    assert set(topics) == {"7", f"user:{S}", f"user:{R}"}


def test_a_transfer_has_the_topics_of_the_old_and_the_new_recipient() -> None:
    event = fact(TYPE.STREAM_RECIPIENT_TRANSFERRED, oldRecipient=R, newRecipient=R2)
    both = {"7", f"user:{S}", f"user:{R}", f"user:{R2}"}
    before = a_stream()
    assert set(topics_of(event, before, after(before, event))) == both
    assert set(topics_of(event)) == both - {f"user:{S}"}
    unnamed = fact(TYPE.STREAM_RECIPIENT_TRANSFERRED, newRecipient=R2)
    assert set(topics_of(unnamed, before, after(before, unnamed))) == both


@given(
    st.sampled_from(Acceptance), st.sampled_from(Acceptance), st.sampled_from(Origin), st.booleans()
)
def test_a_recipient_gets_no_events_of_an_api_stream_that_stays_hidden(
    first: Acceptance, then: Acceptance, origin: Origin, to_oneself: bool
) -> None:
    stream = replace(a_stream(recipient=S if to_oneself else R), origin=origin)
    before, changed = (replace(stream, acceptance=each) for each in (first, then))
    topics = topics_of(fact(TYPE.STREAM_UPDATED), before, changed)
    stays_hidden = (first, then, origin) == (Acceptance.HIDDEN, Acceptance.HIDDEN, Origin.API)
    others = set() if to_oneself or stays_hidden else {f"user:{R}"}
    assert set(topics) == {"7", f"user:{S}"} | others


@pytest.mark.parametrize(
    ("owner", "topic"),
    [
        (S, f"user:{S}"),
        (f"{S}:7", f"user:{S}:7"),
        ("key-5f0c", "user:key-5f0c"),
        ("", "user:"),
        ("two words", "user:"),
        ("ä", "user:"),
        (None, "user:"),
    ],
)
def test_an_event_of_a_webhook_goes_to_its_owner_and_never_to_everyone(
    owner: object, topic: str
) -> None:
    event = fact(TYPE.WEBHOOK_DISABLED, stream_id=None, account=owner)
    assert topics_of(event) == (topic,)


def test_topics_are_unique_when_sender_and_recipient_are_the_same() -> None:
    assert topics_of(fact(TYPE.STREAM_CREATED, **creation(recipient=S))) == ("7", f"user:{S}")


def test_an_event_without_a_stream_is_a_broadcast() -> None:
    assert topics_of(fact(TYPE.CONTRACT_INITIALIZED, stream_id=None, sender=S)) == ()


@given(st.text())
def test_no_text_of_a_contract_can_break_the_routing_header(party: str) -> None:
    topics = topics_of(fact(TYPE.CHAIN_UNKNOWN, sender=party))
    assert " ".join(topics).split() == list(topics)
    assert all(topic.isascii() and topic.isprintable() for topic in topics)


def test_a_subscription_with_every_parameter() -> None:
    subscription, mistakes = parse_subscription(
        streams=["1", API_ID], users=[S], everything="true", types=["stream.withdrawn"]
    )
    assert mistakes == []
    assert subscription.topics == (ALL, "1", API_ID, f"user:{S}")
    assert subscription.types == {"stream.withdrawn"}


@pytest.mark.parametrize(
    "streams",
    [["1", "2"], ["1,2"], [" 1 , 2 "], ["1,", ",2"], ["1,2", "2", "1"]],
)
def test_repeated_and_comma_separated_parameters_mean_the_same(streams: list[str]) -> None:
    subscription, mistakes = parse_subscription(streams=streams)
    assert (subscription.topics, mistakes) == (("1", "2"), [])


def test_each_mistake_names_its_parameter_and_explains_it() -> None:
    _, mistakes = parse_subscription(
        streams=["0", "1"], users=[S[:-1] + "A", R], everything="yes", types=["created"]
    )
    assert [parameter for parameter, _ in mistakes] == ["streams", "users", "types", "all"]
    told = dict(mistakes)
    assert "'0' is not a stream id" in told["streams"]
    assert "checksum" in told["users"]
    assert "stream.withdrawn" in told["types"]
    assert "'true'" in told["all"]


@pytest.mark.parametrize("query", [{}, {"everything": "false"}, {"types": ["stream.created"]}])
def test_a_subscription_without_topics_is_a_mistake(query: dict[str, Any]) -> None:
    _, ((parameter, text),) = parse_subscription(**query)
    assert parameter == "streams"
    assert "users=<G…>" in text
    subscription, mistakes = parse_subscription(**query, topics_required=False)
    assert (subscription.topics, mistakes) == ((), [])


@pytest.mark.parametrize(
    ("account", "topics"), [(S, (f"user:{S}",)), (f"{S}:7", ()), ("key:1", ()), ("", ())]
)
def test_the_own_topic_is_that_of_an_account_which_can_be_a_party(
    account: str, topics: tuple[str, ...]
) -> None:
    assert own_topics(account) == topics


@pytest.mark.parametrize(
    "text", ["1", str((1 << 64) - 1), API_ID, "api-00000000-0000-0000-0000-000000000000"]
)
def test_stream_ids(text: str) -> None:
    assert is_stream_id(text)


@pytest.mark.parametrize(
    "text",
    ["", "0", "01", "-1", "+1", "1.0", str(1 << 64), "9" * 20, "9" * 5000, "٣", "1\n", "api-",
     API_ID.upper(), API_ID + "0", API_ID[:-1], "user:1", "*"],
)  # fmt: skip
def test_texts_that_are_not_stream_ids(text: str) -> None:
    assert not is_stream_id(text)


def test_accounts_contracts_and_muxed_accounts_may_be_parties() -> None:
    muxed = "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLK"
    subscription, mistakes = parse_subscription(users=[S, TOKEN, muxed])
    assert mistakes == []
    assert subscription.topics == (f"user:{S}", f"user:{TOKEN}", f"user:{muxed}")


@given(st.text(), st.text(), st.text(), st.text())
def test_the_parser_never_raises(streams: str, users: str, everything: str, types: str) -> None:
    _, mistakes = parse_subscription(
        streams=[streams], users=[users], everything=everything, types=[types]
    )
    assert {parameter for parameter, _ in mistakes} <= {"streams", "users", "all", "types"}


TOKENS = {
    "transfer": (TYPE.TOKEN_TRANSFER, {"from": S, "to": R}, {S, R}),
    "transfer to oneself": (TYPE.TOKEN_TRANSFER, {"from": S, "to": S}, {S}),
    "mint": (TYPE.TOKEN_MINT, {"admin": R2, "to": R}, {R}),
    "burn": (TYPE.TOKEN_BURN, {"from": S}, {S}),
    "clawback": (TYPE.TOKEN_CLAWBACK, {"admin": R2, "from": S}, {S}),
    "unknown of a token": (TYPE.CHAIN_UNKNOWN, {"name": "approve"}, {TOKEN}),
}


@pytest.mark.parametrize(("kind", "facts", "parties"), TOKENS.values(), ids=TOKENS)
def test_a_token_event_has_the_topics_of_its_accounts_and_is_no_broadcast(
    kind: EventType, facts: dict[str, Any], parties: set[str]
) -> None:
    topics = topics_of(fact(kind, stream_id=None, tokenAddress=TOKEN, **facts))
    assert sorted(topics) == sorted(f"user:{party}" for party in parties)
    for party in parties:
        assert matches({f"user:{party}"}, topics)
    assert matches({ALL}, topics)
    assert not matches({"7", f"user:{R2}"}, topics), "the admin is no party"


def test_an_unknown_event_of_the_stream_contract_goes_to_its_stream_or_to_everyone() -> None:
    assert topics_of(fact(TYPE.CHAIN_UNKNOWN, name="x")) == ("7",)
    assert topics_of(fact(TYPE.CHAIN_UNKNOWN, stream_id=None, name="x")) == ()


def test_other_fields_of_a_stream_event_give_no_topics() -> None:
    event = Event(TYPE.STREAM_PAUSED, "7", 100, {"from": R2, "to": R2})
    assert set(topics_of(event, a_stream())) == {"7", f"user:{S}", f"user:{R}"}


@given(st.text(), st.text())
def test_no_text_of_a_token_can_break_the_routing_header(payer: str, to: str) -> None:
    topics = topics_of(Event(TYPE.TOKEN_TRANSFER, None, 100, {"from": payer, "to": to}))
    assert " ".join(topics).split() == list(topics)
