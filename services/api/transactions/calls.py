"""The calls of the stream contract: its functions by action, and their arguments. Pure.

The contract's parameters have an order and types. The types are names of stellar-sdk's `scval`.

See docs/decisions/0116-the-api-never-holds-a-key.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Action(StrEnum):
    """What a client can ask for. RESTORE is prepared if entries of the contract are archived."""

    CREATE = "create"
    TOP_UP = "top_up"
    WITHDRAW = "withdraw"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RESTORE = "restore"


class ArgumentType(StrEnum):
    """The types of the contract's parameters."""

    ADDRESS = "address"
    U64 = "uint64"
    I128 = "int128"


class Parameter(NamedTuple):
    """A parameter of a function, with its name in JSON."""

    name: str
    type: ArgumentType


@dataclass(frozen=True, slots=True)
class ContractFunction:
    """A function of the contract. Its first parameter is the account that must sign."""

    name: str
    parameters: tuple[Parameter, ...]


_SENDER = Parameter("sender", ArgumentType.ADDRESS)
_RECIPIENT = Parameter("recipient", ArgumentType.ADDRESS)
_TOKEN = Parameter("tokenAddress", ArgumentType.ADDRESS)
_STREAM = Parameter("streamId", ArgumentType.U64)
_AMOUNT = Parameter("amount", ArgumentType.I128)
_DURATION = Parameter("duration", ArgumentType.U64)

FUNCTIONS: Mapping[Action, ContractFunction] = {
    Action.CREATE: ContractFunction(
        "create_stream", (_SENDER, _RECIPIENT, _TOKEN, _AMOUNT, _DURATION)
    ),
    Action.TOP_UP: ContractFunction("top_up_stream", (_SENDER, _STREAM, _AMOUNT)),
    Action.WITHDRAW: ContractFunction("withdraw", (_RECIPIENT, _STREAM)),
    Action.PAUSE: ContractFunction("pause_stream", (_SENDER, _STREAM)),
    Action.RESUME: ContractFunction("resume_stream", (_SENDER, _STREAM)),
    Action.CANCEL: ContractFunction("cancel_stream", (_SENDER, _STREAM)),
}
ACTIONS: Mapping[str, Action] = {each.name: action for action, each in FUNCTIONS.items()}
"""The action by the name of its function."""


@dataclass(frozen=True, slots=True)
class ActionCall:
    """A call of the stream contract. `values` has one value for each parameter, in order."""

    contract_id: str
    action: Action
    values: tuple[str | int, ...]

    @property
    def function(self) -> ContractFunction:
        """The function that is called."""
        return FUNCTIONS[self.action]

    @property
    def party(self) -> str:
        """The account that must agree to the call."""
        return str(self.values[0])

    def value(self, name: str) -> str | int | None:
        """The argument with this name in JSON; None if the function has no such parameter."""
        named = zip(self.function.parameters, self.values, strict=True)
        return next((value for parameter, value in named if parameter.name == name), None)

    @property
    def stream_id(self) -> str | None:
        """The stream that the call changes; None if it creates one."""
        value = self.value(_STREAM.name)
        return None if value is None else str(value)

    def document(self) -> dict[str, object]:
        """The arguments by name, for JSON. 64-bit numbers and amounts are decimal strings."""
        named = zip(self.function.parameters, self.values, strict=True)
        return {parameter.name: _json(parameter, value) for parameter, value in named}


def _json(parameter: Parameter, value: str | int) -> str | int:
    return value if parameter is _DURATION else str(value)
