"""The English event line: one line for people, from the tags alone."""

import os
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from tumen.event_line import event_line
from tumen.messages import Actor, Direction, EventType, Evidence, Mention, Quantity, Stance, When

GOLDEN = Path(__file__).parent / "golden" / "event_line"

SHOIGU = Actor(name="Sergei Shoigu", qid="Q57388", side="russia", kind="person")
KIM = Actor(name="Kim Jong Un", qid="Q56226", side="dprk", kind="person")
RUSSIA = Actor(name="Russia", qid="Q159", side="russia")
USA = Actor(name="the United States", qid="Q30")


def mention(**given: Any) -> Mention:
    evidence = Evidence.model_validate({"in": "text", "text": "x", "start": 0, "end": 1})
    plain = {"id": "m", "event": "visit", "direction": "mutual", "stance": "asserted", "role": "news", "evidence": evidence}
    return Mention.model_validate({**plain, **given})


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"actors": (SHOIGU, KIM), "place": "Pyongyang", "when": When(text="venerdì", date="--09-13"), "says": "KCNA"},
            "VISIT · Sergei Shoigu (Russia) and Kim Jong Un (DPRK) · Pyongyang · 13 September · per KCNA",
        ),
        ({"actors": (SHOIGU,), "when": When(text="soon", date="2025-07")}, "VISIT · Sergei Shoigu (Russia) · July 2025"),
        ({"when": When(text="venerdì")}, "VISIT · Russia and DPRK"),
        (
            {"event": "arms", "direction": "to_russia", "stance": "alleged", "says": "Seul", "actors": (RUSSIA, USA),
             "quantity": Quantity(text="cinque milioni di proiettili", number=5_000_000, item="proiettili")},
            "ARMS · DPRK to Russia · 5 million “proiettili” · alleged by Seul",
        ),
        ({"event": "arms", "direction": "to_russia", "stance": "denied", "says": "Кремль"}, "ARMS · DPRK to Russia · DENIED by “Кремль”"),
        (
            {"event": "energy", "direction": "to_dprk", "stance": "asserted",
             "quantity": Quantity(text="165,000 barrels", number=165_000, unit="bbl")},
            "ENERGY · Russia to DPRK · 165,000 bbl",
        ),
        ({"event": "transport", "stance": "negated"}, "TRANSPORT · Russia and DPRK · did not happen"),
        ({"event": "treaty", "stance": "planned", "says": "the Kremlin"}, "TREATY · Russia and DPRK · planned, per the Kremlin"),
        ({"event": "diplomacy", "direction": "to_dprk", "when": When(text="2023", date="2023")}, "DIPLOMACY · Russia to DPRK · 2023"),
    ],
)  # fmt: skip
def test_the_line(given: dict[str, Any], line: str) -> None:
    assert event_line(mention(**given)) == line


def test_a_third_party_alone_never_stands_for_the_two() -> None:
    assert "United States" not in event_line(mention(actors=(USA,)))


# --- the grammar: every event, direction and stance ------------------------------------------------------------------------------

ENVOY = Actor(name="Choe Son Hui", qid="Q22669430", side="dprk", kind="person")
PUTIN = Actor(name="Vladimir Putin", qid="Q7747", side="russia", kind="person")
RZD = Actor(name="Russian Railways", qid="Q660770", side="russia", kind="organisation")
MINISTRY = Actor(name="Russian foreign ministry", side="russia", kind="organisation")
SHELLS = Quantity(text="cinque milioni di proiettili", number=5_000_000, item="proiettili", thing="shells")

