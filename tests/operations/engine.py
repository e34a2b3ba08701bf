"""`docker` without containers: its commands start, stop and enter the processes of a `Composed`.

docker-compose itself reads the words and compose.yaml. Only what it would ask of the engine is done
here. A command or an option that is not known here fails.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import Callable, Coroutine, Iterable, Sequence
from graphlib import TopologicalSorter
from typing import Any

from tests.deploy.composed import Composed
from tests.deploy.dockerfile import stages
from tests.deploy.replica import Running
from tests.operations import tools
from tests.operations.docker_words import IMAGE, PARSERS, split
from tests.operations.terminal import Call, Result, UnknownCommandError
from tests.support.programs import needed

FOREIGN = {"prometheus", "grafana", "alertmanager"}
"""Services whose programs are not on this machine. Commands for them are read, not carried out."""
CHANGED = {"DRAIN_SECONDS": "1"}
"""Variables that have another value in the tests, so that they take less time."""


class Engine:
    """Replicas of the services, each a process. `only` names the services that it has, or all.

    `changed` is called after each command of compose.
    """

    def __init__(self, composed: Composed, only: Iterable[str] = ()) -> None:
        self.composed = composed
        self.changed: Callable[[], None] = lambda: None
        self._only = frozenset(only)
        self._services: dict[str, Any] = {}
        self._hashes: dict[str, str] = {}
        self._builds: dict[str, str] = {}
        self._tags: set[str] = set()
        self._version = ""
        self.done: dict[tuple[str, ...], Result] = {}
        self._made_from: dict[str, tuple[str, str]] = {}

    async def carry_out(self, call: Call) -> Result:
        """Carry out one command of docker."""
        match call.words[1:]:
            case ["compose", *words]:
                result = await self._compose(call, words)
                self.changed()
                return result
            case ["stop", *ids]:
                await asyncio.gather(*(self._end(*self._by_id(each)) for each in ids))
                return Result(0)
            case ["rm", "-f", *ids]:
                for each in ids:
                    await self._end(*self._by_id(each))
                    await self.composed.remove(*self._by_id(each))
                return Result(0)
            case ["rm", *ids]:
                for each in ids:
                    assert not _runs(self._by_id(each)[1]), f"{each} runs"
                    await self.composed.remove(*self._by_id(each))
                return Result(0)
            case ["logs", "--tail", tail, container]:
                return Result(0, _printed(_log(self._by_id(container)[1], int(tail))))
            case ["build", *words]:
                return self._image(words)
            case ["push", tag]:
                assert tag in self._tags, f"nothing was built as {tag}"
                return Result(0)
        raise UnknownCommandError("docker")

    def _image(self, words: list[str]) -> Result:
        given = IMAGE.parse_args(words)
        assert given.f == ["deploy/Dockerfile"]
        assert given.context == "."
        assert set(given.target) <= set(stages()), given.target
        self._tags.update(given.t)
        return Result(0)

    async def _compose(self, call: Call, words: list[str]) -> Result:
        refused = await tools.understood_by_compose(call, words)
        if refused is not None:
            return refused
        self._version = (await tools.run(call, [needed("git"), "rev-parse", "HEAD"])).text
        options, command, rest = split(words)
        services, self._hashes = await tools.project(call, options)
        own = (self._only or set(services)) - FOREIGN
        self._services = {name: each for name, each in services.items() if name in own}
        for service in self._services.values():
            given = service.get("environment", {})
            given.update({k: v for k, v in CHANGED.items() if k in given})
        if command not in PARSERS:
            raise UnknownCommandError(f"docker compose {command}")
        given = vars(PARSERS[command].parse_args(rest))
        asked = given["services"] if "services" in given else [given["service"]]
        assert set(asked) <= set(services), f"no such service: {asked}"
        commands: dict[str, Callable[..., Coroutine[Any, Any, Result]]] = {
            "up": self._up, "stop": self._stop, "start": self._begin, "restart": self._restart,
            "ps": self._ps, "logs": self._logs, "build": self._build,
        }  # fmt: skip
        if command in ("exec", "run"):
            return await self._enter(call, given, must_run=command == "exec")
        return await commands[command](given, self._in_order(given["services"]))

    def _in_order(self, asked: Sequence[str]) -> list[str]:
        """These services or all, those first that others need."""
        needs = {name: set(each.get("depends_on", ())) for name, each in self._services.items()}
        order = TopologicalSorter(needs).static_order()
        return [name for name in order if name in (asked or self._services)]

    async def _up(self, given: dict[str, Any], names: list[str]) -> Result:
        if given["build"]:
            await self._build(given, names)
        counts = {name: _wanted(self._services[name]) for name in names}
        for scale in given["scale"]:
            name, _, number = scale.partition("=")
            counts[name] = int(number)
        self.composed.services.update(self._services)
        for name in names:
            await self._converge(name, counts[name], recreates=not given["no_recreate"])
            if given["wait"] or name == "redis":  # the others wait for a healthy Redis
                await self.composed.until_healthy(name)
        if given["wait"]:
            for name in names:
                await self.composed.until_healthy(name)
        return Result(0)

    async def _converge(self, name: str, count: int, *, recreates: bool) -> None:
        """Make the replicas of a service what `docker compose up` makes them."""
        service = self._services[name]
        current = self._hashes[name], self._image_of(name)
        replicas = self.composed.running.get(name, [])
        for each in replicas:
            self._made_from.setdefault(each.address, current)
        while len(replicas) > count:  # first the replicas of another image or other settings
            last = min(reversed(replicas), key=lambda r: self._made_from[r.address] == current)
            await self._end(name, last)
            await self.composed.remove(name, last)
        if recreates and any(self._made_from[r.address] != current for r in replicas):
            await self.composed.recreate(name, service)
            self._made_from.update({each.address: current for each in replicas})
        elif any(not _runs(each) for each in replicas):
            await self.composed.start(name)
        while len(self.composed.running.get(name, [])) < count:
            added = self.composed.add(name, service)
            self._made_from[added.address] = current

    def _image_of(self, name: str) -> str:
        """The version of a service's image. A new simulated network would begin another chain."""
        ours = "build" in self._services[name] and name != "network"
        return self._builds.setdefault(name, self._version) if ours else ""

    async def _stop(self, _: dict[str, Any], names: list[str]) -> Result:
        for name in reversed(names):
            if name in self.composed.running:
                await self.composed.stop(name)
        return Result(0)

    async def _begin(self, _: dict[str, Any], names: list[str]) -> Result:
        for name in names:
            await self.composed.start(name)
        return Result(0)

    async def _restart(self, given: dict[str, Any], names: list[str]) -> Result:
        await self._stop(given, names)
        return await self._begin(given, names)

    async def _build(self, _: dict[str, Any], names: list[str]) -> Result:
        """Build images. They are others than before if another version was checked out."""
        self._builds.update(dict.fromkeys(names, self._version))
        return Result(0)

    async def _ps(self, given: dict[str, Any], names: list[str]) -> Result:
        assert given["format"] in ([], ["{{.Service}}"])
        lines = [] if given["quiet"] or given["format"] else ["NAME  SERVICE  STATUS"]
        for name in names:
            running = filter(_runs, self.composed.running.get(name, ()))
            for number, replica in enumerate(running, 1):
                shown = f"headrace-{name}-{number}  {name}  Up (healthy)"
                lines.append(_id(replica) if given["quiet"] else name if given["format"] else shown)
        return Result(0, _printed(lines))

    async def _logs(self, given: dict[str, Any], names: list[str]) -> Result:
        tail = int(given["tail"][-1]) if given["tail"] else 0
        lines = [
            f"{name}  | {line}"
            for name in names
            for replica in self.composed.running.get(name, ())
            for line in _log(replica, tail)
        ]
        return Result(0, _printed(lines))

    async def _enter(self, call: Call, given: dict[str, Any], *, must_run: bool) -> Result:
        name = given["service"]
        assert not must_run or any(map(_runs, self.composed.running[name])), f"{name} is stopped"
        more = dict(self._variable(call, each) for each in given["e"])
        command = given["command"]
        if given.get("d"):
            (container,) = given["name"]
            service = self._services[name]
            self.composed.add(container, {**service, "environment": service["environment"] | more})
            return Result(0, _printed([container]))
        code, output, errors = await self.composed.run(name, command, call.stdin, **more)
        self.done[name, *command] = Result(code or 0, output, errors)
        return self.done[name, *command]

    def _variable(self, call: Call, given: str) -> tuple[str, str]:
        """The variable of `-e NAME=value`, or of `-e NAME`: then compose's own one."""
        name, has_value, value = given.partition("=")
        value = value if has_value else call.environment[name]
        return name, self.composed.addresses.put(value, self._services, {})

    def _by_id(self, wanted: str) -> tuple[str, Running]:
        for name, replicas in self.composed.running.items():
            for each in replicas:
                if wanted in (_id(each), name):
                    return name, each
        raise UnknownCommandError(f"no such container: {wanted}")

    async def _end(self, name: str, replica: Running) -> None:
        replica.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(replica.process.wait, 40) == 0, f"{name}: {replica.log}"


def _wanted(service: dict[str, Any]) -> int:
    """The number of replicas in the file."""
    return int(service.get("scale", service["deploy"].get("replicas", 1)))


def _runs(replica: Running) -> bool:
    return replica.process.poll() is None


def _log(replica: Running, tail: int) -> list[str]:
    return (replica.workdir / "log").read_text(errors="replace").splitlines()[-tail:]


def _printed(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _id(replica: Running) -> str:
    return hashlib.sha256(replica.address.encode()).hexdigest()[:12]
