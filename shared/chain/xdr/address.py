"""Convert an SCAddress to a strkey (SEP-23). A bounded cache keeps the addresses used last."""

from functools import lru_cache
from typing import NamedTuple

from shared.chain.xdr.natives import Address
from shared.chain.xdr.reader import U32, XdrError, ended_early
from shared.domain.strkeys import CONTRACT, strkey


class _Arm(NamedTuple):
    version: int  # first byte of the strkey: 8 times the base32 index of the strkey's first letter
    size: int  # bytes of the SCAddress, including its discriminant
    kind: bool  # True if a second discriminant follows, which must be 0
    id_first: bool  # True if XDR puts a u64 id before the 32 bytes; the strkey puts the id last


_ARMS = (
    _Arm(6 << 3, 40, kind=True, id_first=False),  # G, account
    _Arm(2 << 3, 36, kind=False, id_first=False),  # C, contract
    _Arm(12 << 3, 44, kind=False, id_first=True),  # M, muxed account
    _Arm(1 << 3, 40, kind=True, id_first=False),  # B, claimable balance
    _Arm(11 << 3, 36, kind=False, id_first=False),  # L, liquidity pool
    _Arm(22 << 3, 44, kind=False, id_first=True),  # W, muxed contract: CAP-84, protocol 30
)
_BALANCE = 3


@lru_cache(maxsize=16_384)
def contract_address(contract: bytes) -> Address:
    """Return the strkey (C…) of a contract's 32 raw bytes."""
    return Address(strkey(CONTRACT, contract))


def address(buf: bytes, at: int) -> tuple[Address, int]:
    """Read the SCAddress at offset `at`; returns it and the offset after it. Raises XdrError."""
    (number,) = U32(buf, at)
    if number >= len(_ARMS):
        raise XdrError(f"unknown arm {number} of an SCAddress; expected 0 to {len(_ARMS) - 1}", at)
    end = at + _ARMS[number].size
    if end > len(buf):
        raise ended_early(buf)
    kind_at = at + 4
    if _ARMS[number].kind and U32(buf, kind_at) != (0,):
        raise XdrError("unknown kind of the key of an account or balance; expected 0", kind_at)
    return _spelled(buf[at:end]), end


@lru_cache(maxsize=16_384)
def _spelled(raw: bytes) -> Address:
    arm = _ARMS[raw[3]]
    if arm.id_first:
        return Address(strkey(arm.version, raw[12:] + raw[4:12]))
    if raw[3] == _BALANCE:
        # In a strkey, the discriminant has only one byte.
        return Address(strkey(arm.version, b"\0" + raw[8:]))
    return Address(strkey(arm.version, raw[-32:]))