#: the shapes that a mention may have, each shown for every event, direction and stance
SHAPES: dict[str, dict[str, Any]] = {
    "bare": {},
    "everything": {
        "actors": (KIM, PUTIN, SHOIGU, ENVOY, RZD, USA), "quantity": SHELLS, "place": "Rason",
        "when": When(text="il 13", date="2024-09-13"), "says": "Сеул", "speaker": Actor(name="South Korea", qid="Q884"),
    },
    "organisations": {"actors": (RZD, MINISTRY), "when": When(text="in autunno", date="2023-10"), "says": "МИД", "speaker": MINISTRY},
    "as written": {"actors": (SHOIGU,), "says": "источник в ведомстве", "quantity": Quantity(text="троих", number=3, item="троих из")},
}  # fmt: skip


def grid() -> list[str]:
    lines = []
    for event in EventType:
        for direction in get_args(Direction):
            for stance in get_args(Stance):
                for shape, given in SHAPES.items():
                    line = event_line(mention(event=event, direction=direction, stance=stance, **given))
                    lines.append(f"{event} {direction} {stance}, {shape}: {line}")
    return lines


def test_the_grammar_is_as_agreed() -> None:
    """`make golden` writes it anew: review the diff."""
    file, now = GOLDEN / "grid.txt", "\n".join(grid()) + "\n"
    if os.environ.get("TUMEN_WRITE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(now, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == now


def test_every_line_is_a_line() -> None:
    for told in grid():
        line = told.split(": ", 1)[1]
        parts = line.split(" · ")
        assert all(part and part == part.strip() for part in parts), told
        assert not re.search(r"\bNone\b|  |“\s*”", line), told
        assert parts[0] == told.split()[0].upper()
        assert re.search(r"Russia", line), told
        stance = told.split(",")[0].split()[-1]
        shown = {"alleged": "alleged", "denied": "DENIED", "planned": "planned", "negated": "did not happen"}
        assert ("DENIED" in line) == (stance == "denied"), told
        assert stance == "asserted" or parts[-1].startswith(shown[stance]), told


@pytest.mark.parametrize(
    ("quantity", "shown"),
    [
        (Quantity(text="1.000 soldati del", number=1000, item="soldati del", thing="soldiers"), "1,000 soldiers"),
        (Quantity(text="1.000 soldati del", number=1000, item="soldati del"), None),
        (Quantity(text="15년", number=15, item="년"), None),
        (Quantity(text="만 받는", number=10_000, item="받는"), None),
        (Quantity(text="38 North", number=38, item="North"), None),
        (Quantity(text="8 jours", number=8, unit="d"), "8 days"),
        (Quantity(text="2,5 millions de tonnes", number=2_500_000, unit="t"), "2.5 million tonnes"),
        (Quantity(text="30 %", number=30, unit="%"), "30%"),
        (Quantity(text="12.5 million dollars", number=12_500_000, unit="USD"), "12.5 million USD"),
        (Quantity(text="1,5 тонны", number=1.5, unit="t"), "1.5 tonnes"),
        (Quantity(text="5 Mrd.", number=5e9), "5 billion"),
        (Quantity(text="4.000 moduli", number=4000, item="moduli"), "4,000 “moduli”"),
    ],
)
def test_how_much_is_english_or_left_out(quantity: Quantity, shown: str | None) -> None:
    line = event_line(mention(event="arms", direction="to_russia", quantity=quantity))
    assert line == "ARMS · DPRK to Russia" + (f" · {shown}" if shown else "")


def test_who_says_so_is_english_where_the_watch_knows_the_name() -> None:
    plain = {"event": "arms", "direction": "to_russia", "stance": "alleged"}
    assert event_line(mention(**plain, says="Вашингтон", speaker=USA)).endswith("alleged by the United States")
    assert event_line(mention(**plain, says="МИД России", speaker=MINISTRY)).endswith("alleged by the Russian foreign ministry")
    united = Actor(name="United Kingdom", qid="Q145")
    assert event_line(mention(**plain, says="Londres", speaker=united)).endswith("alleged by the United Kingdom")
    assert event_line(mention(**plain, says="two\n officials")).endswith("alleged by two officials")
    assert event_line(mention(**plain, says=" ")).endswith("alleged")
