"""The translate gateway: with the real apertium where it is installed, and with a fake of it that hangs, dies and prints garbage."""

import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from processors import translate
from processors.translate.engine import Apertium, NoEngine
from processors.translate.gateway import Config, Gateway, Work
from processors.translate.pipe import EngineFailed
from processors.translate.wording import Wording, load_glossary
from tumen.errors import ConfigError
from tumen.messages import Article, Translated, Translation, Unique
from tumen.runner import Node
from tumen.settings import Settings, TranslationSettings
from tumen.stage import Job
from tumen.state import Nothing, Overlay
from tumen.testing import CRASH, drive
from tumen.topics import TRANSLATED
from tumen.watch import Entity, Hit, Watch, load_watch

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2024, 9, 14, 12, tzinfo=UTC)

#: a program as apertium's are: text to a NUL in, text to a NUL out; words in the text tell it to misbehave
FAKE = """\
#!{python}
import os, sys, time
log = open({log!r}, "a")
buffer = b""
while chunk := os.read(0, 65536):
    buffer += chunk
    while b"\\0" in buffer:
        text, _, buffer = buffer.partition(b"\\0")
        said = text.decode()
        log.write(f"{{os.getpid()}}\\t{{said}}\\n"); log.flush()
        said = "said " + said
        if "HANG" in said: time.sleep(3600)
        if "DIE" in said: os._exit(3)
        if "EMPTY" in said: said = ""
        if "LONG" in said: said = said * 40
        if "SYMBOLS" in said: said = "%$ 0101 ;;; 0101 ?!"
        if "LOSE" in said: said = "said this and no more"
        answer = said.encode() + b"\\0"
        if "TWICE" in said: answer *= 2
        if "BYTES" in said: answer = b"\\xff\\xfe said\\0"
        os.write(1, answer)
        if "LATER" in said: time.sleep(0.05); os.write(1, b"one more\\0")
"""


@pytest.fixture(scope="module")
def watch() -> Watch:
    return load_watch(ROOT / "watches" / "russia-dprk")


#: a watch of a few names: what the tests on the fake engine need of it
KNOWN = {
    "Corea del Nord": Entity(id="north-korea", name="North Korea", kind="state"),
    "Russia": Entity(id="russia", name="Russia", kind="state"),
    "Sergej Lavrov": Entity(id="lavrov", name="Sergey Lavrov", kind="person"),
    "Kim Jong Un": Entity(id="kim", name="Kim Jong Un", kind="person"),
    "Kursk": Entity(id="kursk", name="Kursk region", kind="place", aliases={"en": ("Kursk", "Kursk oblast")}),
    "Kim": Entity(id="kim", name="Kim Jong Un", kind="person"),
    "Corea": Entity(id="north-korea", name="North Korea", kind="state"),
}


def find(text: str, language: str) -> list[Hit]:
    found = re.finditer("|".join(KNOWN), text)
    return [Hit(m.start(), m.end(), KNOWN[m[0]], m[0], "weak" if m[0] in ("Corea", "Kim") else "name") for m in found]


