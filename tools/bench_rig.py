"""What the benches and the kill loop share: modems and a carrier, a gateway on a chosen store, clients that keep their connections; and
the row that a figure is told in.

Everything runs as its users run it, as processes of their own. It judges nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MMSC_HOST = "mmsc.bench"
READY_SECONDS = 60.0  # a hang guard, not a measure
PORTS = (20_000, 32_000)  # below the ports that the system gives to clients: one that waits for a door must not connect to itself
NOBODY = "a-port-that-is-not-there"
CLIENTS = 8
TEXT = "A camera has seen something at the door, and this is what it says of it. " * 3


@dataclass
class Row:
    """One measured figure. `seen` in `unit`; `target` as the issue states it, for the reader's eye only."""

    name: str
    seen: float
    unit: str
    target: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def shown(row: Row) -> str:
    def figure(value: Any) -> str:
        return f"{value:.2f}" if isinstance(value, float) else str(value)

    more = ", ".join(f"{key} {figure(value)}" for key, value in row.more.items() if not isinstance(value, list))
    return f"{row.name:<48} {row.seen:>9.3f} {row.unit:<6} {row.target:<20} {more}"


def resident(pid: int, name: str) -> float:
    """MB of VmRSS or VmHWM (the most since the last reset)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def quiet_port() -> int:
    """A free port that no client is given by the system."""
    for _ in range(200):
        port = random.randint(*PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise SystemExit("no free port")


@dataclass(frozen=True)
class Place:
    """Where one gateway lives, again and again.

    url    of its store; "" for the SQLite file in its folder
    lines  the modem's port of each line, by the line's name
    """

    folder: Path
    url: str
    lines: Mapping[str, Path | str]
    web: int
    mm1: int

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text().strip()

    def write_config(self, max_size: int) -> None:
        lines = [
            {
                "name": name,
                "min_interval": 0,
                "modem": {"port": str(port)},
                "carrier": {"apn": "bench", "mmsc": f"http://{MMSC_HOST}/mms", "max_size": max_size},
            }
            for name, port in self.lines.items()
        ]
        settings: dict[str, Any] = {
            "mm1": {"listen": f"127.0.0.1:{self.mm1}"},
            "web": {"listen": f"127.0.0.1:{self.web}", "token_file": "token", "open_metrics": True},
            "lines": lines,
            "limits": {"per_hour": 0, "per_day": 0},
        }
        if self.url:
            settings["store"] = {"url": self.url}
        self.config.write_text(json.dumps(settings))  # JSON is YAML


def make_place(folder: Path, url: str = "", lines: Mapping[str, Path | str] | None = None, *, max_size: int = 307_200) -> Place:
    """With no line given, one whose modem is not there: such a gateway only accepts."""
    folder.mkdir(parents=True, exist_ok=True)
    place = Place(folder, url, lines or {"bench": folder / NOBODY}, quiet_port(), quiet_port())
    place.write_config(max_size)
    return place


def start(place: Place) -> subprocess.Popen[bytes]:
    """`mmsproxy serve`, just begun."""
    command = [sys.executable, "-m", "mmsproxy", "serve", "--config", str(place.config)]
    with (place.folder / "serve.log").open("ab") as out:
        return subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, cwd=place.folder, env={**os.environ, "MMSPROXY_LOG__LEVEL": "warning"}
        )


def until_answers(place: Place, process: subprocess.Popen[bytes], path: str = "/livez", status: int = 200) -> None:
    """Until the web door says `status` at `path`."""
    end = time.monotonic() + READY_SECONDS
    while not _says(place.web, path, status):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the gateway is not ready:\n{(place.folder / 'serve.log').read_text()[-4000:]}")
        time.sleep(0.005)


def _says(port: int, path: str, status: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def serving(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway that answers; ended in order."""
    process = start(place)
    try:
        until_answers(place, process)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for one that does not hear it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Client:
    """One connection to the web door, kept as long as it lasts. Raises OSError and http.client.HTTPException while nobody is there."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Status and body. A connection that broke is closed, and the next call opens another."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self._connection.request(method, path, body, {**self._headers, **more})
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer; ends the program on anything but 2xx."""
        status, answer = self.ask(method, path, None if body is None else json.dumps(body).encode())
        if not 200 <= status < 300:
            raise SystemExit(f"{method} {path}: HTTP {status}: {answer[:400]!r}")
        return json.loads(answer) if answer else None

    def pages(self, query: str = "") -> Iterator[dict[str, Any]]:
        """All messages, newest first."""
        cursor = ""
        while True:
            page = self.json("GET", f"/v1/messages?limit=200{query}{cursor}")
            yield from page["data"]
            if page["next_cursor"] is None:
                return
            cursor = f"&cursor={page['next_cursor']}"

    def close(self) -> None:
        self._connection.close()


