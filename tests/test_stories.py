"""Stories: one event is one story in any language, and only a material change speaks again."""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.stories import Config, Names, make_stage, names_of
from processors.stories.conflicts import conflicts
from processors.stories.dates import gap, parts
from processors.stories.memory import MAX_CANDIDATES, Memory
from processors.stories.origins import key_of
from processors.stories.policy import Rules, decide
from processors.stories.stage import REASONS
from tumen.ids import mention_id
from tumen.messages import (
    QUIET,
    Actor,
    Alert,
    Article,
    EventType,
    Evidence,
    Mention,
    Quantity,
    Story,
    Tagged,
    Tick,
    Translation,
    Unique,
    When,
)
from tumen.runner import Node
from tumen.stage import Drop, Emit
from tumen.state import Nothing, Overlay
from tumen.testing import CRASH, drive
from tumen.topics import ALERTS, STORIES, TAGGED
from tumen.watch import load_watch

NOW = datetime(2024, 9, 14, 6, 0, tzinfo=UTC)
GOLDEN = Path(__file__).parent / "golden" / "stories"

KIM = Actor(name="Kim Jong Un", qid="Q56226", side="dprk", kind="person")
PUTIN = Actor(name="Vladimir Putin", qid="Q7747", side="russia", kind="person")
SHOIGU = Actor(name="Sergei Shoigu", qid="Q182857", side="russia", kind="person")
LAVROV = Actor(name="Sergei Lavrov", qid="Q58217", side="russia", kind="person")
BELOUSOV = Actor(name="Andrei Belousov", qid="Q4081747", side="russia", kind="person")
NO_KWANG_CHOL = Actor(name="No Kwang Chol", qid="Q56259577", side="dprk", kind="person")
RUSSIA = Actor(name="Russia", qid="Q159", side="russia")
DPRK = Actor(name="North Korea", qid="Q423", side="dprk")
STATES = (RUSSIA, DPRK)
NAMES = Names(leaders=frozenset({"Q7747", "Q56226"}), broad=frozenset({"russia", "north korea", "the far east"}))


def mention(article: str, event: str, text: str, start: int = 0, **more: Any) -> Mention:
    """A main news mention in the text, unless `more` says otherwise; `number` is (text, number, unit, item)."""
    number, when = more.pop("number", None), more.pop("when", None)
    return Mention.model_validate(
        {
            "id": mention_id(article, event, more.get("where", "text"), start),
            "event": event,
            "direction": "mutual",
            "stance": "asserted",
            "role": "news",
            "actors": STATES,
            "main": start == 0 and more.get("role", "news") == "news",
            "evidence": Evidence(in_=more.pop("where", "text"), text=text, start=start, end=start + len(text)),
            "quantity": Quantity(text=number[0], number=number[1], unit=number[2], item=number[3]) if number else None,
            "when": When(text=when, date=when) if when else None,
        }
        | more
    )


def tagged(article: str, title: str, mentions: Sequence[Mention], **more: Any) -> Tagged:
    """An article of its own outlet, seen an hour after it was published."""
    published = more.get("published", "2024-09-13")
    seen_at = more.get("seen_at", NOW)
    body = "\n".join(m.evidence.text for m in mentions)
    envelope = {"id": article, "seen_at": seen_at, "trace": f"t-{article}", "realm": more.get("realm", "live")}
    language = more.get("language", "en")
    return Tagged(
        **envelope,
        unique=Unique(
            **envelope,
            article=Article(
                **envelope,
                item_id=f"{article}/{more.get('edition', 1)}",
                source=f"https://{article}.example/feed",
                site=more.get("site", f"{article}.example"),
                url=f"https://{article}.example/1",
                title=title,
                lead=more.get("lead", mentions[0].evidence.text if mentions else ""),
                text=body,
                language=language,
                published=published,
                origin=more.get("origin"),
                flags=more.get("flags", ()),
            ),
            copy_of=more.get("copy_of"),
            independent=more.get("independent", 0.0 if "copy_of" in more else 1.0),
            origin=more.get("origin"),
        ),
        translation=more.get(
            "translation",
            Translation(title=title, lead="", engine="none", flags=("english",) if language == "en" else ("untranslated",)),
        ),
        mentions=tuple(mentions),
        relevant=more.get("relevant", True),
        score=more.get("score", 0.9),
    )


class Desk:
    """A stage and its memory: what it published, what it dropped."""

    def __init__(self, **config: Any) -> None:
        self.stage, self.state = make_stage(Config(**config), NAMES), Overlay(Nothing())
        self.stories: list[Story] = []
        self.alerts: list[Alert] = []
        self.drops: list[str] = []

    def take(self, *messages: Tagged) -> "Desk":
        for message in messages:
            for out in self.stage.process(message, self.state):
                if isinstance(out, Drop):
                    self.drops.append(out.reason)
                else:
                    assert isinstance(out, Emit)
                    {STORIES.name: self.stories, ALERTS.name: self.alerts}[out.topic.name].append(out.message)
        return self

    def story_of(self, mention_id_: str) -> str | None:
        newest = {story.id: story for story in self.stories}
        homes = {m.id: story.id for story in newest.values() for m in story.mentions}
        return homes.get(mention_id_)

    def home(self, message: Tagged) -> str | None:
        return self.story_of(next(m.id for m in message.mentions if m.main))

    @property
    def changes(self) -> list[str]:
        return [alert.change for alert in self.alerts]


# --- one event, one story ------------------------------------------------------------------------------------------------------


