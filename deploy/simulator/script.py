"""An endless, realistic script: it decides what the parties do next."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle

from deploy.simulator.chain.accounts import NAMES, TOKENS
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.contracts.record import Record, claimable
from deploy.simulator.contracts.stream_contract import StreamContract

MEMOS = (None, None, "rent", "thanks", "invoice 7")
RUNNING = {"withdraw": 12, "pause": 4, "top_up": 3, "cancel": 1}
PAUSED = {"resume": 12, "cancel": 3, "top_up": 3, "withdraw": 1}  # the contract refuses withdraw


class Script:
    """Keeps about `streams` payment streams running. `seed` determines all that the script does.

    The streams use the first `tokens` tokens of the network in turn.
    """

    def __init__(self, seed: str, streams: int, tokens: int = 1) -> None:
        self._random = random.Random(seed)
        self._target = streams
        self._live: list[str] = []
        self._seen = 0
        self._zombies: list[str] = []
        self._tokens = cycle(list(TOKENS)[:tokens])

    def proposals(
        self, contract: StreamContract, now: int, *, creates: bool = True
    ) -> Iterator[Proposal]:
        """The transactions of the next ledger. Without `creates`, no stream is created.

        This is a generator: each transaction is chosen after the contract has run the one before,
        so the choice sees its effect.
        """
        for _ in range(self._random.choice((0, 1, 1, 2))):
            yield self._noise()
        for _ in range(self._random.choice((0, 1, 1, 2, 3))):
            self.look(contract)
            operations = self._operations(contract, now, creates)
            if operations:
                yield Proposal(operations=operations, fee_bump=self._random.random() < 0.1)

    def look(self, contract: StreamContract) -> None:
        """Add new streams and remove those that ended."""
        streams = contract.state.streams
        self._live += [str(n) for n in range(self._seen + 1, len(streams) + 1)]
        self._seen = len(streams)
        self._live = [each for each in self._live if streams[each].active]

    def skip(self, contract: StreamContract) -> None:
        """Leave the streams alone that were created since the last look: a client did it."""
        self._seen = len(contract.state.streams)

    def _noise(self) -> Proposal:
        if self._random.random() < 0.2:
            amount = self._random.randint(1, 10**9)
            return Proposal(operations=(Operation(op="foreign", amount=amount),))
        return Proposal(memo=self._random.choice(MEMOS))

    def _operations(
        self, contract: StreamContract, now: int, creates: bool
    ) -> tuple[Operation, ...]:
        if self._zombies and self._random.random() < 0.5:
            return (Operation(op="resume", stream_id=self._zombies.pop()),)
        if not creates and not self._live:
            return ()
        if creates and len(self._live) < self._target:
            twice = self._random.random() < 0.15
            return tuple(self._create() for _ in range(2 if twice else 1))
        twice = len(self._live) > 1 and self._random.random() < 0.15
        chosen = self._random.sample(self._live, k=2 if twice else 1)
        return tuple(self._next(contract.stream(each), now) for each in chosen)

    def _create(self) -> Operation:
        sender, recipient = self._random.choices(NAMES, k=2)  # may be the same account
        return Operation(
            op="create",
            sender=sender,
            recipient=recipient,
            token=next(self._tokens),
            amount=self._random.randint(10**6, 10**10),
            duration=self._random.randint(20, 300),
        )

    def _next(self, stream: Record, now: int) -> Operation:
        """The next action of a party of the stream. The contract will refuse some of them."""
        weights = PAUSED if stream.paused else RUNNING
        op = self._random.choices(list(weights), weights=list(weights.values()))[0]
        if weights is RUNNING and op == "withdraw" and claimable(stream, now) == 0:
            op = "top_up"
        if weights is PAUSED and op == "cancel":
            self._zombies.append(stream.id)
        amount = self._random.randint(10**5, 10**9) if op == "top_up" else 0
        return Operation(op=op, stream_id=stream.id, amount=amount)
