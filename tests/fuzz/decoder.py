"""Fuzz the decoder with atheris: `python -m tests.fuzz.decoder [-max_total_time=60] [corpus …]`.

For any bytes a decoder must return or raise XdrError, within bounded time and memory.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from shared.chain import xdr

DECODERS = (xdr.decode_contract_event, xdr.decode_meta, xdr.decode_result, xdr.decode_scval)


def try_all(data: bytes) -> None:
    """Any exception other than XdrError is a finding."""
    for decode in DECODERS:
        try:
            decode(data)
        except xdr.XdrError:
            continue


def functions() -> Iterator[FunctionType]:
    """All functions of the decoder. Instrumenting everything that is loaded takes half a minute."""
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and (each.__module__ or "").startswith(xdr.__name__):
            yield each


def main(argv: list[str]) -> None:
    import atheris  # noqa: PLC0415 - a tool that not every machine has

    for function in functions():
        atheris.instrument_func(function)
    setup: Any = atheris.Setup
    setup(argv, try_all)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