def client_of(place: Place) -> Client:
    return Client(place.web, place.token)


def body(number: int, **more: Any) -> bytes:
    return json.dumps({"to": "+16195550123", "as": "mms", "text": f"{number}: {TEXT}", **more}).encode()


def crowd(place: Place, each: int) -> tuple[float, list[float]]:
    """CLIENTS clients send `each` messages; messages in a second, and the seconds of each request."""
    times: list[float] = []
    gate = threading.Barrier(CLIENTS + 1)

    def client(number: int) -> None:
        mine = client_of(place)
        accepted(mine, body(number))  # connects
        gate.wait()
        times.extend([accepted(mine, body(n)) for n in range(each)])
        mine.close()

    clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for one in clients:
        one.start()
    gate.wait()
    started = time.perf_counter()
    for one in clients:
        one.join()
    return CLIENTS * each / (time.perf_counter() - started), sorted(times)


def accepted(client: Client, octets: bytes) -> float:
    """Seconds from the request to its 202."""
    started = time.perf_counter()
    status, answer = client.ask("POST", "/v1/messages", octets)
    if status != 202:
        raise SystemExit(f"bench: HTTP {status}: {answer[:400]!r}")
    return time.perf_counter() - started


def pause(place: Place) -> None:
    """The kill switch: nothing leaves."""
    client_of(place).json("POST", "/v1/pause", {})


def simulated(folder: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    """`mmsproxy simulate ...`, just begun."""
    with (folder / f"{name}.log").open("ab") as out:
        return subprocess.Popen([sys.executable, "-m", "mmsproxy", "simulate", *arguments], stdout=out, stderr=subprocess.STDOUT)


def until(what: Any, seconds: float = READY_SECONDS) -> None:
    """Ends the program when `what` does not come true."""
    limit = time.monotonic() + seconds
    while not what():
        if time.monotonic() > limit:
            raise SystemExit(f"not within {seconds} s")
        time.sleep(0.01)


def pace(line_rate: int = 0, rtt: float = 0.0, activation: float = 0.0) -> tuple[str, ...]:
    """Arguments of `mmsproxy simulate modem`: baud (0: unpaced), seconds, seconds."""
    return "--line-rate", str(line_rate), "--rtt", str(rtt), "--activation", str(activation)


@contextlib.contextmanager
def carrier(
    folder: Path, dialects: tuple[str, ...], *, rtt: float = 0.0, arguments: tuple[str, ...] | None = None
) -> Iterator[tuple[dict[str, Path], Path]]:
    """An MMSC with a wire ledger and modems in front of it; yields the modems' ports by line name, and the ledger's folder.

    rtt        seconds, of unpaced modems
    arguments  of `mmsproxy simulate modem`, in its place
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, ledger = quiet_port(), folder / "ledger"
    ledger.mkdir()
    ports = {f"{dialect}-{n}": folder / f"modem-{n}" for n, dialect in enumerate(dialects)}
    started = [simulated(folder, "mmsc", "mmsc", "--listen", f"127.0.0.1:{port}", "--store", str(ledger))]
    try:
        for (name, link), dialect in zip(ports.items(), dialects, strict=True):
            host = f"{MMSC_HOST}=127.0.0.1:{port}"
            started.append(
                simulated(folder, name, "modem", "--dialect", dialect, "--link", str(link), "--host", host, *(arguments or pace(rtt=rtt)))
            )
        until(lambda: all(link.is_symlink() for link in ports.values()))
        yield ports, ledger
    finally:
        for process in started:
            end(process)
