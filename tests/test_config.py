"""config.py: what is read, what the environment overrides, and that every mistake is told at once with its place and cure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsproxy import config
from mmsproxy.errors import ConfigError

REAL = """\
mm1: {listen: "192.168.1.5:8090", allow: [192.168.1.0/24]}
lines:
  - name: mint
    number: "+16195550123"
    modem: {port: /dev/ttyUSB2, baud: 115200, pin: "0123"}
    carrier:
      apn: Wholesale
      mmsc: http://wholesale.mmsmvno.com/mms/wapenc
      headers: {X-MDN: "##LINE1##"}
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    return [line.removeprefix(f"{path}") for line in caught.value.mistakes]


def test_a_real_line(write) -> None:
    loaded = config.load(write(REAL))
    line = loaded.lines[0]
    assert (line.name, line.modem.pin, line.modem.port, line.is_simulated) == ("mint", "0123", "/dev/ttyUSB2", False)
    assert str(loaded.mm1.allow[0]) == "192.168.1.0/24"
    assert loaded.mm1.listen == ("192.168.1.5", 8090)
    assert list(config.warnings(loaded)) == []


def test_a_line_over_an_interface_of_the_host(write) -> None:
    line = config.load(write("lines: [{name: a, host: {interface: wwan0, dns: [10.0.0.1]}, carrier: {apn: x, mmsc: 'http://m/'}}]")).lines[
        0
    ]
    assert (line.is_simulated, line.way) == (False, "interface wwan0")


def test_no_file_and_an_empty_file_give_one_simulated_line(write) -> None:
    for loaded in (config.load(None), config.load(write("")), config.load(write("lines: []"))):
        assert [line.is_simulated for line in loaded.lines] == [True]
        assert loaded.lines[0].carrier.mmsc == config.SIMULATOR_MMSC
        assert (str(loaded.mm1.listen), str(loaded.web.listen)) == ("127.0.0.1:8090", "127.0.0.1:8091")


def test_the_shipped_example_is_good(root: Path) -> None:
    loaded = config.load(root / "config.yaml")
    assert loaded.lines[0].is_simulated
    assert list(config.warnings(loaded)) == []


def test_every_mistake_at_once_in_the_order_of_the_file(write) -> None:
    path = write(
        "mm1:\n  listen: 8090\nlines:\n  - name: a\n    number: +16195550123\n    modem: {port: /dev/x, baud: fast}\n"
        "    carrier:\n      apn: 'x\"y'\n      mmsc: ftp://foo\n      foo: 1\nweb: {litsen: 3}\n"
    )
    found = mistakes(path)
    assert [line.split(" - ")[0] for line in found] == [
        ":2:3 mm1.listen",
        ":5:5 lines.0.number",
        ":6:27 lines.0.modem.baud",
        ":8:7 lines.0.carrier.apn",
        ":9:7 lines.0.carrier.mmsc",
        ":10:7 lines.0.carrier.foo",
        ":11:7 web.litsen",
    ]
    assert "quotes" in found[1]
    assert "unknown key" in found[-1]


