"""Parameters of RPC's methods, and stellar-rpc's errors for parameters of a wrong type. Pure.

stellar-rpc is written in Go. The errors of Go's JSON decoder contain the field and the expected
type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.simulator.problems import INVALID_PARAMS, RpcProblem

_UNSIGNED = {"uint32": 1 << 32, "uint": 1 << 64}
_FORMATS = ("base64", "json")


def number(body: Mapping[str, object], field: str, kind: str) -> int:
    """An unsigned number; 0 if it is absent. `field` is in Go's form: type, dot, path.

    Raises RpcProblem -32602, like all functions in this module.
    """
    value = body.get(field.rpartition(".")[2])
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value < _UNSIGNED[kind]:
        raise mistyped(value, f"struct field {field}", kind)
    return value


def text(body: Mapping[str, object], field: str) -> str:
    """A text; empty if it is absent."""
    value = body.get(field.rpartition(".")[2])
    if not isinstance(value, str | None):
        raise mistyped(value, f"struct field {field}", "string")
    return value or ""


def item(value: object, field: str, kind: str) -> Mapping[str, object]:
    """An object; empty if it is absent."""
    if value is not None and not isinstance(value, dict):
        raise mistyped(value, f"struct field {field}", f"protocol.{kind}")
    return value or {}


def items(body: Mapping[str, object], field: str, kind: str) -> Sequence[object]:
    """A list; empty if it is absent."""
    value = body.get(field.rpartition(".")[2])
    if value is not None and not isinstance(value, list):
        raise mistyped(value, f"struct field {field}", f"[]{kind}")
    return value or ()


def check_format(params: Mapping[str, object], request: str) -> None:
    """Check that `xdrFormat` is a known format. The simulator implements only base64."""
    asked = text(params, f"{request}.xdrFormat")
    if asked and asked not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise invalid(f"got '{asked}': expected {known} for optional 'xdrFormat'")
    if asked == "json":
        raise invalid("the simulated network knows xdrFormat base64 only")


def mistyped(value: object, place: str, kind: str) -> RpcProblem:
    """The error of Go's decoder for a value of a wrong type."""
    numeric = kind in _UNSIGNED and type(value) in (int, float)
    shown = f"{_GO[type(value)]} {value}" if numeric else _GO[type(value)]
    message = f"json: cannot unmarshal {shown} into Go {place} of type {kind}"
    return invalid("invalid parameters", data=message)


def invalid(message: str, data: str = "") -> RpcProblem:
    """The error for an invalid parameter."""
    return RpcProblem(INVALID_PARAMS, message, data=data)


_GO: Mapping[type, str] = {
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
}
