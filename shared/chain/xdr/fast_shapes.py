"""The shapes of an ScVal and of a contract's ledger entry, written by hand.

Most of a meta are these two. Composed of the functions in shared.chain.xdr.shapes they need
three times as long, because each part costs a call. So here each case is a line of one loop.

See docs/decisions/0095-skipped-xdr-is-read-as-words.md.
"""

from shared.chain.xdr.reader import XdrError
from shared.chain.xdr.shapes import WORD, Words

_TEXTS = frozenset((13, 14, 15, 22))  # bytes, string, symbol, the name of code
_VEC, _MAP, _ADDRESS, _INSTANCE, _LAST = 16, 17, 18, 19, 22
_SIZES = {
    **{0: 2, 1: 1, 2: 3},  # bool, void, error
    **{3: 2, 4: 2, 5: 3, 6: 3, 7: 3, 8: 3},  # numbers and times of 32 and 64 bits
    **{9: 5, 10: 5, 11: 9, 12: 9},  # numbers of 128 and 256 bits
    **{20: 1, 21: 3},  # key of a contract instance, key of a nonce
}
"""Words of the cases with a fixed size, with their discriminant."""
_ADDRESS_SIZES = (10, 9, 11, 10, 9, 11)
"""Words of an SCAddress by its arm: G, C, M, B, L, W (shared.chain.xdr.address)."""
_WITH_KEY = (0, 3)
"""Arms of an SCAddress with a second discriminant, which must be 0."""
_WASM, _ASSET, _EXTERNAL = 0, 1, 2


def skip_value(words: Words, at: int) -> int:
    """Skip an ScVal. Values that are still to be skipped are counted, without recursion."""
    due = 1
    while due:
        kind = words[at]
        due -= 1
        if kind in _SIZES:
            at += _SIZES[kind]
        elif kind in _TEXTS:
            at += 2 + (words[at + 1] + 3) // WORD
        elif kind == _ADDRESS:
            at = skip_address(words, at + 1)
        elif kind <= _INSTANCE:
            at = at + 1 if kind != _INSTANCE else _skip_executable(words, at + 1)
            if (there := words[at]) == 1:
                due += words[at + 1] * (1 if kind == _VEC else 2)
                if due > len(words) - at:  # each value has at least one word
                    raise XdrError("the bytes end before the value does", len(words) * WORD)
            elif there:
                raise XdrError(f"expected a boolean (0 or 1), found {there}", at * WORD)
            at += 1 + there
        else:
            raise XdrError(f"unknown type {kind} of an ScVal; expected 0 to {_LAST}", at * WORD)
    return at


def skip_address(words: Words, at: int) -> int:
    """Skip an SCAddress."""
    arm = words[at]
    if arm >= len(_ADDRESS_SIZES):
        raise XdrError(f"unknown arm {arm} of an SCAddress; expected 0 to 5", at * WORD)
    if arm in _WITH_KEY and words[at + 1]:
        what = "unknown kind of the key of an account or balance; expected 0"
        raise XdrError(what, (at + 1) * WORD)
    return at + _ADDRESS_SIZES[arm]


def _skip_executable(words: Words, at: int) -> int:
    kind = words[at]
    if kind == _WASM:
        return at + 9
    if kind == _ASSET:
        return at + 1
    if kind == _EXTERNAL:
        at = skip_address(words, at + 1)
        return at + 1 + (words[at] + 3) // WORD
    raise XdrError(f"unknown type {kind} of a ContractExecutable; expected 0 to 2", at * WORD)


def skip_contract_data(words: Words, at: int) -> int:
    """Skip a ContractDataEntry: extension, contract, key, durability, value."""
    if words[at]:
        raise XdrError(f"unknown extension {words[at]} of contract data; expected 0", at * WORD)
    return skip_value(words, skip_value(words, skip_address(words, at + 1)) + 1)
