"""What a site repeats is learnt from its own pages; a change of its yield is told; hints are data."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import processors.clean as clean
from processors.clean.article import Means, clean_item
from processors.clean.hints import Hints, load_hints
from processors.clean.lines import Reading
from processors.clean.sites import LASTING, LINES, NOTHING_KNOWN, SiteMemory, learn, without_furniture
from tumen.errors import ConfigError
from tumen.messages import Article, Candidate, Item
from tumen.runner import Node
from tumen.stage import Drop, Emit, Kit, Out, Stage
from tumen.state import Nothing, Overlay
from tumen.testing import CRASH, drive
from tumen.text.language import Languages
from tumen.topics import ARTICLES, CANDIDATES

SEEN = datetime(2024, 9, 14, 12, tzinfo=UTC)
MEANS = Means(Languages(("it", "en", "ru")))

#: a box that looks like text: whole sentences, in a paragraph of its own, in the middle of every article
BOX = "Our correspondents write to subscribers every Thursday about what the harbour towns of the far east are talking about this month."
SUBJECTS = (
    (
        "ferry",
        "The ferry company said that its second ship will leave the yard in spring",
        "The crew has been hired in three towns along the coast",
    ),
    (
        "bridge",
        "Engineers closed the railway bridge for two nights to replace its oldest girders",
        "Goods trains were sent by the inland line meanwhile",
    ),
    (
        "market",
        "Traders at the fish market have asked the mayor for lower rents until the season begins",
        "He promised them an answer before the end of the week",
    ),
    (
        "school",
        "A school at the border has begun to teach both languages from the first year on",
        "Parents had collected four hundred signatures for it",
    ),
    (
        "airport",
        "The small airport will be lit at night again after eleven years without lamps",
        "A new generator arrived on a lorry on Sunday morning",
    ),
    (
        "museum",
        "The museum of seafaring has found a map that its founders believed to be lost",
        "It lay behind a cupboard which nobody had moved since the war",
    ),
    (
        "storm",
        "A storm tore the roof from the customs house and flooded the road to the quay",
        "Nobody was hurt, though forty families spent the night in a gymnasium",
    ),
    (
        "tunnel",
        "Miners have reached the halfway point of the tunnel that will shorten the way north",
        "They work in four shifts and see the sun once a week",
    ),
)


def paragraphs(number: int, length: int = 5) -> list[str]:
    name, first, second = SUBJECTS[number % len(SUBJECTS)]
    told = [f"{first}, as its neighbours heard on the evening of day {number}.", f"{second}, people near the {name} said."]
    return [
        *told,
        *(
            f"On the {name} itself opinions differ: voice {number}-{n} found it late, while others praised it at length."
            for n in range(length - 2)
        ),
    ]


def page(number: int, box: str = BOX, length: int = 5) -> str:
    body = paragraphs(number, length)
    inner = "".join(f"<p>{text}</p>" for text in [*body[:2], box, *body[2:]] if text)
    title = f"What happened at the {SUBJECTS[number % len(SUBJECTS)][0]} on day {number}"
    return f"<html><head><title>{title}</title></head><body><article><h1>{title}</h1>{inner}</article></body></html>"


def candidate(number: int, body: str, site: str = "harbour.example", *, seen_at: datetime = SEEN, body_type: str = "html") -> Candidate:
    item = Item.model_validate(
        {
            **{"id": f"i{number}", "seen_at": seen_at, "trace": "t", "article_id": f"a{number}", "source": "s", "site": site},
            **{"body": body, "body_type": body_type},
        }
    )
    return Candidate(id=item.id, seen_at=seen_at, trace="t", item=item)


class _Watch:
    def agencies(self) -> dict[str, Iterable[str]]:
        return {}


@pytest.fixture(scope="module")
def stage() -> Stage[Candidate]:
    kit = Kit.__new__(Kit)
    object.__setattr__(kit, "watch", _Watch())
    object.__setattr__(kit, "languages", ("it", "en", "ru"))
    return clean.build(clean.Config(), kit)


def run(stage: Stage[Candidate], state: Overlay, candidates: Iterable[Candidate]) -> Iterator[list[Out]]:
    for one in candidates:
        yield list(stage.process(one, state))


def text(outs: list[Out]) -> str:
    articles = [out.message for out in outs if isinstance(out, Emit)]
    assert len(articles) == 1, outs
    assert isinstance(articles[0], Article)
    return articles[0].text


# --- furniture -------------------------------------------------------------------------------------------------------------------


def test_a_box_on_every_page_is_learnt(stage: Stage[Candidate]) -> None:
    texts = [text(outs) for outs in run(stage, Overlay(Nothing()), (candidate(n, page(n)) for n in range(8)))]
    assert BOX in texts[0], "the box must fool the model alone, or this proves nothing"
    assert BOX not in texts[-1]
    for number, found in enumerate(texts):
        assert [line for line in found.split("\n") if line != BOX] == paragraphs(number)


def test_plain_text_learns_too(stage: Stage[Candidate]) -> None:
    def plain(number: int) -> str:
        body = paragraphs(number)
        return "\n\n".join([f"What happened on day {number}", *body[:2], BOX, *body[2:]])

    texts = [text(outs) for outs in run(stage, Overlay(Nothing()), (candidate(n, plain(n), body_type="text") for n in range(8)))]
    assert BOX in texts[0]
    assert BOX not in texts[-1]
    assert texts[-1].split("\n") == paragraphs(7)


def test_why_says_that_the_site_repeats_it(stage: Stage[Candidate]) -> None:
    outs = list(run(stage, Overlay(Nothing()), (candidate(n, page(n)) for n in range(8))))[-1]
    article = next(out.message for out in outs if isinstance(out, Emit))
    assert ("site_repeats", BOX[:80]) in [(why.rule, why.cue) for why in article.why]


def test_another_sites_box_is_nothing_to_this_site(stage: Stage[Candidate]) -> None:
    state = Overlay(Nothing())
    list(run(stage, state, (candidate(n, page(n)) for n in range(8))))
    (outs,) = run(stage, state, [candidate(9, page(9), site="elsewhere.example")])
    assert BOX in text(outs)


def test_a_siblings_headline_inside_an_article_is_a_link(stage: Stage[Candidate]) -> None:
    state = Overlay(Nothing())
    sibling = "What happened at the ferry on day 0"
    texts = [text(outs) for outs in run(stage, state, [candidate(0, page(0, "")), candidate(1, page(1, sibling))])]
    assert sibling not in texts[1]
    assert texts[1].split("\n") == paragraphs(1)


def test_copies_and_updates_teach_nothing(stage: Stage[Candidate]) -> None:
    """Forty papers of one folder print one wire story: it is not furniture.  Nor is what a developing story says each time again."""
    state = Overlay(Nothing())
    copies = [text(outs) for outs in run(stage, state, (candidate(n, page(1, "")) for n in range(12)))]
    assert set(copies) == {"\n".join(paragraphs(1))}
    updates = ("<p>" + f"New on hour {n}: the harbour master has spoken again, for the {n}th time." + "</p></article>" for n in range(12))
    grown = [
        candidate(100 + n, page(2, "").replace("</article>", more).replace("day 2<", f"day 2, hour {n}<")) for n, more in enumerate(updates)
    ]
    for outs in run(stage, state, grown):
        assert text(outs).split("\n")[:5] == paragraphs(2)


def test_the_same_page_again_teaches_nothing(stage: Stage[Candidate]) -> None:
    state = Overlay(Nothing())
    list(run(stage, state, [candidate(0, page(0)), candidate(1, page(1))]))
    before = dict(state.writes)
    list(run(stage, state, [candidate(0, page(0)), candidate(1, page(1))] * 5))
    assert state.writes == before


def test_what_does_not_come_again_is_forgotten_and_memory_is_bounded(stage: Stage[Candidate]) -> None:
    memory = SiteMemory()
    for number in range(300):
        lines = tuple(f"line {number} {n} of a page that says nothing twice" for n in range(20))
        reading = Reading(lines, None, f"title {number}", None, tuple(range(20)), (0.99,) * 20)
        memory = learn(memory, f"a{number}", reading, 2000).memory
    assert len(memory.lines) <= LINES
    assert min(last for _, _, last in memory.lines.values()) > memory.pages - LASTING
    assert len(memory.model_dump_json()) < 16_000


def test_a_silent_site_is_forgotten(stage: Stage[Candidate]) -> None:
    state = Overlay(Nothing())
    list(run(stage, state, [candidate(n, page(n), site=f"site{n}.example") for n in range(5)]))
    later = [candidate(50 + n, page(n), site="alive.example", seen_at=SEEN + timedelta(days=120 + n)) for n in range(5)]
    list(run(stage, state, later))
    kept = {key for key, value in state.writes.items() if value is not None}
    assert kept == {"site/html/alive.example", f"seen/{(SEEN + timedelta(days=124)).date()}/html/alive.example"}


def test_a_crash_changes_nothing(stage: Stage[Candidate], tmp_path: Path) -> None:
    reasons = clean.SPEC.reasons

    def node() -> Node:
        return Node("clean", (CANDIDATES,), (ARTICLES,), reasons, stage)

    pages = [candidate(n, page(n)) for n in range(6)]
    (tmp_path / "calm").mkdir()
    (tmp_path / "crashed").mkdir()
    calm = drive(node, pages, tmp_path / "calm")
    crashed = drive(node, [*pages[:3], CRASH, *pages[3:], CRASH], tmp_path / "crashed")
    assert len(calm.messages(ARTICLES)) == len(pages)
    assert crashed.messages(ARTICLES) == calm.messages(ARTICLES)


def test_nothing_is_taken_off_where_nothing_is_known() -> None:
    reading = Reading(("a line of text that is long enough",), None, "t", None, (0,), (0.9,))
    assert without_furniture(reading, NOTHING_KNOWN) is reading


# --- yield -----------------------------------------------------------------------------------------------------------------------


def alarms(outs: Iterable[list[Out]]) -> list[str]:
    return [out.reason for each in outs for out in each if isinstance(out, Drop) and out.reason.startswith("yield_")]


def test_a_site_that_suddenly_gives_half_is_told_once(stage: Stage[Candidate]) -> None:
    state = Overlay(Nothing())
    assert alarms(run(stage, state, (candidate(n, page(n, "", 12)) for n in range(14)))) == []
    outs = list(run(stage, state, (candidate(100 + n, page(n, "", 3)) for n in range(14))))
    assert alarms(outs) == ["yield_half"]
    flagged = [out.message for each in outs for out in each if isinstance(out, Emit) and "yield_half" in out.message.flags]
    assert len(flagged) == 1
    assert "usual" in flagged[0].why[-1].cue


def test_whoever_runs_it_is_told_which_site_and_how_much(stage: Stage[Candidate]) -> None:
    """Also where no article is left to say it on."""
    empty = "<html><head><title>News</title></head><body><div id='root'></div></body></html>"
    state = Overlay(Nothing())
    with capture_logs() as logs:
        list(run(stage, state, (candidate(n, page(n, "", 12)) for n in range(14))))
        assert logs == []
        list(run(stage, state, (candidate(100 + n, page(n, "", 3)) for n in range(14))))
        list(run(stage, state, (candidate(200 + n, empty) for n in range(6))))
    assert [(one["event"], one["log_level"], one["site"], one["alarm"]) for one in logs] == [
        ("site changed", "warning", "harbour.example", "yield_half"),
        ("site changed", "warning", "harbour.example", "yield_empty"),
    ]
    assert "usual" in logs[0]["figures"]


def test_double(stage: Stage[Candidate]) -> None:
    state = Overlay(Nothing())
    list(run(stage, state, (candidate(n, page(n, "", 3)) for n in range(14))))
    assert alarms(run(stage, state, (candidate(100 + n, page(n, "", 12)) for n in range(14)))) == ["yield_double"]


def test_empty(stage: Stage[Candidate]) -> None:
    state = Overlay(Nothing())
    list(run(stage, state, (candidate(n, page(n, "")) for n in range(10))))
    empty = "<html><head><title>News</title></head><body><div id='root'></div></body></html>"
    outs = list(run(stage, state, (candidate(100 + n, empty) for n in range(8))))
    assert alarms(outs) == ["yield_empty"]
    assert {out.reason for each in outs for out in each if isinstance(out, Drop)} == {"not_an_article", "yield_empty"}


def test_articles_of_different_lengths_are_no_alarm(stage: Stage[Candidate]) -> None:
    lengths = [4, 12, 3, 7, 5, 14, 3, 6, 9, 4]
    assert alarms(run(stage, Overlay(Nothing()), (candidate(n, page(n, "", lengths[n % 10])) for n in range(40)))) == []


def test_alarms_are_declared_reasons() -> None:
    assert {"yield_empty", "yield_half", "yield_double"} <= set(clean.SPEC.reasons)


# --- hints -----------------------------------------------------------------------------------------------------------------------


def hinted(hints: Hints, html: str) -> str:
    result = clean_item(candidate(1, html).item, Means(MEANS.languages, hints=hints)).result
    assert isinstance(result, Article)
    return result.text


def test_hints_name_furniture_the_article_and_lines() -> None:
    boxed = page(3).replace(f"<p>{BOX}</p>", f'<p class="promo-x9">{BOX}</p>')
    assert BOX in hinted(Hints(), boxed)
    for hint in ({"furniture": ["promo-x9"]}, {"lines": ["Our correspondents write .*"]}):
        assert hinted(Hints.model_validate({"sites": {"harbour.example": hint}}), boxed) == "\n".join(paragraphs(3))
    apart = (
        page(3, "")
        .replace("</article>", f'</article><div id="other"><p>{BOX}</p></div>')
        .replace("<article>", '<article class="the-text">')
    )
    assert hinted(Hints.model_validate({"sites": {"harbour.example": {"article": ["the-text"]}}}), apart) == "\n".join(paragraphs(3))


def test_wrong_hints_are_refused_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "hints.toml"
    path.write_text('[sites."a.example"]\nlines = ["("]\nunknown = 1\n', encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_hints(path)
    assert len(raised.value.findings) == 2
    assert all("a.example" in finding for finding in raised.value.findings)


def test_the_shipped_hints_are_valid() -> None:
    load_hints()
