"""`tumen explain`: each stage's decision and each cue, for what was told and for what was not; nothing is made up."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tumen.bus_embedded import EmbeddedBus
from tumen.cli import invoke
from tumen.cli._kit import CLOCKS, kit_of
from tumen.codec import decode, encode
from tumen.ids import article_id, item_id
from tumen.messages import Item, Message
from tumen.pipeline import build_nodes, load_topology
from tumen.runner import Node, make_runner, settle
from tumen.settings import Settings
from tumen.stage import Drop, Emit, GatewaySpec, Stage, StageSpec
from tumen.state import State
from tumen.testing import Counts
from tumen.topics import ALERTS, ITEMS, STORIES, TAGGED

NOW = datetime.now(UTC)
NEWS = (
    "Lavrov arriva a Pyongyang e incontra Kim Jong Un",
    "Il ministro degli Esteri russo Sergei Lavrov è arrivato oggi a Pyongyang e ha incontrato Kim Jong Un, riferisce la TASS.\n"
    "I due hanno parlato dei collegamenti ferroviari tra Russia e Corea del Nord.",
)
AGAIN = (
    "Pyongyang, Lavrov da Kim Jong Un",
    "Il capo della diplomazia russa Sergei Lavrov ha incontrato oggi a Pyongyang il leader nordcoreano Kim Jong Un.\n"
    "Lo scrive l'agenzia. Al centro della visita in Corea del Nord i rapporti con la Russia.",
)
ALONE = ("Maltempo a Pyongyang", "Piogge forti hanno allagato ieri alcune strade di Pyongyang, secondo i media locali.")
FOOD = (
    "Kimchi e borsch",
    "Un cuoco russo e una cuoca nordcoreana hanno aperto un ristorante a Milano: in cucina barbabietole, cavolo e peperoncino.",
)


def item(site: str, words: tuple[str, str], **more: Any) -> Item:
    title, body = words
    source, url = f"https://{site}/rss", f"https://{site}/1"
    article = article_id(source, url)
    identity = item_id(article, title, body)
    fields: dict[str, Any] = {"id": identity, "trace": identity, "article_id": article, "source": source, "site": site, "url": url}
    fields |= {"seen_at": NOW, "published_at": NOW, "published": f"{NOW:%Y-%m-%d}", "title": title, "body": body, "body_type": "text"}
    return Item(**{**fields, **more})


def pipeline(data: Path) -> list[Node]:
    """The stages and the archive, as `tumen run` has them."""
    settings = Settings(data=data, translation={"engine": "none"})
    kit = kit_of(settings, extra={"metrics": None})
    return build_nodes(
        load_topology(), kit, lambda declared: isinstance(declared.spec, StageSpec | GatewaySpec) or declared.name == "archive"
    )


def play(data: Path, items: Sequence[Item], nodes: Sequence[Node]) -> None:
    with EmbeddedBus(data / "bus.db") as bus:
        runners = [make_runner(node, bus, Counts(), CLOCKS, batch=50, max_lag=10**6) for node in nodes]
        wire = bus.join("wire", ())
        for one in items:
            wire.commit({}, [encode(Emit(ITEMS, one))], {})
            settle(runners)
        wire.close()
        for runner in runners:
            runner.close()
        for node in nodes:
            close = getattr(node.work, "close", None)
            if close is not None and node.name == "archive":
                close()


def held(data: Path, topic: Any) -> list[Any]:
    with EmbeddedBus(data / "bus.db") as bus:
        return [decode(topic, record.value) for record in bus.read(topic.name, 0, 10**6)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which a day has passed."""
    folder = tmp_path_factory.mktemp("data")
    items = [item("uno.example", NEWS), item("due.example", AGAIN), item("tre.example", ALONE), item("quattro.example", FOOD)]
    play(folder, items, pipeline(folder))
    return folder


Explain = Any


@pytest.fixture
def explain(data: Path, capsys: pytest.CaptureFixture[str]) -> Explain:
    def run(*subjects: str, folder: Path = data) -> tuple[int, list[dict[str, Any]], str]:
        status = invoke(["explain", "--json", "--data", str(folder), *subjects])
        shown = capsys.readouterr()
        return status, [json.loads(line) for line in shown.out.splitlines()], shown.err

    return run


def decisions(account: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["stage"], step["decision"]) for step in account["steps"]]


WHOLE = [("screen", "passed"), ("clean", "passed"), ("dedupe", "passed"), ("translate", "passed"), ("tag", "passed"), ("stories", "passed")]