def visit(article: str, text: str = "The envoy met the leader.", **more: Any) -> Tagged:
    """Shoigu sees Kim in Pyongyang on 13 September, as `article` tells it."""
    about = {
        key: more.pop(key)
        for key in ("actors", "place", "when", "stance", "direction", "says", "speaker", "number", "event", "start", "main")
        if key in more
    }
    fields = {"actors": (SHOIGU, KIM), "place": "Pyongyang", "when": "2024-09-13", "direction": "to_dprk"} | about
    main = mention(article, str(fields.pop("event", "visit")), text, **fields)
    return tagged(article, more.pop("title", text), [main, *more.pop("also", ())], **more)


ITALIAN = visit("gazzetta", "Il segretario del Consiglio di sicurezza è stato ricevuto dal leader.", language="it", when="--09-14")
RUSSIAN = visit("vestnik", "Секретаря Совбеза приняли в столице КНДР.", language="ru", published=None, when="2024-09-13")
KOREAN = visit("sinmun", "쇼이구 서기가 평양을 방문했다.", language="ko", when=None, place=None)


def test_one_meeting_in_four_languages_is_one_story() -> None:
    english = visit("herald")
    desk = Desk().take(english, ITALIAN, RUSSIAN, KOREAN)
    assert {desk.home(one) for one in (english, ITALIAN, RUSSIAN, KOREAN)} == {english.mentions[0].id}
    assert desk.alerts[0].change == "new"
    assert desk.changes == ["new", "origins"]  # the third of four independent outlets speaks, nobody else does
    assert desk.stories[-1].origins == 4
    assert desk.stories[-1].why[0].rule == "matched"


@pytest.mark.parametrize(
    "other",
    [
        {"actors": (LAVROV, KIM)},
        {"when": "2024-10-13", "published": "2024-10-13"},
        {"when": "--10-14", "published": None},
        {"when": "2023-09-13", "published": "2023-09-13"},
        {"place": "Wonsan"},
        {"direction": "to_russia", "place": "Vladivostok"},
        {"event": "energy", "actors": STATES},
    ],
    ids=["minister", "month", "month without a year", "year", "city", "the other way", "event"],
)
def test_another_of_anything_is_another_story(other: dict[str, Any]) -> None:
    first, second = visit("herald"), visit("courier", "Somebody else was somewhere else.", **other)
    desk = Desk().take(first, second)
    assert desk.home(first) != desk.home(second)
    assert desk.changes == ["new", "new"]


@pytest.mark.parametrize("when", ["2024-09-13", "--09-13", "2024-09", "--09", "2024", None])
@pytest.mark.parametrize("published", ["2024-09-14", None])
def test_a_date_that_is_only_partly_known_still_finds_its_story(when: str | None, published: str | None) -> None:
    first, second = visit("herald"), visit("courier", "A second report.", when=when, published=published)
    assert Desk().take(first, second).home(second) == first.mentions[0].id
    assert Desk().take(second, first).home(first) == second.mentions[0].id


def test_meeting_the_host_and_his_minister_is_one_visit() -> None:
    first = visit("herald", actors=(BELOUSOV, KIM))
    second = visit("courier", "The two ministers talked.", actors=(BELOUSOV, NO_KWANG_CHOL), event="military", direction="mutual")
    assert Desk().take(first, second).home(second) == first.mentions[0].id


def test_leaders_alone_and_no_date_are_not_enough() -> None:
    undated = {"actors": (PUTIN, KIM), "when": None, "place": None, "published": None}
    first, second = visit("herald", "They met.", **undated), visit("courier", "Un altro vertice.", language="it", **undated)
    old = visit("post", "Another summit was held.", flags=("backlog",), **undated)
    desk = Desk().take(first, second, old)
    assert desk.home(first) == desk.home(second) != desk.home(old)  # two that come in on one day: the day says it


def test_a_region_contradicts_no_city_and_another_city_does() -> None:
    city = visit("herald", actors=(PUTIN, KIM), place="Vladivostok")
    region = visit("courier", "Kim and Putin talked.", actors=(PUTIN, KIM), place="the Far East")
    other = visit("post", "Kim and Putin elsewhere.", actors=(PUTIN, KIM), place="Khabarovsk")
    desk = Desk().take(city, region, other)
    assert desk.home(city) == desk.home(region) != desk.home(other)


def test_what_is_vague_goes_with_what_nothing_tells_it_apart_from() -> None:
    """Two claims of one day with numbers of their own are two stories; a third that says nothing of its own is no third one."""
    eight = claim("herald", "Thousands of boxes were counted.", ("8,700 boxes", 8700, None, "boxes"))
    rockets = claim("post", "Rockets were seen on a train.", ("450 rockets", 450, None, "rockets"))
    vague = claim("gazzetta", "Partono munizioni.", None, language="it")
    desk = Desk().take(eight, rockets, vague)
    assert desk.home(eight) != desk.home(rockets)
    assert desk.home(vague) in {desk.home(eight), desk.home(rockets)}
    assert desk.changes == ["new", "new"]


def test_what_goes_on_for_weeks_is_not_one_story() -> None:
    """A vague claim a day for three weeks: nobody can tell them apart by more than their days, and their days are not one."""
    days = [NOW + timedelta(days=n) for n in range(21)]
    claims = [
        claim(f"outlet{n}", f"{chr(97 + n) * 6} is said.", None, language="it" if n % 2 else "en", published=f"{day:%Y-%m-%d}", seen_at=day)
        for n, day in enumerate(days)
    ]
    desk = Desk().take(*claims)
    assert 5 <= len({desk.home(one) for one in claims}) <= 10
    numbered = [
        claim(f"paper{n}", f"{chr(97 + n) * 6} is said.", SHELLS, published=f"{day:%Y-%m-%d}", seen_at=day) for n, day in enumerate(days)
    ]
    desk = Desk().take(*numbered)
    assert len({desk.home(one) for one in numbered}) > 1


