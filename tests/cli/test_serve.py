"""What `serve` says and where it puts things; the running gateway is in tests/e2e/test_serve.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmsproxy import config
from mmsproxy.cli import serve
from mmsproxy.errors import ConfigError
from mmsproxy.server import Gateway
from mmsproxy.trace import Trace

TWO_LINES = """\
lines:
  - {name: a, modem: {port: /dev/ttyA}, carrier: {apn: x, user: "u1234", mmsc: "http://mmsc.a:8002/m", proxy: "10.0.0.1:8080"}}
  - {name: b, modem: {port: /dev/ttyB}, carrier: {apn: x, mmsc: "http://mmsc.b/m"}}
"""


@pytest.fixture
def two_lines(tmp_path: Path) -> config.Settings:
    path = tmp_path / "config.yaml"
    path.write_text(TWO_LINES)
    return config.load(path)


def test_the_modem_connects_to_the_proxy_where_there_is_one(two_lines: config.Settings) -> None:
    assert [serve._host_connected_to(line) for line in two_lines.lines] == ["10.0.0.1", "mmsc.b"]


def test_each_modem_has_a_trace_of_its_own(two_lines: config.Settings, tmp_path: Path) -> None:
    taps = dict(serve.taps(two_lines, tmp_path / "new" / "trace.at"))
    for tap in taps.values():
        assert isinstance(tap, Trace)
        tap.close()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["trace.a.at", "trace.b.at"]


def test_a_trace_that_cannot_be_written_names_another(two_lines: config.Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--trace"):
        list(serve.taps(two_lines, tmp_path / "file" / "trace.at"))


async def test_the_banner_names_doors_token_lines_and_what_to_try(two_lines: config.Settings, tmp_path: Path) -> None:
    text = serve.banner(two_lines, Gateway(two_lines, base=tmp_path), tmp_path / "t.at")
    assert [word in text for word in ("http://127.0.0.1:8090/", "http://127.0.0.1:8091", "data/token", "/dev/ttyA", "t.at")] == [True] * 5
    assert "SIMULATED" not in text
    assert text.count("curl") == 2


async def test_the_banner_says_plainly_what_is_simulated(tmp_path: Path) -> None:
    settings = config.load(None)
    assert "SIMULATED: simulator" in serve.banner(settings, Gateway(settings, base=tmp_path), None)


def test_data_goes_beside_the_config_or_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert config.data_home() == tmp_path / "mmsproxy"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.data_home() == tmp_path / ".local" / "share" / "mmsproxy"
