"""config.yaml and the environment -> typed settings; every mistake at once, each as `config.yaml:4:5 lines.0.modem.baud - message`.

Rule 1: nothing is opened here but the file itself. Rule 2: unknown keys are mistakes. Rule 3: a mistake's line names its cure.
The environment overrides the file: `MMSPROXY_MM1__LISTEN`, `MMSPROXY_LINES__0__MODEM__PORT` (two underscores between the keys).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from mmsproxy.config_post import LimitsConfig, MediaConfig, OutboxConfig, Section, StoreConfig, WebhooksConfig
from mmsproxy.config_values import Address, Apn, Credential, HeaderText, ListenAddress, Networks, Number, Pin, Words, pattern
from mmsproxy.errors import ConfigError

ENV_PREFIX = "MMSPROXY_"
SIMULATOR_PORT = "simulator"
SIMULATOR_MMSC = "http://mmsc.simulator/mms/wapenc"
REAL_LINE_MIN_INTERVAL = 10.0  # seconds between two messages on a real SIM: carriers block lines that send like a machine (delivery.md 9)
DEFAULT_USER_AGENT = "Android MmsLib/1.0"  # what mmsd-tng and AOSP stacks send (mm1.md 7)
DEFAULT_UA_PROFILE = "http://www.gstatic.com/android/hangouts/hangouts_mms_ua_profile.xml"
MAX_CONFIG_BYTES = 1 << 20


class Mm1Config(Section):
    """The door for MMS software. `allow`: networks that may use it; empty means loopback only."""

    listen: ListenAddress = Address("127.0.0.1", 8090)
    allow: Networks = ()
    aliases: Words = ()
    rejected_as_http_error: Words = ()


class WebConfig(Section):
    """The door for scripts. `token_file` is made with a fresh token when it is not there; relative to the config file's folder.
    `open_metrics`: /metrics and /readyz ask for no token."""

    listen: ListenAddress = Address("127.0.0.1", 8091)
    token_file: Path = Path("data/token")
    hosts: Words = ()
    open_metrics: bool = False


class ModemConfig(Section):
    """The serial port, `auto`, or `simulator` for the built-in one. What the keys mean: mmsproxy/modem/settings.py."""

    port: str = SIMULATOR_PORT
    baud: int = Field(default=115200, ge=300, le=4_000_000)
    dialect: Literal["auto", "sim800", "sim7600", "sim7080", "quectel", "ublox", "telit"] = "auto"
    pin: Pin | None = None
    max_baud: int | None = Field(default=None, ge=300, le=4_000_000)
    flow_control: Literal["none", "rtscts"] = "none"
    transparent: bool = False
    reset_command: Annotated[str, Field(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _no_stream_without_flow_control(self) -> ModemConfig:
        if self.transparent and self.flow_control != "rtscts":
            raise ValueError("transparent needs flow_control: rtscts, or bytes vanish silently (docs/config.md)")
        return self


class HostConfig(Section):
    """A network interface of this host in place of a modem's AT sockets. What the keys mean: mmsproxy/host/interface.py."""

    interface: Annotated[str, pattern(r"[A-Za-z0-9_.-]{1,15}", "name an interface as `ip link` shows it, for example wwan0")]
    dns: Words = ()
    resolv_conf: str | None = None
    source: str | None = None

    @field_validator("dns", "source")
    @classmethod
    def _addresses(cls, value: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        for item in (value,) if isinstance(value, str) else value or ():
            try:
                ip_address(item)
            except ValueError:
                raise ValueError(f"{item!r} is no IP address") from None
        return value


class CarrierConfig(Section):
    """How to reach the carrier's MMSC. `max_size` in octets; None lets the carrier decide."""

    apn: Apn
    pdp_type: Literal["IP", "IPV6", "IPV4V6"] = "IP"
    user: Credential = ""
    password: Credential = ""
    mmsc: str
    proxy: str | None = None
    max_size: int | None = Field(default=None, ge=1024, le=2_097_152)
    headers: dict[Annotated[str, pattern(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", "no HTTP header name")], HeaderText] = Field(
        default_factory=dict
    )
    user_agent: HeaderText = DEFAULT_USER_AGENT
    ua_profile: HeaderText = DEFAULT_UA_PROFILE
    ua_profile_header: Literal["x-wap-profile", "Profile", "X-Wap-Profile", "profile"] = "x-wap-profile"
    nai: HeaderText = ""

    @field_validator("mmsc")
    @classmethod
    def _mmsc_is_a_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.username
            or re.search(r"[\x00-\x20\x7f-\U0010ffff\"<>]", value)
        ):
            raise ValueError("write the carrier's MMSC as http://host[:port]/path")
        if parts.port == 0:
            raise ValueError("port 0 cannot be connected to")
        return value

    @field_validator("proxy")
    @classmethod
    def _proxy_is_an_authority(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", value):
            raise ValueError("write the carrier's MMS proxy as host or host:port (port 80 when left out)")
        return value

    @model_validator(mode="after")
    def _no_tls_through_a_proxy(self) -> CarrierConfig:
        if self.proxy and self.mmsc.startswith("https:"):
            raise ValueError("an https MMSC is reached directly; leave `proxy` out")
        return self


class LineConfig(Section):
    """One SIM: its modem (or the interface that the system made of it) and its carrier. `min_interval` in seconds between two messages;
    None chooses 10 s for a real modem, else 0."""

    name: Annotated[str, pattern(r"[A-Za-z0-9_-]{1,40}", "a line's name has letters, digits, - and _")]
    number: Number | None = None
    modem: ModemConfig = ModemConfig()
    host: HostConfig | None = None
    carrier: CarrierConfig
    min_interval: float | None = Field(default=None, ge=0, le=86400)

    @property
    def is_simulated(self) -> bool:
        return self.host is None and self.modem.port == SIMULATOR_PORT

    @property
    def way(self) -> str:
        """How the line reaches its network, for people."""
        return self.modem.port if self.host is None else f"interface {self.host.interface}"

    @model_validator(mode="before")
    @classmethod
    def _the_simulator_brings_its_carrier(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        if data.get("host") is not None:
            if "modem" in data:
                raise ValueError("a line has a modem or a host interface, not both")
            return data
        modem = data.get("modem") or {}
        if (
            isinstance(modem, Mapping)
            and modem.get("port", SIMULATOR_PORT) == SIMULATOR_PORT
            and isinstance(data.get("carrier") or {}, Mapping)
        ):
            return {**data, "carrier": {"apn": "simulator", "mmsc": SIMULATOR_MMSC, **(data.get("carrier") or {})}}
        return data


class SimulatorConfig(Section):
    """The built-in modem and carrier. Rates in baud (0: unpaced), times in seconds."""

    dialect: Literal["sim800", "sim7600", "sim7080", "quectel", "ublox", "telit"] = "sim7600"
    line_rate: int = Field(default=115200, ge=0, le=4_000_000)
    rtt: float = Field(default=0.1, ge=0, le=60)
    activation: float = Field(default=1.0, ge=0, le=120)
    prompt_delay: float = Field(default=0.0, ge=0, le=10)
    accept_delay: float = Field(default=0.0, ge=0, le=10)
    answer: Literal["ok", "e0", "c0", "html", "empty", "500", "slow", "drop"] = "ok"


class DebugConfig(Section):
    """`trace` writes all that passes the modem to `trace_file`, masked unless `unmasked`."""

    trace: bool = False
    trace_file: Path = Path("data/trace.at")
    unmasked: bool = False


class LogConfig(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


def _simulated_line() -> tuple[LineConfig, ...]:
    return (LineConfig.model_validate({"name": "simulator", "number": "+15550100000"}),)


class _Environment(EnvSettingsSource):
    """Takes a list or a section that is not JSON as it is: its own check then says what is wrong with it."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class Settings(BaseSettings):
    """The whole configuration. With no line in it, one simulated line is there."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter="__", env_ignore_empty=False)

    mm1: Mm1Config = Mm1Config()
    web: WebConfig = WebConfig()
    lines: tuple[LineConfig, ...] = Field(default_factory=_simulated_line, max_length=64)
    store: StoreConfig = StoreConfig()
    limits: LimitsConfig = LimitsConfig()
    outbox: OutboxConfig = OutboxConfig()
    media: MediaConfig = MediaConfig()
    webhooks: WebhooksConfig = WebhooksConfig()
    simulator: SimulatorConfig = SimulatorConfig()
    debug: DebugConfig = DebugConfig()
    log: LogConfig = LogConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return _Environment(settings_cls), init_settings

    @field_validator("lines", mode="before")
    @classmethod
    def _lines_in_order(cls, value: Any) -> Any:
        # The file's list goes through the settings sources as a mapping of indexes, so that MMSPROXY_LINES__0__... can reach into it.
        if isinstance(value, Mapping) and value and all(str(key).isdigit() for key in value):
            return [value[key] for key in sorted(value, key=int)]
        return value or _simulated_line()

    @model_validator(mode="after")
    def _no_open_door(self) -> Settings:
        if not self.mm1.listen.is_loopback and not self.mm1.allow:
            raise ValueError(
                f"mm1.listen {self.mm1.listen} can be reached from outside this machine: "
                "name who may use it, for example mm1.allow: [192.168.1.0/24]"
            )
        if self.mm1.listen == self.web.listen and self.mm1.listen.port:
            raise ValueError("mm1.listen and web.listen are the same address; give each its own port")
        return self

    @model_validator(mode="after")
    def _each_line_its_own(self) -> Settings:
        names = [line.name for line in self.lines]
        ways = [line.way for line in self.lines if not line.is_simulated]
        for what, items in (("name", names), ("way to the network", ways)):
            twice = sorted({item for item in items if items.count(item) > 1})
            if twice:
                raise ValueError(f"two lines have the {what} {twice[0]!r}; give each its own")
        return self


def data_home() -> Path:
    """The folder that relative paths are relative to where there is no configuration file."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "mmsproxy"


def load(path: Path | None) -> Settings:
    """Settings from the file (None: defaults) and the environment. Raises ConfigError with all mistakes."""
    document = _read(path) if path is not None else CommentedMap()
    shown = str(path) if path is not None else "config"
    data = {str(key): value for key, value in document.items()}
    if hidden := [key for key in data if key.startswith("_")]:  # would be taken for one of BaseSettings' own arguments
        raise ConfigError((f"{shown}:1:1 {hidden[0]} - unknown key; see docs/config.md for the keys there are",))
    if isinstance(data.get("lines"), list):
        data["lines"] = {str(index): line for index, line in enumerate(data["lines"])}
    try:
        return Settings(**data)
    except ValidationError as error:
        raise ConfigError(tuple(_mistake(shown, document, item) for item in _ordered(error, document))) from None
    except SettingsError as error:
        raise ConfigError((f"environment - {error}",)) from None


def warnings(settings: Settings) -> Iterator[str]:
    """What is allowed but will not do what its writer hopes, one line each."""
    for index, line in enumerate(settings.lines):
        wanted = [name for name, value in line.carrier.headers.items() if "##LINE1" in value]
        if wanted and line.number is None:
            yield f"lines.{index}.number is missing: the header {wanted[0]} needs it and will be left out"
        if any("##NAI##" in value for value in line.carrier.headers.values()) and not line.carrier.nai:
            yield f"lines.{index}.carrier.nai is missing: a header needs it and will be left out"


def _read(path: Path) -> CommentedMap:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError((f"{path} - larger than {MAX_CONFIG_BYTES} bytes; is this the right file?",))
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError((f"{path} - {error.strerror or error}; name another file with --config",)) from None
    except UnicodeDecodeError:
        raise ConfigError((f"{path} - is not UTF-8 text",)) from None
    return _parse(path, text)


def _parse(path: Path, text: str) -> CommentedMap:
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}"
        problem = " ".join(str(error.problem or error.context or "not YAML").split())
        raise ConfigError((f"{where} - {problem}",)) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError((f"{path} - not YAML: {' '.join(str(error).split())[:200]}",)) from None
    if document is None:
        return CommentedMap()
    if not isinstance(document, CommentedMap):
        raise ConfigError((f"{path}:1:1 - the file must be a mapping such as `mm1: {{listen: 127.0.0.1:8090}}`",))
    return document


def _ordered(error: ValidationError, document: CommentedMap) -> list[Any]:
    return sorted(error.errors(include_url=False), key=lambda item: _position(document, item["loc"]))


def _mistake(shown: str, document: CommentedMap, item: Any) -> str:
    key = ".".join(str(step) for step in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = "unknown key; see docs/config.md for the keys there are"
    elif item["type"] == "missing":
        message = "is missing"
    variable = _variable(item["loc"])
    where = f"environment {variable}" if variable else "{}:{}:{}".format(shown, *_position(document, item["loc"]))
    return f"{where} {key} - {message}" if key else f"{where} - {message}"


def _variable(loc: tuple[Any, ...]) -> str | None:
    """The environment variable that gave the value at `loc`, or a section above it."""
    names = ["__".join(str(step) for step in loc[:depth]) for depth in range(len(loc), 0, -1)]
    given = {name.upper() for name in os.environ}
    return next((ENV_PREFIX + name.upper() for name in names if ENV_PREFIX + name.upper() in given), None)


def _position(document: Any, loc: tuple[Any, ...]) -> tuple[int, int]:
    """Line and column (from 1) of the deepest key of `loc` that stands in the file."""
    line, column = 0, 0
    node = document
    for step in loc:
        if isinstance(node, CommentedMap) and step in node:
            line, column = node.lc.key(step)
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line, column = node.lc.item(step)
        else:
            break
        node = node[step]
    return line + 1, column + 1