class Fake:
    """A folder like apertium's, with one pair, Italian to English, whose only program is the fake."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._log = folder, folder / "asked.tsv"
        program = folder / "fake"
        program.write_text(FAKE.format(python=sys.executable, log=str(self._log)), encoding="utf-8")
        program.chmod(0o755)
        (folder / "modes").mkdir()
        (folder / "modes" / "ita-eng.mode").write_text(f"'{program}' $1\n", encoding="utf-8")

    def asked(self) -> list[tuple[str, str]]:
        """(process id, text) of all that reached it."""
        if not self._log.exists():
            return []
        return [(line.split("\t")[0], line.split("\t")[1].removesuffix(".[]")) for line in self._log.read_text().splitlines()]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


@pytest.fixture
def make(fake: Fake) -> Iterator[Callable[..., Gateway]]:
    """Makes gateways on the fake engine; their programs end with the test."""
    engines: list[Apertium] = []

    def make(seconds: float = 5.0, **config: Any) -> Gateway:
        engine = Apertium(fake.folder)
        engines.append(engine)
        assert engine.languages() == ("it",)
        return Gateway({"it": engine}, {"it": Wording("it", load_glossary()["it"], find)}, seconds, Config(**config))

    yield make
    for engine in engines:
        engine.close()


def unique(text: str, title: str = "Un titolo", language: str | None = "it", lead: str = "", number: int = 1) -> Unique:
    article = Article(
        id=f"article{number}",
        seen_at=NOW,
        trace="t",
        item_id="i",
        source="s",
        site="s",
        title=title,
        lead=lead,
        text=text,
        language=language,
    )
    return Unique(id=f"unique{number}", seen_at=NOW, trace="t", realm="sample", article=article)


def run(gateway: Gateway, *messages: Unique, state: Overlay | None = None) -> list[Translated]:
    """All messages accepted, then every job done, as the runner would."""
    state = state or Overlay(Nothing())
    outs = [out for message in messages for out in gateway.accept(message, state)]
    while jobs := gateway.due(state, NOW):
        for job in jobs:
            outs.extend(gateway.finish(job, gateway.perform(job), state, NOW))
    assert not list(state.scan("")), "an empty queue leaves nothing in state"
    return [out.message for out in outs]  # type: ignore[union-attr]


def one(gateway: Gateway, *args: Any, **kwargs: Any) -> Translation:
    (translated,) = run(gateway, unique(*args, **kwargs))
    return translated.translation


# --- what needs no engine --------------------------------------------------------------------------------------------------------


def test_english_keeps_its_own_words_and_asks_nobody(make: Callable[..., Gateway], fake: Fake) -> None:
    found = one(make(), "Moscow said so.", title="A title", lead="A lead", language="en")
    assert found == Translation(title="A title", lead="A lead", engine="none", flags=("english",))
    assert fake.asked() == []


@pytest.mark.parametrize("language", ["ru", "ko", None])
def test_a_language_without_engine_flows_on_at_once_and_says_so(make: Callable[..., Gateway], language: str | None) -> None:
    state = Overlay(Nothing())
    outs = list(make().accept(unique("Москва заявила.", title="Заголовок", language=language), state))
    assert [out.message.translation for out in outs] == [  # type: ignore[union-attr]
        Translation(title="Заголовок", lead="", engine="none", flags=("untranslated",))
    ]
    assert not list(state.scan(""))


# --- what a good engine gives ----------------------------------------------------------------------------------------------------


def test_title_lead_and_sentences_with_their_offsets(make: Callable[..., Gateway]) -> None:
    text = "La prima frase è qui. La seconda è questa!\nUn altro paragrafo."
    (translated,) = run(make(), unique(text, title="Un titolo", lead="La prima frase è qui."))
    found = translated.translation
    assert (found.title, found.lead, found.engine, found.flags) == ("Said Un titolo", "Said La prima frase è qui.", "apertium", ())
    in_text = [s for s in found.sentences if s.where == "text"]
    assert [s.source for s in in_text] == ["La prima frase è qui.", "La seconda è questa!", "Un altro paragrafo."]
    assert all(text[s.start : s.end] == s.source and s.english == f"Said {s.source}" for s in in_text)
    assert [(s.where, s.start, s.end) for s in found.sentences if s.where != "text"] == [("title", 0, 9)]
    assert (translated.id, translated.realm, translated.trace) == ("unique1", "sample", "t")


def test_no_sentence_is_translated_twice_in_an_article_or_in_its_copies(make: Callable[..., Gateway], fake: Fake) -> None:
    text = "Una frase. Un'altra frase. Una frase."
    first, second = run(make(), unique(text, lead="Una frase."), unique(text, title="Altro titolo", number=2))
    assert sorted(said for _, said in fake.asked()) == ["Altro titolo", "Un titolo", "Un'altra frase.", "Una frase."]
    assert [s.english for s in first.translation.sentences][1:] == [s.english for s in second.translation.sentences][1:]


def test_what_is_remembered_is_bounded(make: Callable[..., Gateway], fake: Fake) -> None:
    gateway = make(remember=2)
    run(gateway, unique("Prima. Seconda. Terza.", title="T"))
    run(gateway, unique("Terza. Prima.", title="T", number=2))
    asked = [said for _, said in fake.asked()]
    assert asked.count("Terza.") == 1
    assert asked.count("Prima.") == 2


def test_what_matters_goes_first_and_the_rest_is_cut_and_flagged(make: Callable[..., Gateway], fake: Fake) -> None:
    idle = [f"Il tempo di oggi è bello e il mare è calmo come ieri, numero {n}." for n in range(12)]
    text = " ".join([*idle, "La Corea del Nord ha scritto alla Russia."])
    found = one(make(max_chars=500), text)
    assert [said for _, said in fake.asked()][:2] == ["Un titolo", "La Zqaa ha scritto alla Zqab."]
    assert "Said La North Korea ha scritto alla Russia." in [s.english for s in found.sentences]
    assert 3 <= len(found.sentences) < 10
    assert found.flags == ("partial",)


# --- names and numbers -----------------------------------------------------------------------------------------------------------


def test_names_go_through_untouched_and_come_out_in_english(make: Callable[..., Gateway], fake: Fake) -> None:
    found = one(make(), "Sergej Lavrov ha visto Kim Jong Un a MOSCA.", title="Kiev attende")
    assert {said for _, said in fake.asked()} == {"Zqaa attende", "Zqaa ha visto Zqab a Zqac."}
    assert found.title == "Said Kyiv attende"
    assert found.sentences[1].english == "Said Sergey Lavrov ha visto Kim Jong Un a Moscow."
    assert found.flags == ()


def test_a_place_keeps_the_name_that_english_has_for_it_too(make: Callable[..., Gateway]) -> None:
    assert one(make(), "Sono nel Kursk.").sentences[1].english == "Said Sono nel Kursk."


def test_a_name_that_may_mean_something_else_is_not_made_into_it(make: Callable[..., Gateway]) -> None:
    """A bare "Corea" may be the other one; a bare "Kim" is a name all the same, whoever's."""
    assert one(make(), "La Corea e Kim dicono così.").sentences[1].english == "Said La Corea e Kim dicono così."