def test_who_says_so_counts_in_any_language() -> None:
    voices = {"Seoul": "Q884", "Seul": "Q884", "Сеул": "Q884", "Kyiv": "Q212"}
    names = NAMES._replace(speakers=lambda text, _language: [voices[text]] if text in voices else [])
    first = claim("herald", "Shells were counted.", ("8,700 boxes", 8700, None, "boxes"), says="Seoul")
    rival = claim("post", "Rockets were seen on a train.", ("450 rockets", 450, None, "rockets"), says="Kyiv")
    again = claim("gazzetta", "Altre munizioni, si dice.", None, language="it", says="Seul")
    desk = Desk()
    desk.stage = make_stage(Config(), names)
    desk.take(first, rival, again)
    assert desk.home(again) == desk.home(first) != desk.home(rival)


def test_what_the_watch_says() -> None:
    watch = load_watch(Path(__file__).resolve().parents[1] / "watches" / "russia-dprk")
    names = names_of(watch)
    assert {"Q7747", "Q56226"} == names.leaders
    assert {"russia", "north korea", "primorye"} <= names.broad
    assert "vladivostok" not in names.broad
    assert set(names.speakers("Il Cremlino", "it")) == set(names.speakers("Кремль", "ru")) == {"Q159", "russia"}


def claim(article: str, text: str, number: tuple[str, float, str | None, str | None] | None, **more: Any) -> Tagged:
    """A report of shells shipped, as Seoul alleges it."""
    about = {key: more.pop(key) for key in ("stance", "says", "event", "actors", "when") if key in more}
    fields = {"direction": "to_russia", "stance": "alleged", "says": "Seoul"} | about
    main = mention(article, str(fields.pop("event", "arms")), text, number=number, **fields)
    return tagged(article, more.pop("title", text), [main, *more.pop("also", ())], **more)


def test_a_claim_is_known_by_its_number_across_languages() -> None:
    first = claim("herald", "Seoul counts 8,700 boxes of shells.", ("8,700 boxes", 8700, None, "boxes"))
    second = claim(
        "gazzetta", "Per Seul sono quasi novemila le casse.", ("8.700 casse", 8700, None, "casse"), language="it", published=None
    )
    third = claim("courier", "Another delivery is suspected.", ("450 rockets", 450, None, "rockets"), published=None)
    desk = Desk().take(first, second, third)
    assert desk.home(second) == first.mentions[0].id
    assert desk.home(third) == third.mentions[0].id


def test_stories_of_different_realms_never_meet() -> None:
    desk = Desk().take(visit("herald"), visit("courier", realm="sample"))
    assert {(alert.change, alert.realm) for alert in desk.alerts} == {("new", "live"), ("new", "sample")}


# --- what opens, what adds -------------------------------------------------------------------------------------------------------


def recalling(article: str, when: str | None, **more: Any) -> Tagged:
    """An article about an oil delivery that recalls the visit."""
    about = mention(article, "energy", "A tanker arrived.", direction="to_dprk")
    back = mention(
        article, "visit", "The envoy had been there.", 30, role="background", actors=(SHOIGU, KIM), place="Pyongyang", when=when,
        direction="to_dprk",
    )  # fmt: skip
    return tagged(article, "A tanker arrived", [about, back], published="2024-11-20", **more)


def test_background_adds_to_a_story_that_exists_and_never_opens_one() -> None:
    desk = Desk().take(recalling("early", "2024-09-13"), visit("herald"), late := recalling("late", "2024-09-13"))
    assert desk.home(late) == desk.stories[0].id  # two reports of one tanker
    assert desk.story_of(late.mentions[1].id) == visit("herald").mentions[0].id
    assert len({story.id for story in desk.stories}) == 2
    assert "new" in desk.changes
    visit_story = next(story for story in reversed(desk.stories) if story.event == "visit")
    assert [a.article_id for a in visit_story.articles] == ["herald"]
    assert visit_story.origins == 1


def test_background_that_nothing_dates_is_nobodys() -> None:
    desk = Desk().take(visit("herald"), late := recalling("late", None))
    assert desk.story_of(late.mentions[1].id) is None


def test_an_article_with_background_alone_opens_nothing() -> None:
    only = mention("history", "visit", "He had been there.", 5, role="background", actors=(SHOIGU, KIM), when="2024-09-13")
    desk = Desk().take(tagged("history", "History", [only]))
    assert desk.drops == ["no_news"]
    assert not desk.stories
    desk.take(visit("herald"), tagged("more", "More history", [only.model_copy(update={"id": "other"})], published="2024-10-30"))
    assert desk.story_of("other") == desk.stories[0].id


def test_what_is_irrelevant_is_dropped() -> None:
    desk = Desk().take(visit("herald", relevant=False))
    assert desk.drops == ["irrelevant"]
    assert not desk.state.writes


def test_news_of_another_kind_beside_the_main_news_is_not_of_its_story() -> None:
    aside = mention("herald", "energy", "Oil flows too.", 200)
    desk = Desk().take(visit("herald", also=(aside,)))
    assert desk.story_of(aside.id) is None
    assert desk.stories[0].events == (EventType.VISIT,)


