"""Runs the clients of the benchmarks (swarm.c), and checks what they got."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from tests.bench.compiled import program
from tests.bench.processes import read_line

CONNECTED = '"type":"connected"'
"""What a client of a fanout reads first."""

_MAX_CONNECTIONS = 9_500
"""Connections of one swarm process, well below its limit of descriptors."""


class Swarm:
    """Processes (swarm.c) that together hold one connection for each path."""

    def __init__(
        self,
        port: int,
        paths: Sequence[str],
        *,
        headers: str = "",
        expected: int = 0,
        at_once: int = 200,
        greeting: str = CONNECTED,
    ) -> None:
        self._processes = []
        for source, first in enumerate(range(0, len(paths), _MAX_CONNECTIONS)):
            numbers = (port, source * 4, expected, at_once)
            words = [str(program("swarm")), *map(str, numbers), greeting, headers]
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert process.stdin
            own = paths[first : first + _MAX_CONNECTIONS]
            process.stdin.write("\n".join([*own, "", ""]).encode())
            process.stdin.flush()
            self._processes.append(process)

    async def connected(self) -> tuple[int, float]:
        """The number of connections, and the seconds that the slowest process needed."""
        lines = [await read_line(process) for process in self._processes]
        return sum(x["connected"] for x in lines), max(x["seconds"] for x in lines)

    async def stop(self) -> dict[str, list[float]]:
        """Stop the processes. Return the results."""
        self._tell_to_stop()
        return await self._result()

    async def finished(self, seconds: float = 60) -> dict[str, list[float]]:
        """Wait until each connection has the expected events. Stop the processes after `seconds`.

        So a server that is slow gets the time that it needs. Return the results.
        """
        deadline = asyncio.get_running_loop().call_later(seconds, self._tell_to_stop)
        try:
            return await self._result()
        finally:
            deadline.cancel()

    def _tell_to_stop(self) -> None:
        for process in self._processes:
            assert process.stdin
            with suppress(BrokenPipeError):  # it has ended by itself
                process.stdin.write(b"stop\n")
                process.stdin.flush()

    async def _result(self) -> dict[str, list[float]]:
        joined: dict[str, list[float]] = {}
        for process in self._processes:
            for name, value in (await read_line(process)).items():
                joined.setdefault(name, []).extend(value if isinstance(value, list) else [value])
            process.wait(10)
        return joined

    def close(self) -> None:
        """Kill the processes that still run."""
        for process in self._processes:
            process.kill()
            process.communicate(timeout=10)


def check(result: dict[str, list[float]], expected: int) -> None:
    """Raise RuntimeError unless every connection got all events in order and is still open."""
    wrong = sum(count != expected for count in result["events"])
    if wrong or any(result["disorder"]) or any(result["ended"]):
        raise RuntimeError(
            f"{wrong} of {len(result['events'])} connections did not get {expected} events "
            f"(from {min(result['events'])} to {max(result['events'])}), "
            f"{sum(result['disorder'])} out of order, {sum(result['ended'])} ended"
        )


def joined(results: Sequence[dict[str, list[float]]]) -> dict[str, list[float]]:
    """The results of several swarms as one."""
    names = results[0].keys()
    return {name: [x for result in results for x in result[name]] for name in names}
