"""``tumen schemas export``: what it writes is what was agreed (the golden files), and nothing else in the folder is touched."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "schemas"


def test_the_exported_schemas_are_the_agreed_ones(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text("{}", encoding="utf-8")
    command = [sys.executable, "-m", "tumen", "schemas", "export", str(folder)]
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name != "mine.json"}
    assert written == {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.iterdir()}
    assert sorted(done.stdout.split()) == sorted(str(folder / name) for name in written)
    assert (folder / "mine.json").read_text(encoding="utf-8") == "{}"
    for name, text in written.items():
        schema = json.loads(text)
        assert schema["additionalProperties"] is False, name
        assert {"schema", "id", "seen_at", "trace", "realm"} <= set(schema["properties"]), name


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    command = [sys.executable, "-m", "tumen", "schemas", "export", str(tmp_path / "file")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