def test_a_passing_remark_is_kept_quietly_until_somebody_makes_it_news() -> None:
    quiet, loud = (visit("herald", start=400, main=True, score=score) for score in (0.7, 0.95))
    desk = Desk().take(quiet)
    assert desk.changes == []
    assert desk.home(quiet)
    assert next(why.cue for why in desk.stories[0].why if why.rule == QUIET).endswith("0.70 of 0.90")
    desk.take(visit("courier", "A report of its own.", score=0.6))
    assert desk.changes == ["new"]
    assert desk.alerts[0].source == "https://courier.example/feed"
    assert Desk().take(loud).changes == ["new"]  # deep in its article, and yet what it is about


# --- material changes ----------------------------------------------------------------------------------------------------------


def test_a_copy_joins_its_original_and_says_nothing() -> None:
    other = visit("mirror", "The text that was copied.", actors=STATES, when=None, place=None, published=None, copy_of="herald")
    desk = Desk().take(visit("herald"), other)
    assert desk.home(other) == visit("herald").mentions[0].id
    assert desk.changes == ["new"]
    assert (desk.stories[-1].origins, len(desk.stories[-1].articles)) == (1, 2)


def test_the_same_words_about_another_month_are_no_copy() -> None:
    other = visit("mirror", when="2024-10-13", published="2024-10-14", copy_of="herald")
    desk = Desk().take(visit("herald"), other, visit("echo", when=None, actors=STATES, place=None, copy_of="mirror"))
    assert desk.home(other) == other.mentions[0].id
    assert desk.changes == ["new", "new"]
    assert (desk.stories[-1].id, desk.stories[-1].origins) == (other.mentions[0].id, 1)


def test_an_agency_report_inside_a_longer_piece_is_no_copy() -> None:
    piece = visit("courier", "A paper was signed.", event="treaty", copy_of="herald", independent=0.7)
    desk = Desk().take(visit("herald"), piece)
    assert desk.home(piece) == visit("herald").mentions[0].id
    assert desk.changes == ["new", "event"]


def test_a_rewrite_says_nothing() -> None:
    desk = Desk().take(visit("herald"), visit("courier", "The leader received the envoy, wire services write.", origin="TASS"))
    assert desk.changes == ["new"]


SHELLS = ("5 million shells", 5e6, None, "shells")


@pytest.mark.parametrize(
    ("text", "number", "speaks"),
    [
        ("cinque milioni di proiettili", 5e6, False),
        ("almost five million", 4.95e6, False),
        ("6.3 million shells", 6.3e6, True),
    ],
)
def test_only_another_number_is_a_new_number(text: str, number: float, speaks: bool) -> None:
    first = claim("herald", "Seoul counts five million shells.", SHELLS)
    second = claim("courier", "Seoul counts five million shells now.", (text, number, None, "shells"))
    desk = Desk().take(first, second)
    assert desk.home(second) == first.mentions[0].id
    assert desk.changes == (["new", "quantity"] if speaks else ["new"])
    if speaks:
        assert "6.3 million shells" in desk.alerts[1].change_text
        assert desk.stories[-1].version == 2


def test_a_number_deep_in_an_earlier_article_is_known() -> None:
    deep = mention("herald", "arms", "Others speak of 7,100 rockets.", 900, number=("7,100 rockets", 7100, None, "rockets"))
    first = claim("herald", "Seoul counts five million shells.", SHELLS, also=(deep,))
    second = claim("courier", "Seoul counts five million shells, 7,100 rockets.", ("7,100 rockets", 7100, None, "rockets"))
    assert Desk().take(first, second).changes == ["new"]


def test_a_denial_speaks_once_wherever_it_stands() -> None:
    first = claim("herald", "Seoul counts five million shells.", SHELLS)
    no = mention("courier", "arms", "Moscow called it invented.", 700, stance="denied", says="Moscow")
    second = claim("courier", "Seoul counts five million shells, again.", SHELLS, also=(no,))
    again = mention("post", "arms", "Moscow again called it invented.", 300, stance="denied", says="Moscow")
    third = claim("post", "Seoul counts five million shells once more.", SHELLS, also=(again,), origin="Seoul Wire")
    desk = Desk(origins=()).take(first, second, third)
    assert desk.changes == ["new", "denial"]
    told = desk.alerts[1]
    assert (told.stance, told.says, told.evidence[0].text) == ("denied", "Moscow", "Moscow called it invented.")
    assert "Denied: arms by Moscow" in told.change_text


def test_a_plan_that_comes_true_is_a_confirmation() -> None:
    plan = visit("herald", "The envoy will go.", stance="planned", published="2024-09-11")
    done = visit("courier", "The envoy has gone.")
    desk = Desk().take(plan, done, visit("post", "The envoy has been there."))
    assert desk.home(done) == plan.mentions[0].id
    assert desk.changes == ["new", "confirmation", "origins"]


def test_a_new_event_type_and_a_new_person_speak() -> None:
    signed = mention("courier", "treaty", "They signed a paper.", 20, where="title", actors=(SHOIGU, KIM))
    with_more = visit("courier", "The envoy met the leader, a paper was signed.", also=(signed,))
    joined = visit("post", "The minister came along.", actors=(SHOIGU, BELOUSOV, KIM))
    desk = Desk(origins=()).take(visit("herald"), with_more, joined)
    assert desk.changes == ["new", "event", "actor"]
    assert "treaty" in desk.alerts[1].change_text
    assert "Andrei Belousov" in desk.alerts[2].change_text