def test_a_lost_name_and_a_lost_number_are_flagged(make: Callable[..., Gateway]) -> None:
    assert one(make(), "Kim Jong Un dice LOSE.").flags == ("names_differ",)
    assert one(make(), "Ne arrivano 12.500 LOSE.").flags == ("numbers_differ",)
    assert one(make(), "Due ministri dicono LOSE.").flags == ()


def test_numbers_are_written_the_english_way(make: Callable[..., Gateway]) -> None:
    found = one(make(), "Sono 12.500 uomini, il 5,3%, 600 mila barili e 1.200.000,5 rubli nel 2024.")
    assert found.sentences[1].english == "Said Sono 12,500 uomini, il 5.3 per cento, 600,000 barili e 1,200,000.5 rubli nel 2024."
    assert found.flags == ()


def test_a_demonym_comes_back_from_its_stand_in() -> None:
    wording = Wording("it", load_glossary()["it"], find)
    prepared = wording.prepare("I soldati nordcoreani e i norvegesi ridono.")
    assert "nordcoreani" in prepared.text  # the stand-in is spoken of, so nobody stands in
    prepared = wording.prepare("Nordcoreani e sudcoreani ridono.")
    assert prepared.text == "Norvegesi e cileni ridono."
    assert wording.finish(prepared, "Norwegians and Chileans laugh.") == ("North Koreans and South Koreans laugh.", ())
    assert wording.finish(prepared, "They laugh, Chileans do.")[1] == ("names_differ",)


# --- what a sick engine does ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["EMPTY", "LONG", "SYMBOLS", "TWICE", "BYTES"])
def test_garbage_is_left_out_and_flagged_and_no_answer_shifts(make: Callable[..., Gateway], kind: str) -> None:
    found = one(make(), f"Una frase buona. Questa frase è {kind} davvero. Una frase dopo.")
    assert {s.source: s.english for s in found.sentences if s.where == "text"} == {
        "Una frase buona.": "Said Una frase buona.",
        "Una frase dopo.": "Said Una frase dopo.",
    }
    assert found.flags == ("engine_garbled", "partial")


def test_an_answer_that_comes_later_is_nobodys(make: Callable[..., Gateway], fake: Fake) -> None:
    gateway = make()
    run(gateway, unique("Questa è LATER.", title="Primo"))
    time.sleep(0.3)
    found = one(gateway, "Una frase dopo.", title="Secondo", number=2)
    assert found.title == "Secondo"
    assert [s.english for s in found.sentences] == ["Said Una frase dopo."]
    assert found.flags == ("engine_garbled", "partial", "title_untranslated")


def test_a_dead_engine_is_started_again(make: Callable[..., Gateway], fake: Fake) -> None:
    found = one(make(), "Una frase buona. Questa fa DIE. Una frase dopo.")
    assert [s.english for s in found.sentences] == ["Said Un titolo", "Said Una frase buona.", "Said Una frase dopo."]
    assert found.flags == ("engine_died", "partial")
    assert len({pid for pid, _ in fake.asked()}) == 2


