"""Metadata of a stream is bounded in bytes, because every event of the stream contains it."""

from __future__ import annotations

from typing import Any

import pytest

from services.api.streams.schemas import MAX_METADATA_BYTES
from tests.api.samples import made, order
from tests.support.web_client import WebClient

NOTE = MAX_METADATA_BYTES - len('{"note":""}')


def note(character: str, size: int) -> dict[str, str]:
    """Metadata whose note has `size` bytes, filled with a character and then with ASCII."""
    width = len(character.encode())
    return {"note": character * (size // width) + "a" * (size % width)}


@pytest.mark.parametrize("character", ["é", "€", "😀"])
async def test_metadata_is_counted_in_bytes_of_utf_8(client: WebClient, character: str) -> None:
    largest = note(character, NOTE)
    stream = await made(client, metadata=largest)
    assert stream["metadata"] == largest
    url, body = f"/v1/streams/{stream['id']}", {"metadata": note(character, NOTE + 1)}
    for response in (
        await client.post("/v1/streams", json=order(**body)),
        await client.patch(url, json=body),
    ):
        problem = await response.json(content_type="application/problem+json")
        assert response.status == 422
        assert problem["errors"] == [
            {
                "pointer": "/metadata",
                "detail": "has 2049 bytes of JSON (UTF-8); at most 2048 are allowed",
            }
        ]


async def test_all_fields_count_together_with_what_json_adds(client: WebClient) -> None:
    tags = ["\u0001" * 50] * 20  # JSON escapes this character with six bytes
    body: dict[str, Any] = {"metadata": {"tags": tags}}
    assert (await client.post("/v1/streams", json=order(**body))).status == 422
    body = {"metadata": {"label": "é" * 200, "tags": ["t" * 50] * 20, "note": "n" * 800}}
    assert (await client.post("/v1/streams", json=order(**body))).status == 422


async def test_the_document_names_the_limit(client: WebClient) -> None:
    document = await (await client.get("/openapi.json")).json()
    assert "2048 bytes" in document["components"]["schemas"]["Metadata"]["description"]
