"""The English event line: one line for people, from the tags alone."""

from typing import Any

import pytest

from tumen.event_line import event_line
from tumen.messages import Actor, Evidence, Mention, Quantity, When

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
