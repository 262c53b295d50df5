"""Settings: `tumen.toml`, then the environment, then secrets from files.  The user's file; the topology is `pipeline.toml`.

Environment: ``TUMEN_<TABLE>_<KEY>`` (``TUMEN_METRICS_PORT=9200``).  A secret may
come from a file: ``TUMEN_SLACK_WEBHOOK_FILE=/run/secrets/slack``.
"""

import os
import re
import stat
from pathlib import Path
from typing import Any, Literal, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError, TomlConfigSettingsSource

from tumen.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent

log = structlog.get_logger(__name__)


class Table(BaseModel):
    """One table of tumen.toml: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FeedSettings(Table):
    """One feed.  `language` is a hint for short texts.  `every` is seconds between polls, None = `poll.every`."""

    url: str
    name: str | None = None
    language: str | None = None
    every: int | None = Field(default=None, ge=5)

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        if not re.match(r"https?://[^/\s]+", value):
            raise ValueError("expected an http or https URL")
        return value


class PollSettings(Table):
    """How feeds are polled: seconds between polls, entries taken from one answer."""

    every: int = Field(default=900, ge=5)
    max_entries: int = Field(default=1000, ge=1)


class HttpSettings(Table):
    """The one HTTP client.  `allow_private` names the only private addresses it may speak to, as "host:port"."""

    allow_private: tuple[str, ...] = ()
    user_agent: str = "Tumen/0.1 (news monitor)"
    connect_timeout: float = Field(default=10.0, gt=0)
    deadline: float = Field(default=30.0, gt=0)
    max_bytes: int = Field(default=5_000_000, gt=0)

    @field_validator("allow_private")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            host, _, port = address.rpartition(":")
            if not host or not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
                raise ValueError(f'expected "host:port" each, as in "127.0.0.1:8080", got {address!r}')
        return value


class TranslationSettings(Table):
    """`engine`: "auto" takes the best one present for each language, "none" leaves everything untranslated and says so."""

    engine: Literal["auto", "apertium", "none"] = "auto"
    timeout: float = Field(default=20.0, gt=0)


class SlackSettings(Table):
    """An Incoming Webhook, best kept in a file of its own (`webhook_file`).

    `host` is what its URL must start with; a test may name its own.
    """

    webhook: SecretStr | None = None
    webhook_file: Path | None = None
    host: str = "https://hooks.slack.com/"


class AlertSettings(Table):
    """Who is told what.  News older than `recency_hours` is kept in the archive but told to nobody."""

    recency_hours: float = Field(default=48.0, gt=0)


class MetricsSettings(Table):
    """Where /metrics is served; port 0 takes a free one and says which."""

    host: str = Field(default="127.0.0.1", pattern=r"^[0-9A-Za-z.:-]+$")
    port: int = Field(default=9108, ge=0, le=65535)


class LogSettings(Table):
    """`format`: "auto" is readable on a terminal, JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class BusSettings(Table):
    """`kind`: "embedded" is one SQLite file (`file`) in the data folder, "kafka" the brokers of the `kafka` table.

    A node stops reading when a reader of its output lags by `max_lag`.
    `drain_seconds`: how long an ending process waits for what it has begun.
    """

    kind: Literal["embedded", "kafka"] = "embedded"
    file: str = Field(default="bus.db", pattern=r"^[^/\\]*[^/\\.][^/\\]*$", description="a name, in the data folder")
    max_lag: int = Field(default=10_000, ge=1)
    batch: int = Field(default=100, ge=1)
    tick_seconds: float = Field(default=60.0, gt=0)
    drain_seconds: float = Field(default=15.0, gt=0)


class KafkaSettings(Table):
    """Where the brokers are, how to be let in, and what the topics are like.  Times are seconds.

    `partitions` of the topics that may have many is fixed when they are created: keys must not move away from their state.
    `instance` names this worker for good (static membership): it may be away for `session_timeout` without its work being given to others.
    `replication` 3 with `min_insync` 2 survives the loss of a broker; 1 and 1 are for a single one.
    """

    bootstrap: str = "localhost:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_password: SecretStr | None = None
    ssl_password_file: Path | None = None
    prefix: str = Field(default="tumen.", pattern=r"^[a-zA-Z0-9._-]{0,100}$")
    partitions: int = Field(default=4, ge=1, le=1000)
    replication: int = Field(default=1, ge=1)
    min_insync: int = Field(default=1, ge=1)
    max_message_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    instance: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9._-]{1,100}$")
    session_timeout: float = Field(default=30.0, gt=0)
    max_poll_interval: float = Field(default=300.0, gt=0)
    request_timeout: float = Field(default=15.0, gt=0)
    transaction_timeout: float = Field(default=60.0, gt=0)
    commit_timeout: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _writable(self) -> Self:
        if self.min_insync > self.replication:
            raise ValueError(
                f"min_insync = {self.min_insync}: expected at most replication ({self.replication}), or nothing can be written"
            )
        return self