def test_what_was_told_stage_by_stage(data: Path, explain: Explain) -> None:
    status, (account,), _ = explain(item("uno.example", NEWS).article_id)
    assert status == 0
    assert decisions(account) == [*WHOLE, ("stories", "told")]
    assert (account["told"], account["stopped"]) == (True, None)
    tagged = next(one for one in held(data, TAGGED) if one.trace == account["item"])
    step = account["steps"][4]
    assert step["mentions"] == [mention.model_dump(mode="json", by_alias=True) for mention in tagged.mentions]
    assert step["why"][0]["rule"] == "relevant"
    assert all(mention["why"] for mention in step["mentions"])
    assert "Lavrov" in account["steps"][0]["why"][0]["cue"]
    assert not any(step["recomputed"] for step in account["steps"])
    assert held(data, ALERTS)[0].id in account["steps"][-1]["says"]


def test_every_name_of_it_leads_there(data: Path, explain: Explain) -> None:
    alert, one = held(data, ALERTS)[0], item("uno.example", NEWS)
    mention = held(data, TAGGED)[0].mentions[0].id
    expected = explain(one.article_id)[1][0]
    for name in (one.id, one.url, alert.id, mention):
        accounts = explain(name)[1]
        assert {**expected, "subject": name} in accounts, name
    assert {account["article"] for account in explain(alert.story)[1]} >= {one.article_id}


def test_why_a_second_report_is_quiet(data: Path, explain: Explain) -> None:
    _, (account,), _ = explain(item("due.example", AGAIN).url)
    assert decisions(account) == [*WHOLE, ("stories", "quiet")]
    assert not account["told"]
    assert account["steps"][-2]["why"][0]["rule"] == "matched"
    recorded = [why.cue for story in held(data, STORIES) if story.trace == account["item"] for why in story.why if why.rule == "quiet"]
    assert [why["cue"] for why in account["steps"][-1]["why"]] == recorded != []
    assert held(data, ALERTS)[0].id in account["stopped"]["says"]


def test_a_drop_leaves_no_record_and_is_said_to_be_recomputed(explain: Explain) -> None:
    _, (account,), _ = explain(item("tre.example", ALONE).id)
    assert decisions(account) == [("screen", "dropped")]
    assert account["steps"][0]["recomputed"]
    assert account["steps"][0]["why"] == [{"stage": "screen", "rule": "dprk_alone", "cue": "Pyongyang"}]
    _, (account,), _ = explain(item("quattro.example", FOOD).id)
    assert decisions(account) == [*WHOLE[:5], ("stories", "dropped")]
    assert (account["steps"][-1]["says"], account["steps"][-1]["recomputed"]) == ("irrelevant", True)


def test_what_nobody_knows_is_one_line_and_1(data: Path, explain: Explain) -> None:
    status, accounts, error = explain("0123456789abcdef01234567")
    assert (status, accounts) == (1, [])
    assert len(error.splitlines()) == 1
    assert str(data / "bus.db") in error
    assert str(data / "archive.db") in error


def test_the_archive_alone_says_that_the_rest_is_gone(data: Path, explain: Explain, tmp_path: Path) -> None:
    (tmp_path / "archive.db").write_bytes((data / "archive.db").read_bytes())
    status, (account,), _ = explain(held(data, ALERTS)[0].id, folder=tmp_path)
    assert status == 0
    assert decisions(account) == [("stories", "passed"), ("stories", "told")]
    assert "no longer kept" in account["steps"][0]["says"]
    assert not (tmp_path / "bus.db").exists()


def test_what_waits_and_what_has_failed(explain: Explain, tmp_path: Path) -> None:
    def fails(message: Message, state: State) -> Any:
        raise ValueError("a broken page")

    nodes = [
        Node(node.name, node.reads, node.writes, node.reasons, Stage(fails)) if node.name == "clean" else node
        for node in pipeline(tmp_path)
        if node.name in ("screen", "clean")
    ]
    play(tmp_path, [item("uno.example", NEWS)], nodes)
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        wire = bus.join("wire", ())
        wire.commit({}, [encode(Emit(ITEMS, item("due.example", AGAIN)))], {})
        wire.close()
    _, (account,), _ = explain(item("uno.example", NEWS).id, folder=tmp_path)
    assert decisions(account) == [("screen", "passed"), ("clean", "dead")]
    assert "a broken page" in account["stopped"]["says"]
    _, (account,), _ = explain(item("due.example", AGAIN).id, folder=tmp_path)
    assert decisions(account) == [("screen", "waiting")]