@pytest.mark.parametrize(
    ("text", "place", "cure"),
    [
        ("mm1: {listen: 0.0.0.0:8090}", "", "mm1.allow"),
        ("mm1: {listen: 127.0.0.1:8091}", "", "own port"),
        ("mm1: {listen: example.com:80}", ":1:7 mm1.listen", "IP address"),
        ("mm1: {listen: 127.0.0.1:65536}", ":1:7 mm1.listen", "HOST:PORT"),
        ("mm1: {allow: [10.0.0.1/8]}", ":1:7 mm1.allow", "host bits"),
        ("mm1: {allow: 3}", ":1:7 mm1.allow", "list of networks"),
        ("lines: [{name: a}, {name: a}]", "", "two lines have the name 'a'"),
        ("lines: [{name: 'a b'}]", ":1:10 lines.0.name", "letters"),
        ("lines: [{name: a, modem: {pin: 0123}}]", "lines.0.modem.pin", "quotes"),
        ("lines: [{name: a, modem: {port: /dev/x}}]", ":1:9 lines.0.carrier", "is missing"),
        ("lines: [{name: a, carrier: {mmsc: 'http://m/ x'}}]", "lines.0.carrier.mmsc", "http://host"),
        ("lines: [{name: a, carrier: {proxy: 'http://p:80'}}]", "lines.0.carrier.proxy", "host:port"),
        ("lines: [{name: a, carrier: {mmsc: 'https://m/', proxy: 'p:80'}}]", "lines.0.carrier", "directly"),
        ('lines: [{name: a, carrier: {headers: {X-A: "b\\r\\nX-B: c"}}}]', "lines.0.carrier.headers", "CR, LF"),
        ("lines: [{name: a, carrier: {password: 'a\"b'}}]", "lines.0.carrier.password", "double quote"),
        ("lines: [{name: a, modem: {transparent: true}}]", "lines.0.modem", "rtscts"),
        ("lines: [{name: a, modem: {dialect: nokia}}]", "lines.0.modem.dialect", "quectel"),
        ("lines: [{name: a, host: {interface: wwan0}}]", "lines.0.carrier", "is missing"),
        ("lines: [{name: a, host: {interface: 'a b'}, carrier: {apn: x, mmsc: 'http://m/'}}]", "lines.0.host.interface", "ip link"),
        ("lines: [{name: a, host: {interface: w, dns: [x]}, carrier: {apn: x, mmsc: 'http://m/'}}]", "lines.0.host.dns", "IP address"),
        ("lines: [{name: a, modem: {}, host: {interface: w}, carrier: {apn: x, mmsc: 'http://m/'}}]", "lines.0", "not both"),
        ("lines: 3", ":1:1 lines", ""),
        ("_env_file: x", ":1:1 _env_file", "unknown key"),
        ("a: [", ":1:5", ""),
        ("mm1: {}\nmm1: {}", ":2:1", ""),
        ("- 1", ":1:1", "mapping"),
        ("\x00", "", ""),
    ],
)
def test_a_mistake_names_its_place_and_cure(write, text: str, place: str, cure: str) -> None:
    found = mistakes(write(text))
    assert any(place in line and cure in line for line in found), found


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    assert "--config" in mistakes(tmp_path / "absent.yaml")[0]
    (tmp_path / "latin.yaml").write_bytes(b"log: {level: \xe9}")
    assert "UTF-8" in mistakes(tmp_path / "latin.yaml")[0]
    (tmp_path / "huge.yaml").write_bytes(b"#" * (config.MAX_CONFIG_BYTES + 1))
    assert "right file" in mistakes(tmp_path / "huge.yaml")[0]


def test_the_environment_overrides_the_file(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSPROXY_LINES__0__MODEM__BAUD", "9600")
    monkeypatch.setenv("MMSPROXY_MM1__ALLOW", "10.0.0.0/8, ::1/128")
    monkeypatch.setenv("MMSPROXY_DEBUG__TRACE", "true")
    monkeypatch.setenv("MMSPROXY_TOKEN", "not for this module")
    loaded = config.load(write(REAL))
    assert loaded.lines[0].modem.baud == 9600
    assert loaded.lines[0].modem.port == "/dev/ttyUSB2"
    assert [str(network) for network in loaded.mm1.allow] == ["10.0.0.0/8", "::1/128"]
    assert loaded.debug.trace is True


def test_a_mistake_in_the_environment_names_the_variable(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSPROXY_LINES__0__MODEM__BAUD", "fast")
    monkeypatch.setenv("MMSPROXY_WEB__LITSEN", "1")
    found = mistakes(write(REAL))
    assert any("environment MMSPROXY_LINES__0__MODEM__BAUD lines.0.modem.baud" in line for line in found), found
    assert any("environment MMSPROXY_WEB__LITSEN web.litsen" in line for line in found), found


def test_warnings_name_what_a_header_needs(write) -> None:
    loaded = config.load(write("lines: [{name: a, carrier: {headers: {X-MDN: '##LINE1##', Proxy-Authorization: 'Basic ##NAI##'}}}]"))
    assert [text.split(" is missing")[0] for text in config.warnings(loaded)] == ["lines.0.number", "lines.0.carrier.nai"]


_FRAGMENTS = st.sampled_from(
    [
        "mm1",
        "web",
        "lines",
        "listen",
        "name",
        "modem",
        "port",
        "carrier",
        "apn",
        ": ",
        "\n",
        "  ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "1",
        "x",
        '"',
        "'",
        "&a",
        "*a",
        "!!python/object",
        "#",
        "|",
        ">",
        "\t",
        "\x00",
        "é",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_FRAGMENTS, max_size=30).map("".join))
def test_no_file_breaks_the_reader(write, text: str) -> None:
    path = write(text)
    try:
        told = [line.modem.port for line in config.load(path).lines]
    except ConfigError as error:
        told = [line for line in error.mistakes if line.startswith(str(path))]
    assert told