class Settings(BaseSettings):
    """Everything a user may set.  Paths are taken from the folder of tumen.toml."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="TUMEN_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        nested_model_default_partial_update=True,
    )

    data: Path = Path("var")
    watch: str = "russia-dprk"
    languages: tuple[str, ...] = Field(min_length=1, default=("it", "en", "ru", "ko", "uk", "fr", "de", "es", "pl", "ja", "zh", "vi"))
    spacy: dict[str, str] = Field(default_factory=dict, description="a trained pipeline per language, used when present")
    feeds: tuple[FeedSettings, ...] = ()
    files: tuple[Path, ...] = ()
    realm: Literal["live", "sample"] = "live"
    poll: PollSettings = PollSettings()
    http: HttpSettings = HttpSettings()
    translation: TranslationSettings = TranslationSettings()
    slack: SlackSettings = SlackSettings()
    alerts: AlertSettings = AlertSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    bus: BusSettings = BusSettings()
    kafka: KafkaSettings = KafkaSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic-settings'
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


#: (table, key): each may come from the file that `<key>_file` names
SECRETS = {("slack", "webhook"), ("kafka", "sasl_password"), ("kafka", "ssl_password")}


def read_secret(path: Path, where: str) -> str:
    """The text of a secret's file, stripped.  Warns when others may read it.  Raises `ConfigError` naming `where`, never the secret."""
    try:
        text = path.read_text(encoding="utf-8").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {path}: expected a readable text file ({type(error).__name__})") from None
    if not text:
        raise ConfigError(f"{where}: {path}: expected a secret, the file is empty")
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        log.warning("secret_readable_by_others", file=str(path), do="chmod 600")
    return text


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Settings from `path` (default: tumen.toml in the working folder, if it is there), the environment and `overrides`.

    Raises `ConfigError`, one line per finding: key, value, what was expected.
    """
    file = path or Path("tumen.toml")
    if path is not None and not path.is_file():
        raise ConfigError(f"{path}: expected a settings file (tumen.toml)")
    base = file.resolve().parent

    class Located(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        settings = Located(**overrides)
    except ValidationError as error:
        raise ConfigError(*(_finding(str(file), e) for e in error.errors(include_url=False))) from None
    except SettingsError as error:  # a list or table in the environment that is no JSON; the value may be a secret and is not quoted
        raise ConfigError(f'environment: {error}: expected JSON, such as ["it", "en"]') from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: expected a text in UTF-8") from None
    except ValueError as error:  # tomllib's message has line and column
        raise ConfigError(f"{file}: {error}") from None
    _warn_of_strangers(settings)
    located = {"data": base / settings.data, "files": tuple(base / f for f in settings.files)}
    return settings.model_copy(update={**located, **_secrets_from_files(settings, base)})


def _warn_of_strangers(settings: Settings) -> None:
    """A variable that looks like a setting and is none.  No error: an orchestrator may give variables of that name (TUMEN_SERVICE_HOST)."""
    known = tuple(f"TUMEN_{name}".upper() for name in type(settings).model_fields)
    for name in sorted(os.environ):
        if name.upper().startswith("TUMEN_") and not name.upper().startswith(known):
            log.warning("not_a_setting", variable=name, expected="TUMEN_<TABLE>_<KEY>, see the README")


def _secrets_from_files(settings: Settings, base: Path) -> dict[str, Any]:
    """The tables whose secret is named as a file, with the secret read."""
    tables: dict[str, Any] = {}
    for table, name in sorted(SECRETS):
        values = tables.get(table, getattr(settings, table))
        path = getattr(values, f"{name}_file")
        if path is not None:
            secret = read_secret(base / path, f"{table}.{name}_file")
            tables[table] = values.model_copy(update={name: SecretStr(secret)})
    return tables


def _finding(file: str, error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    expected = error["msg"].removeprefix("Value error, ")
    return f"{file}: {key} = {_shown(error)}: {expected}"


def _shown(error: Any) -> str:
    """The value of a finding where it can be no secret: a misspelt key may be meant for one, and a table may hold one."""
    loc = tuple(str(part) for part in error["loc"])
    value = error.get("input")
    if loc[:2] in SECRETS or (len(loc) == 1 and loc[0] in {table for table, _ in SECRETS}):
        return "(a secret)"
    if (error["type"] == "extra_forbidden" and not isinstance(value, int | float)) or isinstance(value, dict | BaseModel):
        return "(not shown)"
    return repr(value)[:80]
