"""One account that floods the system: as one of the faults, or during a whole run."""

from __future__ import annotations

import random
from collections.abc import Sequence

from deploy.simulator.chain import accounts
from tests.attacks.flood import FloodPlan
from tests.attacks.helpers import flooding
from tests.chaos.tokens import SECRET
from tests.chaos.world import APIS, FANOUTS, World
from tests.support.pace import last


def flood_plan(apis: Sequence[int], fanouts: Sequence[int]) -> FloodPlan:
    """A fresh account floods these ports. Some of its streams go to Alice."""
    victim = accounts.address("alice")
    return FloodPlan([*apis], [*fanouts], SECRET, victim=victim, token=accounts.TOKEN)


def behind_proxies(world: World) -> FloodPlan:
    """A flood through the proxies: it continues when a service is started again."""
    apis, fanouts = (
        [world.proxies["clients", name].port for name in names] for names in (APIS, FANOUTS)
    )
    return flood_plan(apis, fanouts)


class FloodFault:
    """The fault. Its events are in the journal, where the checker finds them."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng

    async def flood(self) -> str:
        """A fresh account floods the running services for a while."""
        running = self._world.running
        apis, fanouts = (
            [running[name].port for name in names if name in running] for names in (APIS, FANOUTS)
        )
        if not (apis and fanouts):
            return ""
        async with flooding(flood_plan(apis, fanouts)) as results:
            await last(self._rng.uniform(3, 6))
        (result,) = results
        return f"{sum(result.requests.values())} requests"