def test_origins_are_newsrooms_not_articles() -> None:
    desks = [visit(f"outlet{i}", f"Report number {i} of it.", origin=origin) for i, origin in enumerate(["RIA", "Sputnik", "RIA Novosti"])]
    desk = Desk().take(*desks, visit("ria", "Report of the agency itself.", site="ria.ru"))
    assert desk.stories[-1].origins == 1
    assert desk.changes == ["new"]
    desk.take(
        visit("a", "One more.", origin="KCNA"), visit("b", "And one more.", origin="Yonhap"), visit("c", "And another.", origin="AFP")
    )
    assert desk.changes == ["new", "origins"]
    assert desk.alerts[1].origins == 3
    assert "RIA, KCNA, Yonhap" in desk.alerts[1].change_text


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("TASS", "tass"), ("tass.ru", "tass"), ("en.tass.com", "tass"), ("ИТАР-ТАСС", "итартасс"), ("RIA Novosti", "ria"),
        ("www.news.example.co.uk", "example"), ("en.yna.co.kr", "yonhap"), ("Yonhap", "yonhap"), ("KCNA", "kcna"), ("kcna.kp", "kcna"),
    ],
)  # fmt: skip
def test_origin_keys(name: str, key: str) -> None:
    assert key_of(name) == key


def test_minor_changes_wait_when_a_story_has_spoken_enough() -> None:
    numbers = [
        claim(f"outlet{i}", "Seoul counts the shells again.", (f"{n:.0f}", n, None, "shells")) for i, n in enumerate((5e6, 6e6, 7e6, 8e6))
    ]
    desk = Desk(a_day=2, origins=()).take(*numbers)
    assert desk.changes == ["new", "quantity", "quantity"]
    silent = [[why.cue for why in story.why if why.rule == QUIET] for story in desk.stories]
    assert silent[:3] == [[], [], []]  # a story that speaks gives no reason for silence
    assert "2 changes of its story were told within 24 hours: quantity waits" in silent[3][0]
    later = claim("late", "Seoul counts the shells again.", SHELLS, seen_at=NOW + timedelta(hours=30))
    desk.take(later)
    assert desk.changes == ["new", "quantity", "quantity", "quantity"]
    assert "8000000" in desk.alerts[-1].change_text


def test_the_policy_is_pure() -> None:
    desk = Desk().take(visit("herald"))
    story = Memory(desk.state).story(visit("herald").mentions[0].id)
    assert story is not None
    fresh = story.log.model_copy(update={"told": (), "facts": (), "numbers": ()})
    assert decide(story, fresh, NOW, Rules()) == decide(story, fresh, NOW, Rules())
    assert decide(story, story.log, NOW, Rules()) is None


def test_an_alert_carries_what_a_reader_needs() -> None:
    translation = Translation(title="The envoy at the leader's", lead="", engine="apertium", flags=("names_unchecked",))
    desk = Desk().take(
        visit("gazzetta", "L'inviato dal leader.", language="it", translation=translation, flags=("backlog",), origin="TASS")
    )
    (alert,) = desk.alerts
    assert (alert.title, alert.title_english, alert.language) == ("L'inviato dal leader.", "The envoy at the leader's", "it")
    assert alert.flags == ("names_unchecked", "backlog")
    assert alert.evidence[0].text == "L'inviato dal leader."
    assert "Shoigu" in alert.event_line
    assert [why.rule for why in alert.why] == ["new", "told_new"]
    untranslated = Desk().take(ITALIAN).alerts[0]
    assert "untranslated" in untranslated.flags
    assert untranslated.title_english is None


# --- conflicts -------------------------------------------------------------------------------------------------------------------


def test_sources_that_disagree_on_the_day_are_told() -> None:
    desk = Desk().take(visit("herald", origin="RIA"), visit("courier", "On the 14th.", when="--09-14", origin="Yonhap"))
    (conflict,) = desk.stories[-1].conflicts
    assert [(claim.value, claim.by) for claim in conflict.claims] == [("2024-09-13", ("RIA",)), ("--09-14", ("Yonhap",))]
    desk.take(visit("post", "A denial.", stance="denied", says="Moscow", origin="AFP"))
    assert "Sources disagree on the date (visit): 2024-09-13 (RIA, AFP), --09-14 (Yonhap)" in desk.alerts[-1].change_text


def test_sources_that_disagree_on_a_number_are_told() -> None:
    first = claim("herald", "Seoul counts five million shells.", SHELLS)
    second = claim("courier", "Kyiv counts five million shells and more.", ("6.3 million shells", 6.3e6, None, "shells"), says="Kyiv")
    desk = Desk().take(first, second)
    (conflict,) = desk.stories[-1].conflicts
    assert conflict.about == "number"
    assert "5 million shells" in desk.alerts[-1].change_text
    assert "Sources disagree on the number" in desk.alerts[-1].change_text