def test_an_engine_killed_between_two_articles_is_started_again(make: Callable[..., Gateway], fake: Fake) -> None:
    gateway = make()
    run(gateway, unique("Una frase."))
    subprocess.run(["kill", "-9", fake.asked()[0][0]], check=True)
    time.sleep(0.2)
    found = one(gateway, "Frase nuova. Altra frase.", title="Secondo titolo", number=2)
    assert [s.english for s in found.sentences][-1] == "Said Altra frase."
    assert "engine_died" in found.flags


def test_a_hung_engine_holds_nobody_up(make: Callable[..., Gateway]) -> None:
    gateway = make(seconds=2.0)
    begun = time.monotonic()
    first, second, third = run(
        gateway,
        unique("Una frase buona. Questa fa HANG. Una frase dopo."),
        unique("Un altro articolo.", title="Anche qui HANG", number=2),
        unique("Un terzo articolo.", title="Terzo", number=3),
    )
    spent = time.monotonic() - begun
    assert spent < 5.5, "one wait for each hung text, and none for an engine that is being left alone"
    assert first.translation.title == "Said Un titolo"
    assert first.translation.flags == ("engine_timeout", "partial")
    assert (second.translation.title, second.translation.engine) == ("Anche qui HANG", "none")
    assert second.translation.flags == ("untranslated", "engine_timeout")
    assert third.translation.flags == ("untranslated", "engine_resting")


def test_an_engine_that_cannot_be_started_is_a_flag(make: Callable[..., Gateway], fake: Fake) -> None:
    gateway = make()
    (fake.folder / "fake").unlink()
    assert one(gateway, "Una frase.").flags == ("untranslated", "engine_died")
    assert one(gateway, "Una frase.", number=2).flags == ("untranslated", "engine_resting")


def test_too_many_waiting_pass_untranslated(make: Callable[..., Gateway]) -> None:
    gateway, state = make(queue=2), Overlay(Nothing())
    outs = [list(gateway.accept(unique("Una frase.", number=n), state)) for n in range(3)]
    assert [len(out) for out in outs] == [0, 0, 1]
    assert outs[2][0].message.translation.flags == ("untranslated", "busy")  # type: ignore[union-attr]
    assert [m.id for m in run(gateway, state=state)] == ["unique0", "unique1"]


def test_what_waits_for_an_engine_that_is_gone_flows_on(make: Callable[..., Gateway]) -> None:
    state = Overlay(Nothing())
    assert not list(make().accept(unique("Una frase."), state))
    (left,) = run(Gateway({}, {}, 1.0, Config()), state=state)
    assert left.translation == Translation(title="Un titolo", lead="", engine="none", flags=("untranslated", "no_engine"))


def test_a_result_that_comes_twice_is_given_out_once(make: Callable[..., Gateway]) -> None:
    gateway, state = make(), Overlay(Nothing())
    assert not list(gateway.accept(unique("Una frase."), state))
    (job,) = gateway.due(state, NOW)
    result = gateway.perform(job)
    assert len(list(gateway.finish(job, result, state, NOW))) == 1
    assert list(gateway.finish(job, result, state, NOW)) == []


def test_a_crash_at_any_statement_changes_nothing(make: Callable[..., Gateway], tmp_path: Path) -> None:
    def node() -> Node:
        return Node("translate", translate.SPEC.reads, translate.SPEC.writes, translate.SPEC.reasons, make(), workers=2)

    messages = [unique(f"Frase numero {n}.", title=f"Titolo {n}", number=n, language="en" if n == 2 else "it") for n in range(4)]
    calm, torn = tmp_path / "calm", tmp_path / "torn"
    calm.mkdir()
    torn.mkdir()
    expected = drive(node, messages, calm).messages(TRANSLATED)
    found = drive(node, [*messages[:2], CRASH, *messages[2:], CRASH], torn)
    assert not found.dead
    assert sorted(m.model_dump_json() for m in found.messages(TRANSLATED)) == sorted(m.model_dump_json() for m in expected)
    assert len(expected) == 4


