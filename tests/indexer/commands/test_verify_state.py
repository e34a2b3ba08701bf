"""`verify --state`: all stored streams, compared with the contract's storage."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from deploy.simulator.chain import accounts
from services.indexer.commands import verify_state
from services.indexer.commands.runner import CommandFailedError
from services.indexer.commands.verify import arguments
from services.indexer.settings import IndexerSettings
from shared.chain.errors import SourceError
from shared.journal.keys import Keys
from tests.indexer.simulated import simulated
from tests.indexer.state.audited import Audited

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]


@pytest.fixture
async def chain(redis: Redis, keys: Keys) -> AsyncIterator[Audited]:
    async with simulated(40) as sim:
        yield Audited(sim, redis, keys)


def settings(chain: Audited, redis_url: str, **more: object) -> IndexerSettings:
    given = {
        "redis_url": redis_url,
        "namespace": chain.keys.namespace,
        "contracts": accounts.STREAMS,
        "network_passphrase": chain.sim.network.settings.network_passphrase,
        "rpc_url": f"{chain.sim.url}/rpc",
    }
    return IndexerSettings.model_validate(given | more)


async def test_it_reports_each_difference_and_changes_nothing(
    chain: Audited, redis: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with chain.ingesting():
        await chain.round()
        assert await verify_state.run(settings(chain, redis_url), redis) == 0
        assert "all equal" in capsys.readouterr().err
        victim = next(i for i, s in chain.sim.network.contract.state.streams.items() if s.active)
        chain.sim.network.alter(victim, rate=999_999)
        before = await chain.kinds()
        with capture_logs():  # a process writes them to stderr
            assert await verify_state.run(settings(chain, redis_url), redis) == 1
    out, err = capsys.readouterr()
    [difference] = [orjson.loads(line) for line in out.splitlines()]
    assert (difference["where"], difference["what"]) == (f"stream {victim}", "rate")
    assert difference["expected"] == "999999"
    assert "1 differences" in err
    assert await chain.kinds() == before


async def test_an_unknown_stream_is_missing(
    chain: Audited, redis: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with chain.ingesting():
        await chain.has_read_all()
        assert await verify_state.run(settings(chain, redis_url), redis) == 1
    assert '"what":"missing"' in capsys.readouterr().out


async def test_what_cannot_be_compared_is_told(
    chain: Audited, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandFailedError, match="needs RPC_URL"):
        await verify_state.run(settings(chain, redis_url, rpc_url=""), redis)
    monkeypatch.setattr(verify_state, "_PATIENCE", 0.1)
    with pytest.raises(SourceError, match=r"has read nothing yet, for 0\.1 s"):
        await verify_state.run(settings(chain, redis_url), redis)


@pytest.mark.parametrize(
    "wrong", [[], ["--state", "--from", "5"], ["--from", "5"], ["--state", "--to", "5"]]
)
def test_a_range_and_the_state_exclude_each_other(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        arguments(wrong)
    assert exit_.value.code == 2
    assert arguments(["--state"]).state