def test_a_number_is_compared_across_languages_and_wherever_it_stands() -> None:
    def troops(name: str, text: str, number: tuple[str, float, str | None, str | None], thing: str | None, **more: Any) -> Tagged:
        told = mention(name, "troops", text, 30, number=number, says="Seoul")
        quantity = Quantity(text=number[0], number=number[1], unit=number[2], item=number[3], thing=thing)
        told = told.model_copy(update={"quantity": quantity})
        main = mention(name, "troops", "Soldiers go to Kursk.", when="2024-09-13", place="Kursk region", says="Seoul")
        return tagged(name, "Soldiers go to Kursk", [main, told], **more)

    english = troops("herald", "10,000 soldiers are to go.", ("10,000 soldiers", 10_000, None, "soldiers"), "soldiers", origin="Reuters")
    italian = troops(
        "gazzetta", "Dodicimila soldati.", ("Dodicimila soldati", 12_000, None, "soldati"), "soldiers", origin="ANSA", language="it"
    )
    korean = troops("ilbo", "1만5000명.", ("1만5000명", 15_000, "people", None), None, origin="Yonhap")
    workers = troops("post", "600 workers.", ("600 workers", 600, None, "workers"), "workers", origin="AFP")
    desk = Desk().take(english, italian, korean, workers)
    (conflict,) = desk.stories[-1].conflicts
    assert (conflict.about, conflict.event) == ("number", "troops")
    assert [(claim.value, claim.by) for claim in conflict.claims] == [
        ("10,000 soldiers", ("Reuters",)), ("Dodicimila soldati", ("ANSA",)), ("1만5000명", ("Yonhap",)),
    ]  # fmt: skip
    assert Desk().take(english, workers).stories[-1].conflicts == ()


def disputed(*told: tuple[str, str, str | None, str], event: str = "visit") -> Story:
    """A story of articles that tell one event so: (outlet, stance, says, origin)."""
    desk = Desk()
    for name, stance, says, origin in told:
        speaker = Actor(name=says) if says else None
        more: dict[str, Any] = {
            "stance": stance,
            "says": says,
            "speaker": speaker,
            "actors": (KIM, SHOIGU),
            "when": "2024-09-13",
            "place": "Pyongyang",
        }
        text = f"{name}: {stance} it is."
        desk.take(tagged(name, "Shoigu and Kim in Pyongyang", [mention(name, event, text, **more)], origin=origin))
    assert len({story.id for story in desk.stories}) == 1
    return desk.stories[-1]


