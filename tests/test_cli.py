"""The command line: its face, its exit statuses, and bad input, which is named and never stops the rest."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ARTICLE = (
    "Il ministro degli Esteri russo incontra Kim Jong Un a Pyongyang\n\n"
    "Il ministro degli Esteri russo Sergei Lavrov ha incontrato sabato a Pyongyang il leader nordcoreano Kim Jong Un, "
    "ha riferito la KCNA.\n\n"
    "I due hanno discusso della cooperazione tra Russia e Corea del Nord nel settore dell'energia e dei trasporti ferroviari.\n"
)


def tumen(*arguments: str, cwd: Path, stdin: bytes = b"") -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([sys.executable, "-m", "tumen", *arguments], input=stdin, capture_output=True, cwd=cwd, timeout=120, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def test_bad_inputs_are_named_and_the_rest_is_done(folder: Path) -> None:
    (folder / "good.txt").write_text(ARTICLE, encoding="utf-8")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (folder / "huge.txt").write_bytes(b"parola " * (50_000_000 // 7))
    (folder / "broken.jsonl").write_text('{"id": "a", "text": ' + json.dumps(ARTICLE) + '}\nnot json\n{"id": "b"}\n', encoding="utf-8")
    (folder / "page.xml").write_text("<html><body>no feed</body></html>", encoding="utf-8")
    names = ["missing.txt", "empty.txt", "binary.txt", "good.txt", "huge.txt", "broken.jsonl", "page.xml", "."]
    done = tumen("analyze", "--json", "--engine", "none", *names, cwd=folder)
    assert done.returncode == 1
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == 2
    assert results[0]["source"] == "good.txt"
    assert [result["relevant"] for result in results] == [True, True]
    complaints = done.stderr.splitlines()
    assert all(line.startswith("tumen: ") for line in complaints), complaints
    for name in ("missing.txt", "empty.txt", "binary.txt", "huge.txt", "broken.jsonl", "page.xml"):
        assert any(name in line for line in complaints), name
    assert "Traceback" not in done.stderr
    assert "good.txt" not in done.stderr


def test_the_keys_of_the_face(folder: Path) -> None:
    (folder / "good.txt").write_text(ARTICLE, encoding="utf-8")
    (folder / "off.txt").write_text(
        "Ricetta della carbonara\n\nSi fa con le uova, il guanciale e il pecorino, mai con la panna.\n", encoding="utf-8"
    )
    done = tumen("analyze", "--json", "--engine", "none", "good.txt", "off.txt", cwd=folder)
    assert done.returncode == 0, done.stderr
    good, off = (json.loads(line) for line in done.stdout.splitlines())
    keys = {"id", "url", "language", "title", "text", "published", "copy_of", "origin", "story", "relevant", "score", "mentions"}
    assert keys | {"translation", "dropped"} <= set(good)
    assert {"title", "lead", "engine", "flags"} == set(good["translation"])
    mention = good["mentions"][0]
    assert {"event", "direction", "stance", "role", "says", "actors", "quantity", "when", "story", "evidence"} <= set(mention)
    assert {"in", "text", "start", "end", "translation"} == set(mention["evidence"])
    assert {"qid", "name", "side"} <= set(mention["actors"][0])
    assert good["story"]
    assert (off["relevant"], off["mentions"], off["story"]) == (False, [], None)
    assert off["dropped"]
    assert "carbonara" in off["title"]
    assert off["text"]
    assert "untranslated" in off["translation"]["flags"]


def test_stdin(folder: Path) -> None:
    done = tumen("analyze", "--json", "--engine", "none", "-", cwd=folder, stdin=ARTICLE.encode())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["relevant"]


def test_nothing_is_left_behind(folder: Path) -> None:
    (folder / "good.txt").write_text(ARTICLE, encoding="utf-8")
    tumen("analyze", "good.txt", cwd=folder)
    assert [path.name for path in folder.iterdir()] == ["good.txt"]


@pytest.mark.parametrize("arguments", [("nonsense",), ("analyze",), ("analyze", "--bogus", "x"), ("run", "--until-quiet")])
def test_usage_is_2(folder: Path, arguments: tuple[str, ...]) -> None:
    done = tumen(*arguments, cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_one_line_and_2(folder: Path) -> None:
    (folder / "tumen.toml").write_text("[metrics]\nport = 70000\n", encoding="utf-8")
    done = tumen("check", cwd=folder)
    assert done.returncode == 2
    assert re.fullmatch(r"tumen: tumen\.toml: metrics\.port = 70000: .*\n", done.stderr)


@pytest.mark.parametrize(
    ("setting", "command", "says"),
    [
        ('languages = ["xx"]', "check", "languages = .*xx: expected among .*it"),
        ("languages = []", "check", "languages = .*at least 1"),
        ('data = "/proc/nowhere"', "run", "/proc/nowhere: this data folder cannot be made"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_2(folder: Path, setting: str, command: str, says: str) -> None:
    (folder / "tumen.toml").write_text(setting + "\n", encoding="utf-8")
    done = tumen(command, cwd=folder)
    assert done.returncode == 2
    assert re.search(says, done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr


def test_an_unknown_watch_is_named(folder: Path) -> None:
    (folder / "tumen.toml").write_text('watch = "nowhere"\n', encoding="utf-8")
    done = tumen("check", cwd=folder)
    assert done.returncode == 2
    assert "watch = 'nowhere': expected one of russia-dprk" in done.stderr


def test_check_graph_and_doctor(folder: Path) -> None:
    assert tumen("check", cwd=folder).stdout.startswith("ok: ")
    assert "screen" in tumen("graph", cwd=folder).stdout
    assert {node["name"] for node in json.loads(tumen("graph", "--json", cwd=folder).stdout)["nodes"]} >= {"screen", "tag"}
    doctor = tumen("doctor", "--json", cwd=folder)
    assert doctor.returncode == 0, doctor.stdout
    assert {"SQLite", "watch", "bus"} <= {finding["what"] for finding in json.loads(doctor.stdout)}


def test_feeds_add_and_list(folder: Path) -> None:
    (folder / "tumen.toml").write_text("# mine\n", encoding="utf-8")
    assert tumen("feeds", "add", "https://example.org/rss", "--language", "it", cwd=folder).returncode == 0
    assert "https://example.org/rss" in tumen("feeds", "list", cwd=folder).stdout
    assert "# mine" in (folder / "tumen.toml").read_text(encoding="utf-8")
    assert tumen("feeds", "add", "file:///etc/passwd", cwd=folder).returncode == 2


def test_help_lists_every_command(folder: Path) -> None:
    text = tumen("--help", cwd=folder).stdout
    for command in (
        "run",
        "analyze",
        "feeds",
        "alerts",
        "check",
        "graph",
        "dlq",
        "worker",
        "topics",
        "tail",
        "replay",
        "schemas",
        "doctor",
        "eval",
    ):
        assert re.search(rf"^  {command}\b", text, re.MULTILINE)
        assert tumen(command, "--help", cwd=folder).returncode == 0
