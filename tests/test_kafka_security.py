"""A broker that asks for a password over TLS lets Tumen in with its settings, and nobody else."""

import gc
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka_broker import Broker, make_bare_topics, new_settings, require_tools
from tumen.bus import Output
from tumen.bus_kafka import KafkaBus
from tumen.errors import Refused
from tumen.settings import KafkaSettings, load_settings

PASSWORD = "canary-password"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a SASL_SSL listener, and the certificate to trust."""
    require_tools()
    certificate, key, both = tmp_path / "broker.crt", tmp_path / "broker.key", tmp_path / "broker.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files], check=True, capture_output=True
    )
    both.write_text(key.read_text() + certificate.read_text())
    plain, controller, secure = free_port(), free_port(), free_port()
    more = tmp_path / "more.properties"
    more.write_text(f"""
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},SECURE://127.0.0.1:{secure}
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_tumen="{PASSWORD}";
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={both}
""")
    broker = Broker(tmp_path / "kafka", more)
    broker.bootstrap = f"127.0.0.1:{plain}"
    broker.start()
    yield f"localhost:{secure}", certificate
    broker.stop()


def settings_from_files(folder: Path, bootstrap: str, certificate: Path, password: str) -> KafkaSettings:
    """As a user sets them: in tumen.toml, the password in a file of its own."""
    secret = folder / "kafka_password"
    secret.write_text(password + "\n")
    secret.chmod(0o600)
    toml = folder / "tumen.toml"
    toml.write_text(f"""
[kafka]
bootstrap = "{bootstrap}"
security_protocol = "SASL_SSL"
sasl_mechanism = "PLAIN"
sasl_username = "tumen"
sasl_password_file = "kafka_password"
ssl_cafile = "{certificate}"
request_timeout = 5
""")
    return load_settings(toml).kafka


# the client leaves the sockets of a refused handshake to the garbage collector: it is called before the test ends
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_and_a_password_from_a_file(secured: tuple[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bootstrap, certificate = secured
    good = settings_from_files(tmp_path, bootstrap, certificate, PASSWORD)
    good = good.model_copy(update={"prefix": new_settings(bootstrap).prefix})
    make_bare_topics(good, {"a": 1}, {"g": 1})
    with KafkaBus(good) as bus:
        bus.join("g", ["a"]).commit({}, [Output("a", "k", b"through")], {"k": b"v"})
        assert [record.value for record in bus.read("a", 0, 10)] == [b"through"]
    wrong = settings_from_files(tmp_path, bootstrap, certificate, PASSWORD + "-wrong")
    stranger = good.model_copy(update={"ssl_cafile": None})
    for settings in (wrong, stranger):
        with pytest.raises(Refused) as refused:
            KafkaBus(settings)
        assert "canary" not in f"{refused.value}{refused.value.__cause__!r}"
        del refused
    assert "canary" not in caplog.text + repr(good)
    gc.collect()
