"""Settings: the file, the environment, secrets from files; what is wrong is said in one line."""

from pathlib import Path

import pytest
import structlog.testing

from tumen.errors import ConfigError
from tumen.settings import Settings, load_settings
from tumen.watch.cues import LANGUAGES


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str) -> Settings:
    Path("tumen.toml").write_text(text, encoding="utf-8")
    return load_settings()


def test_no_file_is_the_defaults() -> None:
    settings = load_settings()
    assert settings.languages == LANGUAGES  # every language that has a cue file
    assert settings.data == Path.cwd() / "var"


def test_a_named_file_must_be_there() -> None:
    with pytest.raises(ConfigError, match=r"elsewhere\.toml: expected a settings file"):
        load_settings(Path("elsewhere.toml"))


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMEN_METRICS_PORT", "9200")
    monkeypatch.setenv("TUMEN_HTTP_ALLOW_PRIVATE", '["127.0.0.1:8000"]')
    settings = load('languages = ["it"]\n[metrics]\nport = 9100\nhost = "::1"\n')
    assert (settings.metrics.port, settings.metrics.host) == (9200, "::1")
    assert settings.http.allow_private == ("127.0.0.1:8000",)
    assert settings.languages == ("it",)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("[metrics]\nport = 99999\n", r"tumen.toml: metrics.port = 99999: .*less than or equal to 65535"),
        ("colour = 1\n", r"tumen.toml: colour = 1: .*not permitted"),
        ('[[feeds]]\nurl = "ftp://x"\n', r"tumen.toml: feeds.0.url = 'ftp://x': expected an http or https URL"),
        ('[translation]\nengine = "magic"\n', r"translation.engine = 'magic': .*'auto', 'apertium' or 'none'"),
        ("languages = [\n", r"tumen.toml: "),
    ],
)
def test_a_wrong_setting_is_one_line_with_key_value_and_what_was_expected(text: str, finding: str) -> None:
    with pytest.raises(ConfigError, match=finding) as error:
        load(text)
    assert all("\n" not in line for line in error.value.findings)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ('[http]\nallow_private = ["127.0.0.1"]', 'http.allow_private = .*expected "host:port" each'),
        ('[http]\nallow_private = ["127.0.0.1:0"]', 'expected "host:port" each'),
        ('[metrics]\nhost = "no host"', "metrics.host = 'no host'"),
        ('[bus]\nfile = "../elsewhere.db"', "bus.file = '../elsewhere.db'"),
        ('[bus]\nfile = ".."', "bus.file = '..'"),
    ],
)
def test_what_would_fail_later_is_refused_at_once(text: str, finding: str) -> None:
    with pytest.raises(ConfigError, match=finding):
        load(text)


def test_a_variable_that_is_no_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMEN_METRIC_PORT", "9200")
    monkeypatch.setenv("TUMEN_METRICS_PORT", "9201")
    with structlog.testing.capture_logs() as logs:
        load_settings()
    assert [entry["variable"] for entry in logs if entry["event"] == "not_a_setting"] == ["TUMEN_METRIC_PORT"]


def test_all_findings_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        load("colour = 1\n[metrics]\nport = -1\n")
    assert len(error.value.findings) == 2


def test_a_secret_comes_from_a_file_and_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "hook"
    secret.write_text("https://hooks.slack.com/services/CANARY\n", encoding="utf-8")
    secret.chmod(0o600)
    monkeypatch.setenv("TUMEN_SLACK_WEBHOOK_FILE", str(secret))
    settings = load_settings()
    assert settings.slack.webhook is not None
    assert settings.slack.webhook.get_secret_value().endswith("CANARY")
    assert "CANARY" not in repr(settings) + settings.model_dump_json()


def test_a_wrong_secret_is_not_quoted() -> None:
    with pytest.raises(ConfigError) as error:
        load('[slack]\nwebhook = ["CANARY"]\n')
    assert "CANARY" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        '[slack]\nwebhok = "https://hooks.slack.com/services/CANARY"\n',
        'slack = "https://hooks.slack.com/services/CANARY"\n',
        'slack_webhook = "https://hooks.slack.com/services/CANARY"\n',
        '[slak]\nwebhook = "https://hooks.slack.com/services/CANARY"\n',
        'feeds = [{ webhook = "https://hooks.slack.com/services/CANARY" }]\n',
    ],
)
def test_a_secret_under_a_misspelt_key_is_not_quoted(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(text)
    assert "CANARY" not in str(error.value)


def test_a_list_in_the_environment_that_is_no_json_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMEN_LANGUAGES", "it,en")
    with pytest.raises(ConfigError, match=r"languages.*expected JSON"):
        load_settings()


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"])
def test_an_unreadable_secret_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    secret = tmp_path / "hook"
    if content is not None:
        secret.write_bytes(content)
    monkeypatch.setenv("TUMEN_SLACK_WEBHOOK_FILE", str(secret))
    with pytest.raises(ConfigError, match=r"slack\.webhook_file: .*hook: expected a"):
        load_settings()


def test_an_unknown_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMEN_SLACK_TOKEN_FILE", "x")
    with pytest.raises(ConfigError, match=r"token_file = .*not permitted"):
        load_settings()


def test_kafka_from_the_environment_its_secrets_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "password"
    secret.write_text("hidden\n")
    secret.chmod(0o600)
    monkeypatch.setenv("TUMEN_KAFKA_BOOTSTRAP", "one:9092,two:9092")
    monkeypatch.setenv("TUMEN_KAFKA_SASL_PASSWORD_FILE", str(secret))
    monkeypatch.setenv("TUMEN_BUS_KIND", "kafka")
    settings = load_settings()
    assert (settings.bus.kind, settings.kafka.bootstrap) == ("kafka", "one:9092,two:9092")
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "hidden"
    assert "hidden" not in repr(settings)
    monkeypatch.setenv("TUMEN_KAFKA_MIN_INSYNC", "2")
    with pytest.raises(ConfigError, match="min_insync = 2: expected at most replication"):
        load_settings()