def test_nothing_is_left_running_after_the_process_has_ended(fake: Fake) -> None:
    program = f"""
        from pathlib import Path
        from processors.translate.engine import Apertium
        engine = Apertium(Path({str(fake.folder)!r}))
        assert engine.translate("Una frase.", "it", 5.0) == "said Una frase."
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, check=True, timeout=60)
    (pid,) = {pid for pid, _ in fake.asked()}
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


# --- which engine ----------------------------------------------------------------------------------------------------------------


def test_a_pair_that_lacks_a_program_is_not_offered_and_doctor_says_what_to_install(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake.folder / "modes" / "spa-eng.mode").write_text("no-such-program-here x | cat\n", encoding="utf-8")
    engine = Apertium(fake.folder)
    assert engine.languages() == ("it",)
    assert engine.missing == {"spa-eng": ("no-such-program-here",)}
    monkeypatch.setattr(translate, "APERTIUM_DATA", fake.folder)
    findings = {finding.what: finding for finding in translate.doctor(Settings(languages=("it", "es", "en")))}
    assert findings["translation it"].state == "ok"
    assert "ita-eng" in findings["translation it"].meaning
    assert findings["translation es"].state == "missing"
    assert "no-such-program-here" in findings["apertium spa-eng"].meaning
    assert "translation en" not in findings


def test_two_hops_are_joined_and_three_are_too_many(fake: Fake) -> None:
    modes = fake.folder / "modes"
    (modes / "ita-eng.mode").rename(modes / "spa-eng.mode")
    shutil.copy(modes / "spa-eng.mode", modes / "ita-spa.mode")
    shutil.copy(modes / "spa-eng.mode", modes / "fra-ita.mode")
    engine = Apertium(fake.folder)
    assert set(engine.languages()) == {"it", "es"}
    assert engine.route("it") == "ita-spa-eng"
    assert engine.translate("Ciao", "it", 5.0) == "said said Ciao"
    engine.close()


def test_an_engine_asked_for_and_not_there_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "APERTIUM_DATA", tmp_path)
    settings = Settings(translation=TranslationSettings(engine="apertium"))
    with pytest.raises(ConfigError, match=r"translation\.engine = 'apertium'.*apertium-spa-ita"):
        translate.chosen(settings, {})
    assert translate.chosen(Settings(), {}) == {}
    assert translate.chosen(Settings(translation=TranslationSettings(engine="none")), {}) == {}


def test_no_engine_translates_nothing() -> None:
    assert NoEngine().languages() == ()
    with pytest.raises(EngineFailed):
        NoEngine().translate("Ciao", "it", 1.0)


# --- the real one ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(watch: Watch) -> Iterator[Gateway]:
    glossary = load_glossary()
    chosen = translate.chosen(Settings(languages=("it", "es", "en")), glossary)
    if set(chosen) != {"it", "es"}:
        pytest.skip("NOT TRIED: the real apertium (Debian: apertium cg3 apertium-spa-ita apertium-eng-spa) is not installed")
    yield Gateway(chosen, {code: Wording(code, glossary[code], watch.find) for code in chosen}, 20.0, Config())
    for engine in chosen.values():
        engine.close()  # type: ignore[attr-defined]


def test_real_italian_and_spanish_become_english(real: Gateway) -> None:
    text = "La Corea del Nord ha fornito 12.500 proiettili a Mosca, secondo Seul. «Non è vero», ha detto il portavoce Dmitrij Peskov."
    italian = one(real, text, title="Sergej Shoigu incontra il leader nordcoreano Kim Jong Un a Pyongyang")
    assert italian.engine == "apertium"
    assert italian.flags == ()
    for words in ("Sergei Shoigu", "sees", "Kim Jong Un", "Pyongyang"):
        assert words in italian.title
    english = " ".join(s.english for s in italian.sentences if s.where == "text")
    for words in ("North Korea", "12,500 projectiles", "Moscow", "Seoul", "It is not true", "spokesman"):
        assert words in english
    assert all(text[s.start : s.end] == s.source for s in italian.sentences if s.where == "text")
    spanish = one(real, "Rusia ha enviado tres aviones a Corea del Norte.", title="El Kremlin desmiente", language="es")
    assert spanish.title == "The Kremlin denies"
    assert "three" in spanish.sentences[1].english
    assert "North Korea" in spanish.sentences[1].english


def test_real_reserved_signs_come_out_as_they_went_in(real: Gateway) -> None:
    found = one(real, "Il governo [sic] scrive ^così$ @ casa / fuori \\ dentro {ecco} <b>qui</b> * # ~ in 3 righe.")
    for sign in ("[", "]", "^", "$", "@", "/", "\\", "{", "}", "<b>", "</b>", "3"):
        assert sign in found.sentences[1].english, found.sentences[1].english
    assert found.flags == ()


def test_real_keeps_pace(real: Gateway) -> None:
    """A sentence in well under a second: the programs are kept open."""
    texts = tuple(f"Il ministro numero {n} ha parlato di pace con i giornalisti." for n in range(30))
    begun = time.monotonic()
    result = real.perform(Job("it-0", "it", Work(language="it", texts=texts).model_dump_json().encode()))
    assert b"null" not in result
    assert time.monotonic() - begun < 15
