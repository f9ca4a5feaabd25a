"""The gateway as its users run it: `mmsproxy serve` in a process of its own, on ports that the system chose; and the same gateway inside
the test, where it matters what the carrier got or how it answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mmsproxy import config
from mmsproxy.post.job import AT_REST
from mmsproxy.server import Gateway
from mmsproxy.simulator.world import World

READY_SECONDS = 60


@dataclass
class Serving:
    """A running gateway. `output` is everything it printed before it was ready."""

    process: subprocess.Popen[str]
    folder: Path
    output: str
    mm1: str
    web: str

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text().strip()

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def _ready(process: subprocess.Popen[str], log: Path) -> str:
    end = time.monotonic() + READY_SECONDS
    while "Try next:" not in log.read_text():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"serve is not ready:\n{log.read_text()}")
        time.sleep(0.02)
    return log.read_text()


@pytest.fixture
def serve(tmp_path: Path, root: Path) -> Iterator[Callable[..., Serving]]:
    """serve(rest_of_the_config, *arguments, folder=...) -> Serving. The doors are on free ports; `rest` is YAML for the other sections."""
    with contextlib.ExitStack() as stack:

        def start(rest: str = "", *arguments: str, mm1: str = "listen: 127.0.0.1:0", env: dict[str, str] | None = None) -> Serving:
            config = tmp_path / "config.yaml"
            config.write_text(f"mm1: {{{mm1}}}\nweb: {{listen: 127.0.0.1:0, token_file: token}}\n{rest}\n")
            log = tmp_path / "serve.log"
            out = stack.enter_context(log.open("w"))
            command = [sys.executable, "-m", "mmsproxy", "serve", "--config", str(config), *arguments]
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True, cwd=root, env=os.environ | (env or {}))
            stack.callback(_end, process)
            output = _ready(process, log)
            doors = re.findall(r"http://127\.0\.0\.1:\d+", output)
            return Serving(process, tmp_path, output, doors[0], doors[1])

        yield start


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


FAST = "simulator: {dialect: sim7600, line_rate: 0, rtt: 0, activation: 0}"


@pytest.fixture(params=["sim7600", "sim800"])
def fast_simulator(request: pytest.FixtureRequest) -> str:
    """The simulator section of an unpaced modem, each dialect in turn."""
    return f"simulator: {{dialect: {request.param}, line_rate: 0, rtt: 0, activation: 0}}"


@dataclass
class House:
    """A whole gateway with a simulated modem and carrier in this process, and a client of its web door."""

    world: World
    gateway: Gateway
    http: aiohttp.ClientSession

    @property
    def web(self) -> str:
        return f"http://{self.gateway.web}"

    @property
    def token(self) -> str:
        return self.gateway.token_file.read_text().strip()

    @property
    def arrived(self) -> list[Any]:
        """What the carrier's MMSC got, each HTTP request; `pdu` is None for what is no PDU."""
        return list(self.world.mmsc.requests)

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(method, f"{self.web}{path}", headers=headers, **more) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def until(self, message_id: str, *states: str) -> dict[str, Any]:
        """The message once it is in one of `states`, by default in any that it stays in."""
        wanted = states or tuple(state.value for state in AT_REST)
        async with asyncio.timeout(30):  # a hang guard
            while (message := await self.ask("GET", f"/v1/messages/{message_id}"))["status"] not in wanted:
                await asyncio.sleep(0.02)
        return message  # type: ignore[no-any-return] # JSON


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[House]]]:
    """await house(rest_of_the_config) -> House. `rest` is YAML for other sections than doors and lines."""
    async with contextlib.AsyncExitStack() as stack:

        async def build(rest: str = "", dialect: str = "sim7600") -> House:
            world = await stack.enter_async_context(World(dialect, link=tmp_path / "ttySIM"))
            path = tmp_path / "config.yaml"
            path.write_text(
                "mm1: {listen: 127.0.0.1:0}\nweb: {listen: 127.0.0.1:0, token_file: token}\n"
                f"lines: [{{name: a, modem: {{port: {world.modem.path}}}, carrier: {{apn: internet, mmsc: '{world.mmsc_url}'}}}}]\n{rest}\n"
            )
            gateway = Gateway(config.load(path), base=tmp_path)
            await gateway.start()
            stack.push_async_callback(gateway.stop)
            return House(world, gateway, await stack.enter_async_context(aiohttp.ClientSession()))

        yield build
