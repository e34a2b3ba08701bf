"""JSON Schemas (2020-12) of pydantic models, simplified for readers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]


def schemas_of(models: Iterable[type[BaseModel]], mode: Mode) -> dict[str, Json]:
    """The schemas of these models, and of all models in them, by name."""
    wanted = [(model, mode) for model in dict.fromkeys(models)]
    _, whole = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Json] = whole.get("$defs", {})
    return {name: simplified(schema) for name, schema in schemas.items()}


def simplified(schema: Json) -> Json:
    """The schema without generated titles and empty defaults. Its numbers fit into 64 bits."""
    kept = {name: value for name, value in schema.items() if name not in ("title", "default")}
    if schema.get("default"):
        kept["default"] = schema["default"]
    if "exclusiveMaximum" in kept:
        kept["maximum"] = kept.pop("exclusiveMaximum") - 1
    if "properties" in kept:
        kept["properties"] = {name: simplified(each) for name, each in kept["properties"].items()}
    if "anyOf" in kept:
        kept["anyOf"] = [simplified(each) for each in kept["anyOf"]]
    return kept
