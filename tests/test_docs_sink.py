"""docs/adding-a-sink.md: what it tells a new engineer to write is written here, linted, checked, and run."""

import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import sinks
from tests.alertkit import alert, kit
from tumen.delivery import SinkGateway
from tumen.pipeline import PIPELINE, build_node, load_topology
from tumen.runner import Node
from tumen.testing import drive

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "adding-a-sink.md").read_text(encoding="utf-8")


def block(language: str, number: int) -> str:
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return blocks[number]


@pytest.fixture
def jsonl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`sinks.jsonl`, as a reader of the page has written it."""
    folder = tmp_path / "written"
    folder.mkdir()
    (folder / "jsonl.py").write_text(block("python", 0), encoding="utf-8")
    monkeypatch.setattr(sinks, "__path__", [*sinks.__path__, str(folder)])
    importlib.invalidate_caches()
    yield importlib.import_module("sinks.jsonl")
    del sys.modules["sinks.jsonl"]
    monkeypatch.delattr(sinks, "jsonl")


def test_the_file_is_as_clean_as_ours(tmp_path: Path) -> None:
    for number, name in enumerate(("jsonl.py", "test_jsonl.py")):
        (tmp_path / name).write_text(block("python", number), encoding="utf-8")
    configuration = ["--config", str(ROOT / "pyproject.toml"), "--config", 'lint.per-file-ignores={"*" = ["S", "ARG", "INP"]}']
    for command in (["check", *configuration], ["format", "--check", "--config", str(ROOT / "pyproject.toml")]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_line_is_all_the_topology_needs(tmp_path: Path, jsonl: ModuleType) -> None:
    pipeline = tmp_path / "pipeline.toml"
    pipeline.write_text(PIPELINE.read_text(encoding="utf-8") + "\n" + block("toml", 0), encoding="utf-8")
    declared = load_topology(pipeline).node("jsonl")
    assert declared.config == jsonl.Config(file="alerts.jsonl")
    driven = drive(lambda: build_node(declared, kit(tmp_path)), [alert("a")], tmp_path)
    assert driven.dead == []
    assert (tmp_path / "alerts.jsonl").read_text(encoding="utf-8").count("\n") == 1


def test_the_line_names_the_file(jsonl: ModuleType) -> None:
    (node,) = tomllib.loads(block("toml", 0))["node"]
    assert importlib.import_module(node["module"]) is jsonl
    jsonl.Config.model_validate(node["config"])


def test_what_is_too_long_is_a_dead_letter_and_the_rest_goes_on(tmp_path: Path, jsonl: ModuleType) -> None:
    def node() -> Node:
        sink = jsonl.build(jsonl.Config(longest=5_000), kit(tmp_path))
        return Node("jsonl", jsonl.SPEC.reads, (), jsonl.SPEC.reasons, SinkGateway("jsonl", jsonl.SPEC, sink))

    driven = drive(node, [alert("long", title="x" * 6_000), alert("b")], tmp_path)
    assert [letter.kind for letter in driven.dead] == ["reject"]
    assert '"id":"b"' in (tmp_path / "alerts.jsonl").read_text(encoding="utf-8")


def test_the_test_of_the_page_passes(tmp_path: Path, jsonl: ModuleType) -> None:
    scope: dict[str, object] = {"__name__": "test_jsonl"}
    exec(compile(block("python", 1), "docs/adding-a-sink.md", "exec"), scope)
    tests = {name: test for name, test in scope.items() if name.startswith("test_") and callable(test)}
    assert len(tests) >= 2
    for name, test in tests.items():
        test(tmp_path / name)
