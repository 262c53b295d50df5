"""Dependencies: locked with hashes, each one used, each licence listed."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("tumen", "producers", "processors", "sinks")
#: distribution -> what it is imported as, where the names differ
IMPORTED_AS = {
    "kafka-python": "kafka",
    "prometheus-client": "prometheus_client",
    "pydantic-settings": "pydantic_settings",
}
#: needed by another one that does not name it itself
SILENT = {"lxml_html_clean"}


def locked(file: Path) -> dict[str, str]:
    """Name -> the block of a lock file that pins it."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.split(r"[=\[ ]", block)[0]: block for block in blocks if "==" in block.split("\n")[0]}


def direct() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.split(r"[\[<>=!~ ]", one)[0] for one in project["dependencies"]]


def test_every_locked_requirement_has_its_hashes() -> None:
    files = sorted((ROOT / "requirements").glob("*.lock"))
    assert {"base.lock", "dev.lock"} <= {file.name for file in files}
    for file in files:
        pinned = locked(file)
        assert pinned
        for name, block in pinned.items():
            assert "--hash=sha256:" in block, f"{file.name}: {name}"


def test_the_lock_holds_every_direct_dependency() -> None:
    pinned = {name.lower().replace("_", "-") for name in locked(ROOT / "requirements" / "base.lock")}
    assert {name.lower().replace("_", "-") for name in direct()} <= pinned


def test_no_dependency_without_a_use() -> None:
    imported: set[str] = set()
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported.update(alias.name.split(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.split(".")[0])
    unused = [name for name in direct() if name not in SILENT and IMPORTED_AS.get(name, name) not in imported]
    assert not unused


def test_every_licence_is_listed() -> None:
    listed = set(re.findall(r"^\| ([\w.-]+) \|", (ROOT / "docs" / "licences.md").read_text(encoding="utf-8"), re.MULTILINE))
    for file in sorted((ROOT / "requirements").glob("*.lock")):
        if file.name != "dev.lock":  # what only builds and tests Tumen is not shipped with it
            assert not set(locked(file)) - listed, file.name
