"""Long bodies are kept as a hash."""

from __future__ import annotations

import orjson

from tests.soak.recorder import shortened


def body(note: str) -> bytes:
    """An event of the API with metadata."""
    fields = {"streamId": "api-1", "origin": "api", "metadata": {"note": note}}
    return orjson.dumps({**fields, "stream": {"version": 3, "metadata": {"note": note}}})


def test_two_bodies_are_equal_if_their_short_forms_are() -> None:
    long, other = body("🌊" * 2000), body("🌊" * 1999 + "x")
    assert shortened(long) == shortened(long) != shortened(other)
    assert len(shortened(long)) < 200
    assert orjson.loads(shortened(long))["stream"] == {"version": 3}


def test_a_short_body_stays_as_it_is() -> None:
    assert shortened(body("x")) == body("x")
