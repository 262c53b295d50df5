"""What an event is held for, and what only dates it: an anniversary's treaty is no treaty event, a visit the day before is no news."""

import pytest

import processors.tag as tag
from processors.tag.mentions import role_of
from processors.tag.reading import Reader
from tests.test_tag import KIT, message, run
from tumen.messages import EventType, Translated
from tumen.stage import Stage
from tumen.watch.cues import LANGUAGES


@pytest.fixture(scope="module")
def stage() -> Stage[Translated]:
    return tag.build(tag.Config(), KIT)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(KIT.watch, LANGUAGES)


OCCASIONS = [
    ("en", "Putin sent Kim Jong Un a letter on the anniversary of the treaty between Russia and North Korea."),
    ("it", "Putin ha inviato a Kim Jong Un un messaggio per l'anniversario del trattato tra Russia e Corea del Nord."),
    ("ru", "Путин направил Ким Чен Ыну послание по случаю годовщины договора между Россией и КНДР."),
    ("uk", "Путін надіслав Кім Чен Ину листа з нагоди річниці договору між Росією та КНДР."),
    ("fr", "Poutine a adressé une lettre à Kim Jong-un pour l'anniversaire du traité entre la Russie et la Corée du Nord."),
    ("de", "Putin schickte Kim Jong Un zum Jahrestag des Vertrags zwischen Russland und Nordkorea einen Brief."),
    ("es", "Putin envió una carta a Kim Jong-un por el aniversario del tratado entre Rusia y Corea del Norte."),
    ("pl", "Putin wysłał Kim Dzong Unowi list z okazji rocznicy traktatu między Rosją a Koreą Północną."),
    ("ko", "푸틴 대통령이 북러 조약 체결 1주년을 맞아 김정은에게 축전을 보냈다."),
    ("ja", "プーチン大統領は露朝条約の調印1周年に合わせ、金正恩氏に祝電を送った。"),
    ("zh", "普京就朝俄条约签署一周年向金正恩致贺电。"),
    ("vi", "Putin gửi thư cho Kim Jong Un nhân kỷ niệm hiệp ước giữa Nga và Triều Tiên."),
]


@pytest.mark.parametrize(("language", "text"), OCCASIONS, ids=[language for language, _ in OCCASIONS])
def test_a_letter_that_remembers_a_treaty_is_diplomacy(stage: Stage[Translated], language: str, text: str) -> None:
    events = {mention.event for mention in run(stage, message("", text, language)).mentions}
    assert EventType.DIPLOMACY in events
    assert EventType.TREATY not in events


SIGNED = [
    ("en", "Putin and Kim Jong Un signed a treaty between Russia and North Korea; the anniversary of the liberation was marked too."),
    ("it", "Putin e Kim Jong Un hanno firmato il trattato tra Russia e Corea del Nord; ricordato poi l'anniversario della liberazione."),
    ("ru", "Путин и Ким Чен Ын подписали договор между Россией и КНДР; отметили и годовщину освобождения."),
    ("fr", "Poutine et Kim Jong-un ont signé un traité entre la Russie et la Corée du Nord ; l'anniversaire de la libération a été fêté."),
    ("de", "Putin und Kim unterzeichneten einen Vertrag zwischen Russland und Nordkorea; gefeiert wurde auch der Jahrestag der Befreiung."),
    ("es", "Putin y Kim Jong-un firmaron un tratado entre Rusia y Corea del Norte; también celebraron el aniversario de la liberación."),
]


@pytest.mark.parametrize(("language", "text"), SIGNED, ids=[language for language, _ in SIGNED])
def test_a_treaty_that_is_signed_stays_one_whatever_else_has_an_anniversary(stage: Stage[Translated], language: str, text: str) -> None:
    assert EventType.TREATY in {mention.event for mention in run(stage, message("", text, language)).mentions}


#: in each pair the visit only dates the shells, and then it is the news
AFTER = [
    ("en", "The shells left Rason for Russia a day after the visit of Sergei Shoigu.", "Sergei Shoigu paid a visit to Rason."),
    ("it", "I proiettili sono partiti per la Russia un giorno dopo la visita di Shoigu.", "Shoigu è in visita a Rason."),
    ("ru", "Снаряды ушли в Россию на следующий день после визита Шойгу.", "Шойгу прибыл с визитом в Расон."),
    ("uk", "Снаряди відвантажили до Росії наступного дня після візиту Шойгу.", "Шойгу прибув із візитом до Расона."),
    ("fr", "Les obus ont été livrés à la Russie au lendemain de la visite de Choïgou.", "Choïgou est en visite à Rason."),
    ("de", "Die Granaten gingen einen Tag nach dem Besuch Schoigus nach Russland.", "Schoigu ist zu Besuch in Rason."),
    ("es", "Los proyectiles salieron hacia Rusia un día después de la visita de Shoigú.", "Shoigú está de visita en Rason."),
    ("pl", "Pociski wysłano do Rosji dzień po wizycie Szojgu.", "Szojgu składa wizytę w Rasonie."),
    ("vi", "Đạn pháo được giao cho Nga một ngày sau chuyến thăm của Shoigu.", "Shoigu có chuyến thăm tới Rason."),
    ("ko", "쇼이구 방문 다음 날 포탄이 러시아에 전달됐다.", "쇼이구가 라선을 방문했다."),
    ("ja", "ショイグ氏の訪問の翌日、砲弾がロシアへ出荷された。", "ショイグ氏が羅先を訪問した。"),
    ("zh", "绍伊古访问次日，炮弹运往俄罗斯。", "绍伊古访问罗先。"),
]


@pytest.mark.parametrize(("language", "dated", "news"), AFTER, ids=[language for language, _, _ in AFTER])
def test_a_visit_that_only_dates_the_shells_is_background(reader: Reader, language: str, dated: str, news: str) -> None:
    """Deep in the article: in its title and lead everything is news."""
    stop = "" if language in ("ja", "zh") else " "
    reading = reader.read("A title", stop.join([news, news, dated]), language, None)
    sentences = [sent.text for sent in reading.sents]
    assert sentences[-1] == dated
    assert role_of(reading, len(sentences) - 1, "visit", None) == "background"
    assert role_of(reading, len(sentences) - 1, "arms", None) == "news"
    assert role_of(reading, len(sentences) - 2, "visit", None) == "news"


def test_every_language_has_both_classes() -> None:
    for language in LANGUAGES:
        assert {"occasion", "after", "phone"} <= set(KIT.watch.cues[language].cues), language