def test_whether_it_happened_is_a_disagreement_between_those_who_are_quoted() -> None:
    story = disputed(
        ("herald", "asserted", None, "Kyodo"), ("courier", "alleged", "Seoul", "AFP"), ("post", "denied", "the Kremlin", "AFP")
    )
    (conflict,) = [one for one in story.conflicts if one.about == "stance"]
    assert [(claim.value, claim.by) for claim in conflict.claims] == [
        ("asserted", ("Kyodo",)), ("alleged", ("Seoul",)), ("denied", ("the Kremlin",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "event", "disagree"),
    [
        # one source that takes its word back contradicts itself, not another
        ((("herald", "asserted", "Seoul", "AP"), ("courier", "denied", "Seoul", "AFP")), "visit", False),
        # nobody says that it happened
        ((("herald", "denied", "Moscow", "AP"), ("courier", "denied", "Pyongyang", "AFP")), "visit", False),
        ((("herald", "planned", None, "AP"), ("courier", "denied", "Pyongyang", "AFP")), "visit", False),
        # what stopped had been; a visit that was called off had not
        ((("herald", "asserted", None, "AP"), ("courier", "negated", None, "AFP")), "arms", False),
        ((("herald", "asserted", None, "AP"), ("courier", "negated", None, "AFP")), "visit", True),
        ((("herald", "alleged", "Kyiv", "AP"), ("courier", "denied", "Moscow", "AFP")), "arms", True),
    ],
)
def test_only_a_yes_against_another_s_no_is_a_disagreement(told: Any, event: str, disagree: bool) -> None:
    assert any(one.about == "stance" for one in disputed(*told, event=event).conflicts) == disagree


def test_a_disagreement_is_in_the_words_of_the_denial() -> None:
    denial = visit("post", "A denial.", stance="denied", says="정부", speaker=Actor(name="South Korea", qid="Q884"), origin="AFP")
    desk = Desk().take(visit("herald", origin="RIA"), denial)
    assert desk.alerts[-1].change == "denial"
    assert desk.alerts[-1].change_text == (
        "Denied: visit by South Korea. Sources disagree on whether it happened (visit): asserted (RIA), denied (South Korea)"
    )


def test_a_speaker_nobody_knows_is_shown_by_who_quotes_it_and_one_article_is_no_disagreement() -> None:
    unknown = visit("post", "A denial.", stance="denied", says="журналистам", origin="AFP")
    (conflict,) = Desk().take(visit("herald", origin="RIA"), unknown).stories[-1].conflicts
    assert [claim.by for claim in conflict.claims] == [("RIA",), ("quoted by AFP",)]
    denial = mention("post", "visit", "It is denied.", 40, stance="denied", says="Moscow", actors=(KIM, SHOIGU))
    met = mention("post", "visit", "Shoigu met Kim.", actors=(KIM, SHOIGU), when="2024-09-13", place="Pyongyang")
    assert Desk().take(tagged("post", "Shoigu met Kim", [met, denial])).stories[-1].conflicts == ()


def test_who_denies_is_one_whatever_the_language_calls_it() -> None:
    kremlin = Actor(name="Russia", qid="Q159", side="russia")
    yes = mention("a", "visit", "Yes.", actors=(KIM, SHOIGU), when="2024-09-13", place="Pyongyang", says="Moscow", speaker=kremlin)
    no = mention(
        "b", "visit", "No.", actors=(KIM, SHOIGU), when="2024-09-13", place="Pyongyang", says="Москва", speaker=kremlin, stance="denied"
    )
    desk = Desk().take(tagged("a", "Shoigu and Kim", [yes], origin="AP"), tagged("b", "Shoigu and Kim", [no], origin="AFP"))
    assert len({story.id for story in desk.stories}) == 1
    assert desk.stories[-1].conflicts == ()


def test_a_month_is_no_contradiction_and_neither_is_a_copy_or_another_thing() -> None:
    came_true = Desk().take(visit("herald", stance="planned", when="2024-09-12"), visit("courier", "It was on the 13th."))
    months = Desk().take(visit("herald"), visit("courier", "In September.", when="2024-09"))
    copies = Desk().take(visit("herald"), visit("mirror", "Copied.", when="2024-09-14", copy_of="herald"))
    both = mention("courier", "arms", "Of them 900 arrived.", 50, number=("900 boxes", 900, None, "shells"))
    first = claim("herald", "Seoul counts shells, 900 so far.", ("900 shells", 900, None, "shells"))
    things = Desk().take(first, claim("courier", "Seoul counts shells, 900 so far, of many.", SHELLS, also=(both,)))
    for desk in (months, copies, things, came_true):
        assert len({story.id for story in desk.stories}) == 1
        assert desk.stories[-1].conflicts == ()
    assert conflicts(()) == ()


# --- redelivery, edits, crashes ----------------------------------------------------------------------------------------------------


def test_a_redelivery_changes_nothing_and_says_nothing() -> None:
    desk = Desk().take(visit("herald"), ITALIAN)
    state, stories = dict(desk.state.writes), len(desk.stories)
    desk.take(visit("herald"), ITALIAN, visit("herald", seen_at=NOW + timedelta(days=2)))
    assert desk.drops == ["redelivered"] * 3
    assert (desk.state.writes, len(desk.stories)) == (state, stories)


def test_an_edited_article_replaces_its_part() -> None:
    edited = visit("herald", "The envoy met the leader, who smiled.", edition=2)
    desk = Desk().take(visit("herald"), edited)
    assert desk.changes == ["new"]
    assert [a.title for a in desk.stories[-1].articles] == ["The envoy met the leader, who smiled."]
    assert desk.stories[-1].id == visit("herald").mentions[0].id


def test_an_edit_that_brings_news_is_told_once() -> None:
    desk = Desk().take(claim("herald", "Seoul counts shells.", SHELLS))
    edited = claim("herald", "Seoul counts shells anew.", ("7 million shells", 7e6, None, "shells"), edition=2)
    desk.take(edited, edited)
    assert desk.changes == ["new", "quantity"]


def test_an_edit_that_tells_of_something_else_moves() -> None:
    desk = Desk().take(visit("herald"), visit("courier", "The second report."))
    moved = visit("courier", "Another minister, after all.", actors=(LAVROV, KIM), place="Wonsan", edition=2)
    desk.take(moved)
    assert desk.home(moved) == moved.mentions[0].id != visit("herald").mentions[0].id
    first = [story for story in desk.stories if story.id == visit("herald").mentions[0].id][-1]
    assert [a.article_id for a in first.articles] == ["herald"]


def test_an_edit_that_tells_of_nothing_is_taken_back_unless_it_was_the_only_one() -> None:
    desk = Desk().take(visit("herald"), visit("courier", "The second report."))
    desk.take(visit("courier", "Football.", relevant=False, edition=2))
    assert [a.article_id for a in desk.stories[-1].articles] == ["herald"]
    desk.take(visit("herald", "Football.", relevant=False, edition=2))
    assert [a.article_id for a in desk.stories[-1].articles] == ["herald"]


SCENE: tuple[Tagged, ...] = (
    visit("herald"),
    ITALIAN,
    claim("post", "Seoul counts five million shells.", SHELLS),
    visit("mirror", "Copied.", copy_of="herald"),
    claim("courier", "Seoul counts five million shells, or more.", ("6.3 million shells", 6.3e6, None, "shells")),
    RUSSIAN,
    recalling("late", "2024-09-13"),
    visit("wonsan", "Elsewhere.", place="Wonsan"),
)


def node() -> Node:
    return Node("stories", (TAGGED,), (STORIES, ALERTS), REASONS, make_stage(Config(), NAMES))


def test_a_crash_at_any_statement_changes_nothing(tmp_path: Path) -> None:
    calm = drive(node, SCENE, tmp_path / "calm")
    crashed = drive(node, [*SCENE[:3], CRASH, *SCENE[3:6], CRASH, *SCENE[6:], *SCENE, CRASH], tmp_path / "crashed", batch=2)
    for topic in (STORIES, ALERTS):
        assert crashed.messages(topic) == calm.messages(topic)
        assert calm.messages(topic)
    assert not crashed.dead


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, len(SCENE) - 1), max_size=12))
def test_redeliveries_anywhere_give_the_same_alerts(again: list[int]) -> None:
    """Each article for the first time in its order, with redeliveries of what has passed strewn in between."""
    calm = Desk().take(*SCENE)
    noisy = Desk()
    for index, message in enumerate(SCENE):
        noisy.take(message, *(SCENE[i] for i in again if i <= index))
    assert [a.id for a in noisy.alerts] == [a.id for a in calm.alerts]
    assert noisy.state.writes == calm.state.writes
    assert {a.id for a in noisy.alerts} == set(dict.fromkeys(a.id for a in noisy.alerts))


APART = (
    (visit("herald"), ITALIAN, RUSSIAN),
    (claim("post", "Seoul counts five million shells.", SHELLS), claim("courier", "Seoul counts five million shells?", SHELLS)),
    (visit("lavrov", "The foreign minister came.", actors=(LAVROV, KIM), when="2024-09-13"),),
    (visit("october", "A month later.", when="2024-10-13", published="2024-10-14"),),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations([i for i, story in enumerate(APART) for _ in story]))
