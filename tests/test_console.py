"""The console: a card that a person reads, whatever the news, the terminal and the locale are like."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from sinks import console
from tests.alertkit import NOW, alert, evidence, kit
from tumen.errors import Unavailable
from tumen.stage import Attempt

FIRST = Attempt()


def test_a_reader_can_act_on_it() -> None:
    told = alert(stance="denied", flags=("untranslated",))
    shown = re.sub(r"[│\s]+", " ", console.render(told, FIRST))
    for part in (
        told.event_line,
        told.change_text,
        told.title,
        told.title_english,
        told.evidence[0].text,
        told.evidence[0].translation,
        "Says: KCNA",
        "Stance: denied",
        "2 independent origins, 3 articles",
        "2024-09-14 12:00 UTC",
        "not translated",
        "https://notizie.example/2024/rason?a=1&b=2",
    ):
        assert part is not None
        assert part in shown, part


@pytest.mark.parametrize(("realm", "mark"), [("live", None), ("sample", "SAMPLE"), ("replay", "REPLAY")])
def test_what_is_not_live_is_marked_in_its_first_line(realm: str, mark: str | None) -> None:
    first = console.render(alert(realm=realm), FIRST).splitlines()[0]
    assert [word for word in ("SAMPLE", "REPLAY") if word in first] == ([mark] if mark else [])


def test_a_repeat_says_so() -> None:
    assert "(possible repeat)" in console.render(alert(), Attempt(2, True)).splitlines()[0]


def test_colour_only_where_it_is_asked_for() -> None:
    assert "\x1b" not in console.render(alert(), FIRST)
    assert "\x1b[" in console.render(alert(), FIRST, colour=True)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300), width=st.integers(30, 120))
def test_whatever_the_news_says_the_card_keeps_its_width_and_the_terminal_obeys_nothing(text: str, width: int) -> None:
    told = alert(
        title=text, title_english=text, event_line=text, change_text=text, says=text, source=text, url=text, evidence=(evidence(text),)
    )
    shown = console.render(told, Attempt(1, True), width=width)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert all(cell_len(line) <= width for line in shown.splitlines() if line[0] in "╭│╰")


def test_a_long_address_stays_in_one_piece() -> None:
    address = "https://notizie.example/" + "a" * 300
    assert console.render(alert(url=address), FIRST, width=60).splitlines()[-1].strip() == address


def test_old_live_news_is_not_told_and_samples_always_are(tmp_path: Path) -> None:
    sink = console.build(console.Config(), kit(tmp_path))
    month_ago = NOW - timedelta(days=30)
    assert sink.wanted(alert(), NOW) is None
    assert sink.wanted(alert(published_at=month_ago), NOW) == "stale"
    assert sink.wanted(alert(published_at=None, flags=("backlog",)), NOW) == "backlog"
    assert sink.wanted(alert(published_at=month_ago, realm="sample"), NOW) is None


def test_a_terminal_that_knows_ascii_only_gets_ascii(tmp_path: Path) -> None:
    printed: list[str] = []

    def echo(line: str) -> None:
        line.encode("ascii")
        printed.append(line)

    console.build(console.Config(), kit(tmp_path, echo=echo)).deliver(alert(), FIRST)
    assert "VISIT" in printed[0]


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file")])
def test_an_output_that_is_closed_stops_the_route_and_loses_nothing(tmp_path: Path, error: Exception) -> None:
    def echo(line: str) -> None:
        raise error

    with pytest.raises(Unavailable) as raised:
        console.build(console.Config(), kit(tmp_path, echo=echo)).deliver(alert(), FIRST)
    assert raised.value.route
