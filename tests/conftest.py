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


#: files whose tests take minutes: begun first, so that no process is left alone with one of them at the end
SLOW = ("test_worker", "test_kafka_faults", "test_end_to_end", "test_kafka_pipeline", "test_bus_kafka", "test_deploy", "test_bus_contract")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        name = item.path.stem
        return SLOW.index(name) if name in SLOW else len(SLOW)

    items.sort(key=rank)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    summary(terminalreporter)
