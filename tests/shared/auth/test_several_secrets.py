"""JWT_SECRET and JWT_OTHER_SECRET, while one replaces the other: both check tokens."""

from __future__ import annotations

import pytest

from shared.auth.settings import AuthSettings
from shared.auth.verifier import Verifier
from tests.shared.auth.test_verifier import SECRET, claims, refused, sign

NEXT = "the secret that replaces it, more than 32 bytes"
BOTH = AuthSettings(auth_mode="required", jwt_secret=NEXT, jwt_other_secret=SECRET)


@pytest.mark.parametrize("secret", [SECRET, NEXT])
async def test_a_token_of_each_secret_is_valid(secret: str) -> None:
    verifier = Verifier(BOTH, None, remember=10)
    token = sign(claims(), secret)
    for _ in range(2):  # the second time it is remembered
        assert (await verifier.verify(token)).account == "GA"
    assert verifier.is_own(token)


async def test_a_token_of_another_secret_is_refused() -> None:
    verifier = Verifier(BOTH, None, remember=10)
    token = sign(claims(), f"{NEXT}{SECRET}")
    for _ in range(2):
        assert "Signature verification failed" in await refused(token, verifier)


async def test_other_checks_of_a_token_of_the_old_secret_still_count() -> None:
    verifier = Verifier(BOTH, None)
    assert "audience" in (await refused(sign(claims(aud="other"), SECRET), verifier)).lower()
    assert "expired" in (await refused(sign(claims(exp=1), SECRET), verifier)).lower()


async def test_a_remembered_token_is_refused_once_its_secret_is_gone() -> None:
    token = sign(claims(), SECRET)
    later = Verifier(AuthSettings(auth_mode="required", jwt_secret=NEXT), None)
    assert "Signature verification failed" in await refused(token, later)
