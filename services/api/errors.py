"""The errors of the API's use cases. They contain no HTTP status and no header.

The table in `services.api.http.error_responses` turns each error into a response. The message of
each error is a sentence for the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.domain.errors import HeadraceError
from shared.domain.stream import Stream


class ApiError(HeadraceError):
    """The base class of the errors below: a use case cannot do what the client asked for."""


class StreamNotFoundError(ApiError):
    """No stream has this id."""

    def __init__(self, stream_id: str) -> None:
        super().__init__(f"There is no stream {stream_id[:64]!r}.")


class WebhookNotFoundError(ApiError):
    """No webhook has this id, or the caller may not read it."""

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(f"There is no webhook {endpoint_id[:64]!r} that you may read.")


class RedeliveryNotFoundError(ApiError):
    """The webhook has no redelivery with this id that has not ended."""

    def __init__(self, redelivery_id: str) -> None:
        super().__init__(
            f"The webhook has no redelivery {redelivery_id[:64]!r} that has not ended."
        )


class WebhookDeletedError(ApiError):
    """A request is repeated whose webhook was deleted in the meantime."""

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(
            f"The webhook {endpoint_id} of this Idempotency-Key was deleted. Use a new key."
        )


class InvalidFieldError(ApiError):
    """A field of the body has a value that is not allowed now. `pointer` names it (RFC 6901)."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


class WebhookQuotaError(ApiError):
    """The account has as many webhooks as it may have."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"Your account has {most} webhooks, and may have no more (WEBHOOKS_PER_ACCOUNT). "
            "The webhooks of all its logins (M…, memos) count together. "
            "Delete one that you do not need."
        )
        self.most = most


class ChainOwnedError(ApiError):
    """The stream belongs to the contract on the chain, so the API cannot move its money."""

    def __init__(self, stream_id: str, contract_id: str | None, function: str) -> None:
        super().__init__(
            f"Stream {stream_id} is on the chain, so only its contract can move its money. "
            f"Call the function {function} of contract {contract_id}, or prepare the call with "
            "POST /v1/transactions."
        )
        self.call = {"contractId": contract_id, "function": function}
        """The contract function that does what the client asked for."""


class StaleVersionError(ApiError):
    """The client's If-Match does not allow the current version of the stream or webhook."""

    def __init__(self, thing: str, version: int) -> None:
        super().__init__(f"{thing} has changed. Its version is now {version}.")
        self.version = version


class PermissionDeniedError(ApiError):
    """The caller is known, but lacks the permission. `errors` names the wrong parameters."""

    def __init__(self, message: str, errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class AlreadyDoneError(ApiError):
    """The stream is already as the client wants it, so nothing is committed. It is a success."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(f"Stream {stream.id} is already as requested.")
        self.stream = stream


class IdempotencyKeyReusedError(ApiError):
    """The same Idempotency-Key was sent before with another body."""


class ChangeLostError(ApiError):
    """A request with the same Idempotency-Key was carried out, but Redis lost what it wrote."""


class StreamQuotaError(ApiError):
    """The account has as many API streams as it may have."""

    def __init__(self, account: str, most: int) -> None:
        super().__init__(
            f"{account} has made {most} streams with this API, and may make no more "
            "(STREAMS_PER_ACCOUNT). Streams that have ended count too."
        )
        self.most = most


class WritesSuspendedError(ApiError):
    """Nothing may be changed now, because Redis or its data cannot be trusted."""


class FeatureDisabledError(ApiError):
    """The settings of this installation switch the feature off."""


class ClientDomainRejectedError(ApiError):
    """The wallet's client domain is unknown, or its stellar.toml cannot be used."""


class ChallengeRejectedError(ApiError):
    """The signed challenge does not prove that the client owns the account."""


class LoginRejectedError(ApiError):
    """The token is valid, but it cannot be refreshed or logged out."""


class HorizonUnavailableError(ApiError):
    """Horizon cannot return the signers of an account at the moment."""


class TransactionRefusedError(ApiError):
    """A contract or the network refuses the transaction. `code` is the name of its error.

    `pointer` names the field of the request that must change (RFC 6901); "" if none would help.
    """

    def __init__(self, code: str, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.errors = [{"pointer": pointer, "detail": message}] if pointer else []


class EnvelopeRejectedError(ApiError):
    """The signed envelope is not one that this API submits. The message says why."""


class TransactionNotFoundError(ApiError):
    """No transaction with this hash was submitted here, and RPC has none."""


class AmountLimitError(ApiError):
    """The API key may not move such an amount of the token. `most` is what it may, or None."""

    def __init__(self, token: str, most: int | None) -> None:
        allowed = "no amount of it" if most is None else f"at most {most} in one transaction"
        super().__init__(f"The settings of this API key (maxAmounts) allow {allowed}: {token}.")
        self.token = token
        self.most = most


class RpcUnavailableError(ApiError):
    """Stellar RPC, or the network behind it, cannot take the request at the moment."""

    def __init__(self, message: str, retry_after: int = 2) -> None:
        super().__init__(message)
        self.retry_after = retry_after
