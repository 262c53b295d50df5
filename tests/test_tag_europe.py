"""tag in the European languages: what a sentence of our own comes to, whoever says it."""

from datetime import UTC, datetime

import pytest

import processors.tag as tag
from tumen.cli._kit import kit_of
from tumen.messages import Article, Mention, Tagged, Translated, Translation, Unique
from tumen.settings import Settings
from tumen.stage import Emit, Stage
from tumen.state import Nothing, Overlay
from tumen.watch.cues import LANGUAGES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KIT = kit_of(Settings(languages=LANGUAGES))


@pytest.fixture(scope="module")
def stage() -> Stage[Translated]:
    return tag.build(tag.Config(), KIT)


def tagged(stage: Stage[Translated], language: str, title: str, text: str, published: str = "2025-03-01") -> Tagged:
    plain = {"id": "a", "seen_at": NOW, "trace": "t", "item_id": "i", "source": "s", "site": "s"}
    article = Article(**plain, title=title, text=text, language=language, published=published)
    translation = Translation(title=title, lead="", engine="none", flags=("untranslated",))
    unique = Unique(id="a", seen_at=NOW, trace="t", article=article)
    (out,) = stage.process(Translated(id="a", seen_at=NOW, trace="t", unique=unique, translation=translation), Overlay(Nothing()))
    assert isinstance(out, Emit)
    assert isinstance(out.message, Tagged)
    return out.message


def kinds(mentions: tuple[Mention, ...]) -> list[tuple[str, str, str]]:
    return [(str(m.event), m.direction, m.stance) for m in mentions]


# --- who denies is not what is denied ---------------------------------------------------------------------------------------------

DENIALS = [
    ("ru", "МИД РФ опроверг поставки ракет из КНДР", "arms", "to_russia"),
    ("ru", "Посольство КНДР отрицает отправку рабочих в Россию", "labour", "to_russia"),
    ("ru", "Кремль отверг сообщения о передаче технологий Пхеньяну", "technology", "to_dprk"),
    ("uk", "МЗС РФ спростувало постачання снарядів із КНДР", "arms", "to_russia"),
    ("it", "Il ministero degli Esteri russo smentisce le forniture di missili dalla Corea del Nord", "arms", "to_russia"),
    ("it", "Pyongyang nega di aver venduto munizioni a Mosca", "arms", "to_russia"),
    ("en", "Russian foreign ministry denies missile deliveries from North Korea", "arms", "to_russia"),
    ("en", "Kremlin denies receiving shells from Pyongyang", "arms", "to_russia"),
    ("fr", "Le ministère russe des Affaires étrangères dément les livraisons d'obus en provenance de Corée du Nord", "arms", "to_russia"),
    ("fr", "L'ambassade de Russie dément tout transfert de technologies à Pyongyang", "technology", "to_dprk"),
    ("de", "Russisches Außenministerium dementiert Raketenlieferungen aus Nordkorea", "arms", "to_russia"),
    ("de", "Nordkoreas Außenministerium weist Berichte über Waffenlieferungen an Russland zurück", "arms", "to_russia"),
    ("es", "El Ministerio de Exteriores ruso desmiente la entrega de misiles desde Corea del Norte", "arms", "to_russia"),
    ("es", "La embajada rusa niega haber recibido proyectiles de Corea del Norte", "arms", "to_russia"),
    ("pl", "MSZ Rosji zaprzecza dostawom rakiet z Korei Północnej", "arms", "to_russia"),
    ("pl", "Ambasada KRLD zaprzecza wysłaniu żołnierzy do Rosji", "troops", "to_russia"),
]


@pytest.mark.parametrize(("language", "title", "event", "direction"), DENIALS)
def test_who_denies_is_not_what_is_denied(stage: Stage[Translated], language: str, title: str, event: str, direction: str) -> None:
    assert kinds(tagged(stage, language, title, "").mentions) == [(event, direction, "denied")]
    assert kinds(tagged(stage, language, "", f"{title}.").mentions) == [(event, direction, "denied")]


GREETINGS = [
    ("it", "Vladimir Putin si è congratulato con Kim Jong Un per l'anniversario del partito.", "to_dprk"),
    ("fr", "Kim Jong Un a félicité Vladimir Poutine pour le Jour de la victoire.", "to_russia"),
    ("fr", "Kim Jong Un a adressé à Vladimir Poutine un message de félicitations, au nom du peuple coréen.", "to_russia"),
    ("de", "Kim Jong Un hat Wladimir Putin zum Geburtstag ein Glückwunschschreiben geschickt.", "to_russia"),
    ("es", "Kim Jong Un felicitó a Vladímir Putin por el Día de la Victoria.", "to_russia"),
    ("ru", "Владимир Путин поздравил Ким Чен Ына с годовщиной освобождения Кореи.", "to_dprk"),
    ("uk", "Кім Чен Ин привітав Володимира Путіна з Днем перемоги.", "to_russia"),
]


@pytest.mark.parametrize(("language", "text", "direction"), GREETINGS)
def test_who_is_named_first_greets_the_other(stage: Stage[Translated], language: str, text: str, direction: str) -> None:
    assert ("diplomacy", direction, "asserted") in kinds(tagged(stage, language, "", text).mentions)
