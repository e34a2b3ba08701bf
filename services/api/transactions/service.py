"""The parts that the routes of transactions use."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from redis.asyncio import Redis

from services.api.settings import ApiSettings
from services.api.transactions.following import TransactionFollower
from services.api.transactions.network import ChainNetwork
from services.api.transactions.preparation import PreparationLimits, TransactionPreparer
from services.api.transactions.submission import TransactionSubmitter
from services.api.transactions.submission_store import SubmissionStore
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.rpc import RpcClient
from shared.journal.streams import StoredStreams


@dataclass(frozen=True, slots=True)
class TransactionService:
    """Prepares, submits and follows transactions of one stream contract."""

    contract_id: str
    preparer: TransactionPreparer
    submitter: TransactionSubmitter
    follower: TransactionFollower

    @classmethod
    def of(
        cls, settings: ApiSettings, session: aiohttp.ClientSession, redis: Redis
    ) -> TransactionService:
        """The service for the network behind RPC_URL."""
        network = ChainNetwork(RpcClient(session, settings.rpc_url), settings.network_passphrase)
        streams = StoredStreams(redis, settings.keys)
        contracts = WatchedContracts(settings.contracts)
        submissions = SubmissionStore(redis, settings.keys)
        limits = PreparationLimits(settings.transaction_seconds, settings.max_inclusion_fee)
        follower = TransactionFollower(network, streams, contracts, submissions)
        contract_id = contracts.stream.address
        return cls(
            contract_id,
            TransactionPreparer(network, streams, contracts, submissions, limits),
            TransactionSubmitter(network, streams, submissions, follower, contract_id),
            follower,
        )
