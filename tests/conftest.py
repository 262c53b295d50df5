"""Shared fixtures.  `SHARED` is the folder of measuring material beside the checkout; where it is absent, the tests that need it skip."""

from pathlib import Path

import pytest

from tests.kafka_broker import kafka_bootstrap, own_broker, summary  # noqa: F401 - fixtures

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("needs the measuring material (../shared), which is not beside this checkout")
    return SHARED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    summary(terminalreporter)