def test_what_memory_ended_is_not_guessed(explain: Explain, tmp_path: Path) -> None:
    """A stage that dropped for what it remembered lets the same through from an empty memory: the account says that it cannot know."""
    nodes = [
        Node(node.name, node.reads, node.writes, ("unchanged",), Stage(lambda _message, _state: [Drop("unchanged")]))
        if node.name == "dedupe"
        else node
        for node in pipeline(tmp_path)
        if node.name in ("screen", "clean", "dedupe")
    ]
    play(tmp_path, [item("uno.example", NEWS)], nodes)
    _, (account,), _ = explain(item("uno.example", NEWS).id, folder=tmp_path)
    assert decisions(account) == [("screen", "passed"), ("clean", "passed"), ("dedupe", "lost")]
    assert "no reason is kept" in account["stopped"]["says"]


def test_a_file_is_run_through_and_nothing_is_recomputed_or_left(explain: Explain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("news.txt").write_text("\n\n".join(NEWS), encoding="utf-8")
    Path("alone.txt").write_text("\n\n".join(ALONE), encoding="utf-8")
    Path("empty.txt").write_bytes(b"")
    status, (news, alone), error = explain("news.txt", "alone.txt", "empty.txt", folder=tmp_path / "none")
    assert status == 1
    assert "empty.txt" in error
    assert decisions(news) == [*WHOLE, ("stories", "told")]
    assert (alone["stopped"]["stage"], alone["stopped"]["says"]) == ("screen", "dprk_alone: Pyongyang")
    assert not alone["steps"][0]["recomputed"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.txt", "empty.txt", "news.txt"]


#: why nothing was told, at every stage that can say no: (site, words, more of the item) -> (stage, decision, what it says)
SILENT: list[tuple[str, tuple[str, str], dict[str, Any], tuple[str, str, str]]] = [
    ("neither.example", ("Pioggia in collina", "Domani pioverà sulle colline del Chianti."), {}, ("screen", "dropped", "neither")),
    (
        "gate.example",
        ("Access denied", "<h1>Access denied</h1><p>You cannot read “Russia and North Korea” here. Please enable JavaScript.</p>"),
        {"body_type": "html"},
        ("clean", "dropped", "refusal"),
    ),
    ("recipe.example", ("Морковь по-корейски", "Этот рецепт знают в каждом российском доме, а корейская кухня его не знает."), {}, (
        "stories", "dropped", "irrelevant",
    )),
    ("copy.example", NEWS, {}, ("stories", "quiet", "nothing material")),
    ("again.example", AGAIN, {}, ("stories", "quiet", "nothing material")),
]  # fmt: skip


def test_each_stage_says_why_nothing_was_told(explain: Explain, tmp_path: Path) -> None:
    """Stage by stage, from what the bus holds: screened out, refused by cleaning, irrelevant, a copy, told already."""
    items = [item("uno.example", NEWS), *(item(site, words, **more) for site, words, more, _ in SILENT)]
    play(tmp_path, items, pipeline(tmp_path))
    for one, (site, _, _, (stage, decision, says)) in zip(items[1:], SILENT, strict=True):
        _, (account,), _ = explain(one.id, folder=tmp_path)
        assert not account["told"], site
        stopped = account["stopped"]
        assert (stopped["stage"], stopped["decision"]) == (stage, decision), site
        assert says in stopped["says"], site
    _, (copied,), _ = explain(items[4].id, folder=tmp_path)
    assert f"a copy of {items[0].article_id}" in next(step["says"] for step in copied["steps"] if step["stage"] == "dedupe")
    assert "told through other articles" in copied["stopped"]["says"]


def test_a_mention_is_shown_in_plover_s_words(data: Path, explain: Explain, capsys: pytest.CaptureFixture[str]) -> None:
    _, (account,), _ = explain(item("uno.example", NEWS).id)
    (tagged,) = [step for step in account["steps"] if step["stage"] == "tag"]
    visit = next(mention for mention in tagged["mentions"] if mention["event"] == "visit")
    assert visit["plover"] == {"type": "CONSULT", "mode": "visit", "context": ["diplomatic"]}
    assert invoke(["explain", "--data", str(data), item("uno.example", NEWS).id]) == 0
    assert "PLOVER CONSULT visit (diplomatic)" in capsys.readouterr().out


def test_old_news_is_archived_and_told_to_nobody(explain: Explain, tmp_path: Path) -> None:
    old = NOW - timedelta(days=40)
    play(tmp_path, [item("uno.example", NEWS, published_at=old, published=f"{old:%Y-%m-%d}")], pipeline(tmp_path))
    _, (account,), _ = explain(item("uno.example", NEWS).id, folder=tmp_path)
    assert decisions(account) == [*WHOLE, ("stories", "stale")]
    assert account["stopped"]["decision"] == "stale"


def test_for_a_person(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["explain", "--data", str(data), item("due.example", AGAIN).id, item("tre.example", ALONE).id]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "=> not told: quiet in stories" in shown
    assert "(recomputed: not recorded at the time)" in shown