def test_how_stories_interleave_changes_no_alert(order: list[int]) -> None:
    """Each story's articles in their own order, the stories mixed in any way: the same alerts, with the same ids."""
    calm = Desk().take(*(message for story in APART for message in story))
    queues: list[Iterator[Tagged]] = [iter(story) for story in APART]
    mixed = Desk().take(*(next(queues[i]) for i in order))
    assert {a.id for a in mixed.alerts} == {a.id for a in calm.alerts}
    assert len(mixed.alerts) == len(calm.alerts)
    assert {s.id for s in mixed.stories} == {s.id for s in calm.stories}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations([message for story in APART for message in story]))
def test_in_any_order_the_same_articles_are_together(order: list[Tagged]) -> None:
    desk = Desk().take(*order)
    for story in APART:
        assert len({desk.home(message) for message in story}) == 1
    assert len({desk.home(message) for message in order}) == len(APART)
    assert desk.changes.count("new") == len(APART)


# --- bounds ------------------------------------------------------------------------------------------------------------------------


class Counting(Overlay):
    """State that counts what is read."""

    reads = 0

    def get(self, key: str) -> bytes | None:
        self.reads += key.startswith("profile/")
        return super().get(key)


def test_matching_does_not_read_every_story() -> None:
    stage, state = make_stage(Config(), NAMES), Counting(Nothing())
    for number in range(360):
        day = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=number)
        message = visit(
            f"outlet{number}", f"Report {number}.", actors=STATES, place=None, when=f"{day:%Y-%m-%d}", published=f"{day:%Y-%m-%d}"
        )
        list(stage.process(message, state))
    state.reads = 0
    list(stage.process(visit("herald", when="2023-07-01", published="2023-07-01"), state))
    assert 0 < state.reads < 50
    assert MAX_CANDIDATES < 1000


def test_old_stories_are_forgotten_by_ticks_and_their_articles_with_them(tmp_path: Path) -> None:
    stage, state = make_stage(Config(keep_days=10), NAMES), Overlay(Nothing())
    assert stage.on_tick is not None
    list(stage.process(visit("herald"), state))
    list(stage.on_tick(NOW + timedelta(days=9), state))
    assert Memory(state).count() == 1
    list(stage.on_tick(NOW + timedelta(days=11), state))
    assert Memory(state).count() == 0
    assert {key for key, value in state.writes.items() if value is not None} == {"count"}
    tick = Tick(id="t", seen_at=NOW, trace="t", at=NOW + timedelta(days=60))
    driven = drive(node, [visit("herald"), tick, visit("herald", "Again, much later.", edition=2)], tmp_path)
    assert [alert.change for alert in driven.messages(ALERTS)] == ["new"] * 2
    assert driven.messages(ALERTS)[0].id == driven.messages(ALERTS)[1].id


def test_there_are_never_more_stories_than_allowed() -> None:
    desk = Desk(max_stories=3)
    for number in range(1, 8):
        desk.take(visit(f"outlet{number}", when=f"2024-{number:02}-01", published=None, seen_at=NOW + timedelta(hours=number)))
    assert Memory(desk.state).count() == 3
    kept = [key for key, value in desk.state.writes.items() if key.startswith("story/") and value is not None]
    assert len(kept) == 3


def test_a_story_with_very_many_articles_stays_bounded() -> None:
    desk = Desk().take(*(visit(f"outlet{n}", f"The report of outlet {n}.") for n in range(150)))
    assert len({story.id for story in desk.stories}) == 1
    assert len(desk.stories[-1].articles) == 60
    assert desk.stories[-1].origins == 150
    assert desk.changes == ["new", "origins", "origins"]


# --- dates -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "days"),
    [
        ("2024-09-13", "2024-09-14", 1), ("2024-09-13", "--09-14", 1), ("--12-31", "2025-01-01", 1), ("--12-31", "--01-01", 1),
        ("2024-09", "2024-09-13", 0), ("2024-09", "2024-10-02", 2), ("2024", "2024-09-13", 0), ("2023", "2024-01-03", 3),
        ("--02-29", "2023-03-01", 0), ("--09", "2024-09-30", 0), ("2024-09-13", "2023-09-13", 366),
    ],
)  # fmt: skip
def test_days_between_partial_dates(one: str, other: str, days: int) -> None:
    first, second = parts(one), parts(other)
    assert first is not None
    assert second is not None
    assert gap(first, second) == gap(second, first) == days


def test_a_date_in_no_calendar_is_none() -> None:
    assert parts("2023-02-30") is None
    assert parts("--02-29") is not None
    assert parts(None) is None


# --- goldens -----------------------------------------------------------------------------------------------------------------------


def test_what_a_scene_publishes_is_as_agreed() -> None:
    """`make golden` writes it anew: review the diff."""
    desk = Desk().take(*SCENE)
    shown = {
        "alerts": [
            a.model_dump(mode="json", by_alias=True, include={"id", "story", "change", "change_text", "source", "why"}) for a in desk.alerts
        ],
        "stories": [
            {"id": s.id, "version": s.version, "events": s.events, "when": s.when, "origins": s.origins, "why": s.why[0].model_dump()}
            | {"articles": [a.article_id for a in s.articles], "conflicts": [c.model_dump(mode="json") for c in s.conflicts]}
            for s in desk.stories
        ],
    }
    text = json.dumps(shown, indent=1, ensure_ascii=False) + "\n"
    file = GOLDEN / "scene.json"
    if os.environ.get("TUMEN_WRITE_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text
