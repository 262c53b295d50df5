"""The five articles the project was born from, and mutations of them: through the command line, as a user would."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def analyze(paths: list[Path]) -> list[dict[str, Any]]:
    """`tumen analyze --json` without a translation engine, so that the result is the same on every machine."""
    done = subprocess.run(
        [sys.executable, "-m", "tumen", "analyze", "--json", "--engine", "none", *map(str, paths)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def main_of(result: dict[str, Any]) -> dict[str, Any]:
    mains: list[dict[str, Any]] = [mention for mention in result["mentions"] if mention["main"]]
    assert len(mains) == 1, result["mentions"]
    return mains[0]


def has(result: dict[str, Any], event: str, *, stance: set[str] | None = None, says: str | None = None) -> bool:
    """Some mention of this event, in one of these stances, whose `says` matches this pattern."""
    return any(
        mention["event"] == event
        and (stance is None or mention["stance"] in stance)
        and (says is None or re.search(says, mention["says"] or ""))
        for mention in result["mentions"]
    )


@pytest.fixture(scope="module")
def seeds() -> list[dict[str, Any]]:
    folder = ROOT.parent / "shared" / "seeds"
    if not folder.is_dir():
        pytest.skip("needs the measuring material (../shared), which is not beside this checkout")
    return analyze(sorted(folder.glob("*.txt")))


def test_five_lines_relevant_and_italian(seeds: list[dict[str, Any]]) -> None:
    assert [(s["source"], s["relevant"], s["language"]) for s in seeds] == [(f"seed_{i:03}.txt", True, "it") for i in range(5)]
    assert all(s["translation"]["engine"] == "none" and "untranslated" in s["translation"]["flags"] for s in seeds)


def test_the_same_meeting_is_one_story_and_the_others_are_their_own(seeds: list[dict[str, Any]]) -> None:
    stories = [s["story"] for s in seeds]
    assert None not in stories
    assert stories[0] == stories[2]
    assert len(set(stories)) == 4


def test_main_mentions(seeds: list[dict[str, Any]]) -> None:
    mains = [main_of(s) for s in seeds]
    assert [main["event"] for main in mains] == ["visit"] * 5
    assert all(main["role"] == "news" for main in mains)
    names = [{actor["name"] for actor in main["actors"]} for main in mains]
    assert {"Sergei Shoigu", "Kim Jong Un"} <= names[0]
    assert {"Sergei Shoigu", "Kim Jong Un"} <= names[2]
    assert {"Andrei Belousov", "Kim Jong Un"} <= names[1]
    assert {"Vladimir Putin", "Kim Jong Un"} <= names[3]
    assert "Vladimir Putin" in names[4]
    assert mains[3]["stance"] == "planned"
    assert mains[0]["when"]["date"] == "2024-09-13"
    assert mains[1]["when"]["date"] in ("2024-11-29", "2024-11-30")  # the talks, or the day on which they were reported


def test_what_else_they_state(seeds: list[dict[str, Any]]) -> None:
    for event in ("treaty", "troops", "energy"):
        assert has(seeds[1], event), event
    assert has(seeds[3], "arms", stance={"planned", "alleged"})
    assert has(seeds[3], "technology", stance={"planned", "alleged"})
    assert has(seeds[0], "arms", stance={"alleged"}, says="Stati Uniti")
    assert has(seeds[0], "arms", stance={"denied"}, says="Mosca e Pyongyang")


def test_recalled_events_are_background(seeds: list[dict[str, Any]]) -> None:
    recalled = {0: r"visita di stato a giugno", 2: r"luglio dell.anno scorso", 4: r"l.anno scorso, incontrando Putin"}
    for index, pattern in recalled.items():
        found = [m for m in seeds[index]["mentions"] if m["event"] == "visit" and re.search(pattern, m["evidence"]["text"])]
        assert found, pattern
        assert {m["role"] for m in found} == {"background"}, pattern


def test_kept_lines_are_exactly_the_articles(seeds: list[dict[str, Any]], shared: Path) -> None:
    gold = json.loads((shared / "gold" / "seeds_clean.json").read_text(encoding="utf-8"))
    for index, name in ((0, "seed_000"), (2, "seed_002"), (3, "seed_003")):
        lines = (shared / "seeds" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        kept = [squeeze(line) for line in (seeds[index]["title"] + "\n" + seeds[index]["text"]).split("\n") if line.strip()]
        assert kept == [squeeze(lines[number - 1]) for number in gold[name]["keep"]], name
        assert squeeze(seeds[index]["title"]) == squeeze(lines[gold[name]["title_line"] - 1])


def squeeze(line: str) -> str:
    return " ".join(line.split())


def test_evidence_offsets_point_at_the_evidence(seeds: list[dict[str, Any]]) -> None:
    for seed in seeds:
        for mention in seed["mentions"]:
            evidence = mention["evidence"]
            assert seed[evidence["in"]][evidence["start"] : evidence["end"]] == evidence["text"]


# --- mutations: another minister, another month, another city, other furniture ---------------------------------------------------


def swap(*pairs: tuple[str, str]) -> Callable[[str], str]:
    def change(text: str) -> str:
        for old, new in pairs:
            assert re.search(old, text), old
            text = re.sub(old, new, text)
        return text

    return change


MINISTER = swap(("Sergei Shoigu", "Sergei Lavrov"), ("Shoigu", "Lavrov"))
MONTH = swap(("14 settembre", "14 ottobre"))
CITY = swap(("Pyongyang il 14", "Wonsan il 14"))


def test_another_minister_is_another_story(shared: Path, tmp_path: Path) -> None:
    first, second = shared / "seeds" / "seed_000.txt", shared / "seeds" / "seed_002.txt"
    changed = tmp_path / "lavrov.txt"
    changed.write_text(MINISTER(second.read_text(encoding="utf-8")), encoding="utf-8")
    original, other = analyze([first, changed])
    assert original["story"] != other["story"]
    assert {"Sergei Lavrov", "Kim Jong Un"} <= {actor["name"] for actor in main_of(other)["actors"]}


def test_another_minister_in_the_same_words_is_no_copy(shared: Path, tmp_path: Path) -> None:
    first, changed = shared / "seeds" / "seed_002.txt", tmp_path / "belousov.txt"
    to_belousov = swap(("Sergei Shoigu", "Andrei Belousov"), ("Shoigu", "Belousov"))
    changed.write_text(to_belousov(first.read_text(encoding="utf-8")), encoding="utf-8")
    original, other = analyze([first, changed])
    assert original["story"] != other["story"]
    assert main_of(other)["when"]["date"] == "--09-14"


def test_another_month_is_another_story(shared: Path, tmp_path: Path) -> None:
    first, second = shared / "seeds" / "seed_002.txt", tmp_path / "october.txt"
    second.write_text(MONTH(first.read_text(encoding="utf-8")), encoding="utf-8")
    one, two = analyze([first, second])
    assert one["story"] != two["story"]
    assert "-10-1" in main_of(two)["when"]["date"]


def test_another_city_is_told(shared: Path, tmp_path: Path) -> None:
    changed = tmp_path / "wonsan.txt"
    first = shared / "seeds" / "seed_002.txt"
    changed.write_text(CITY(first.read_text(encoding="utf-8")), encoding="utf-8")
    original, result = analyze([first, changed])
    assert result["relevant"]
    assert main_of(result)["event"] == "visit"
    assert (main_of(original)["place"], main_of(result)["place"]) == ("Pyongyang", "Wonsan")
    assert original["story"] != result["story"]


FURNITURE = {
    "before": ["Menu", "Cerca", "Accedi", "Condividi su Facebook", "Tempo di lettura: 3 minuti", "Pubblicità"],
    "after": [
        "Condividi",
        "Leggi anche",
        "Iscriviti alla newsletter",
        "Leave a Reply",
        "Your email address will not be published. Required fields are marked *",
        "Tutti i diritti riservati",
    ],
}


@pytest.mark.parametrize("name", ["seed_000", "seed_002", "seed_003"])
def test_other_furniture_leaves_the_same_article(shared: Path, tmp_path: Path, name: str) -> None:
    gold = json.loads((shared / "gold" / "seeds_clean.json").read_text(encoding="utf-8"))[name]
    lines = (shared / "seeds" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    kept = [lines[number - 1] for number in gold["keep"]]
    page = tmp_path / "page.txt"
    page.write_text("\n\n".join([*FURNITURE["before"], *kept, *FURNITURE["after"]]), encoding="utf-8")
    (result,) = analyze([page])
    found = [squeeze(line) for line in (result["title"] + "\n" + result["text"]).split("\n") if line.strip()]
    assert found == [squeeze(line) for line in kept]
