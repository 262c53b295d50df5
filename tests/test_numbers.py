"""Numbers as twelve languages write them: words that multiply, words that count, halves, thousands after a full stop."""

import pytest

from processors.tag.mentions import quantity_for
from processors.tag.reading import Reader
from tumen.settings import ROOT
from tumen.text.numbers import Number, find_numbers
from tumen.watch import load_watch


def values(text: str, language: str) -> list[float]:
    return [number.value for number in find_numbers(text.lower(), language, text)]


def last(text: str, language: str) -> Number:
    return find_numbers(text.lower(), language, text)[-1]  # an article may count as one before it


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("en", "a thousand containers", 1000),
        ("en", "tens of thousands of shells", 10_000),
        ("en", "hundreds of thousands of shells", 100_000),
        ("en", "two and a half million barrels", 2_500_000),
        ("en", "several million rounds", 1_000_000),
        ("en", "half a million shells", 500_000),
        ("en", "1.5 million shells", 1_500_000),
        ("en", "twenty-five thousand men", 25_000),
        ("it", "un migliaio di container", 1000),
        ("it", "decine di migliaia di proiettili", 10_000),
        ("it", "centinaia di migliaia di proiettili", 100_000),
        ("it", "duecentomila proiettili", 200_000),
        ("it", "trentamila uomini", 30_000),
        ("it", "mille soldati", 1000),
        ("it", "4.700 soldati", 4700),
        ("it", "4.500 soldati", 4500),
        ("it", "un milione e mezzo di colpi", 1_500_000),
        ("it", "mezzo milione di colpi", 500_000),
        ("it", "due miliardi di dollari", 2e9),
        ("it", "una ventina di navi", 20),
        ("fr", "un millier de conteneurs", 1000),
        ("fr", "plus d'un millier de soldats", 1000),
        ("fr", "une dizaine de milliers d'obus", 10_000),
        ("fr", "des dizaines de milliers d'obus", 10_000),
        ("fr", "des centaines de milliers d'obus", 100_000),
        ("fr", "deux mille soldats", 2000),
        ("fr", "un million et demi d'obus", 1_500_000),
        ("fr", "quatre-vingts camions", 80),
        ("fr", "4.700 soldats", 4700),
        ("fr", "une vingtaine de navires", 20),
        ("es", "dos mil millones de dólares", 2e9),
        ("es", "4.700 soldados", 4700),
        ("es", "20.000 millones de dólares", 2e10),
        ("es", "un millar de soldados", 1000),
        ("es", "decenas de miles de proyectiles", 10_000),
        ("es", "cientos de miles de proyectiles", 100_000),
        ("es", "un millón y medio de proyectiles", 1_500_000),
        ("es", "medio millón de proyectiles", 500_000),
        ("es", "treinta y cinco soldados", 35),
        ("es", "mil quinientos soldados", 1500),
        ("de", "4.700 Soldaten", 4700),
        ("de", "tausend Container", 1000),
        ("de", "zehntausend Soldaten", 10_000),
        ("de", "Zehntausende Granaten", 10_000),
        ("de", "Hunderttausende Granaten", 100_000),
        ("de", "hunderttausend Granaten", 100_000),
        ("de", "eine halbe Million Granaten", 500_000),
        ("de", "anderthalb Millionen Granaten", 1_500_000),
        ("de", "zwanzigtausend Soldaten", 20_000),
        ("de", "fünfundzwanzig Schiffe", 25),
        ("de", "zwei Milliarden Dollar", 2e9),
        ("ru", "миллион снарядов", 1_000_000),
        ("ru", "полмиллиона снарядов", 500_000),
        ("ru", "полтора миллиона снарядов", 1_500_000),
        ("ru", "десятки тысяч снарядов", 10_000),
        ("ru", "сотни тысяч снарядов", 100_000),
        ("ru", "тысячу рабочих", 1000),
        ("ru", "двадцать пять тысяч рабочих", 25_000),
        ("ru", "около 4,7 тыс. военных", 4700),
        ("ru", "пять миллиардов долларов", 5e9),
        ("uk", "мільйон снарядів", 1_000_000),
        ("uk", "пів мільйона снарядів", 500_000),
        ("uk", "півтора мільйона снарядів", 1_500_000),
        ("uk", "десятки тисяч снарядів", 10_000),
        ("uk", "тисячу робітників", 1000),
        ("uk", "шість тисяч бійців", 6000),
        ("uk", "12 тис. бійців", 12_000),
        ("pl", "tysiąc robotników", 1000),
        ("pl", "milion pocisków", 1_000_000),
        ("pl", "pół miliona pocisków", 500_000),
        ("pl", "półtora miliona pocisków", 1_500_000),
        ("pl", "dziesiątki tysięcy pocisków", 10_000),
        ("pl", "pięć tysięcy żołnierzy", 5000),
        ("pl", "dwadzieścia pięć tysięcy żołnierzy", 25_000),
        ("vi", "10.000 binh sĩ", 10_000),
        ("vi", "năm nghìn binh sĩ", 5000),
        ("vi", "một triệu quả đạn pháo", 1_000_000),
        ("vi", "1,5 triệu quả đạn pháo", 1_500_000),
        ("vi", "12 nghìn binh lính", 12_000),
        ("vi", "hàng nghìn binh sĩ", 1000),
        ("vi", "hàng chục nghìn quả đạn", 10_000),
        ("vi", "hai tỷ USD", 2e9),
        ("ko", "1만5000명", 15_000),
        ("ko", "1만 5천 명", 15_000),
        ("ko", "1만 3000여 명", 13_000),
        ("ko", "수천 명", 1000),
        ("ko", "수만 발", 10_000),
        ("ko", "수백만 발", 1_000_000),
        ("ko", "9만2천 배럴", 92_000),
        ("ko", "2억5천만 달러", 250_000_000),
        ("ko", "12만5000배럴", 125_000),
        ("ja", "1万5000人", 15_000),
        ("ja", "数千人", 1000),
        ("ja", "数万発", 10_000),
        ("ja", "9.2万バレル", 92_000),
        ("ja", "２万人", 20_000),
        ("ja", "約１万２千人", 12_000),
        ("zh", "1.5万人", 15_000),
        ("zh", "9.2万桶", 92_000),
        ("zh", "上千名士兵", 1000),
        ("zh", "上万名士兵", 10_000),
        ("zh", "成千上万枚炮弹", 1000),
        ("zh", "成千上万的朝鲜工人", 1000),
        ("zh", "数百万枚炮弹", 1_000_000),
        ("zh", "数千名工人", 1000),
        ("zh", "几千名工人", 1000),
        ("zh", "一万两千名士兵", 12_000),
        ("zh", "近万名士兵", 10_000),
        ("zh", "3萬名士兵", 30_000),
        ("zh", "20亿美元", 2e9),
        ("zh", "十余名军官", 10),
        ("zh", "1.2萬噸柴油", 12_000),
    ],
)
def test_how_much(language: str, text: str, value: float) -> None:
    assert values(text, language) == [value]


@pytest.mark.parametrize(
    ("language", "text", "unit"),
    [
        ("en", "a bridge 850 metres long", "m"),
        ("it", "un ponte lungo 850 metri", "m"),
        ("fr", "un pont de 850 mètres", "m"),
        ("es", "un puente de 850 metros", "m"),
        ("de", "eine 850 Meter lange Brücke", "m"),
        ("ru", "мост длиной 850 метров", "m"),
        ("uk", "міст завдовжки 850 метрів", "m"),
        ("pl", "most o długości 850 metrów", "m"),
        ("vi", "cầu dài 850 mét", "m"),
        ("ko", "길이 850미터 다리", "m"),
        ("ja", "長さ850メートルの橋", "m"),
        ("zh", "全长850米的大桥", "m"),
        ("ko", "병력 1만5000명", "people"),
        ("ko", "대포 9만2천 배럴", "bbl"),
        ("zh", "9.2万桶", "bbl"),
        ("zh", "上千名", "people"),
        ("zh", "三百节车厢", "wagons"),
        ("ko", "북한군 두 사람이", "people"),
        ("vi", "92.000 thùng dầu", "bbl"),
        ("vi", "10.000 tấn gạo", "t"),
    ],
)
def test_of_what(language: str, text: str, unit: str) -> None:
    assert last(text, language).unit == unit


@pytest.mark.parametrize(
    ("language", "text", "item"),
    [
        ("fr", "1 284 ouvriers sont arrivés", "ouvriers"),
        ("fr", "1 284 ouvriers nord-coréens sont arrivés", "ouvriers nord-coréens"),
        ("de", "15.000 Mann eingetroffen", "Mann"),
        ("de", "tausend Container gesehen", "Container"),
        ("es", "3.000 trabajadores cobran poco", "trabajadores"),
        ("es", "3.000 trabajadores norcoreanos cobran poco", "trabajadores norcoreanos"),
    ],
)
def test_the_counted_thing_is_a_noun(language: str, text: str, item: str) -> None:
    assert last(text, language).item == item


@pytest.mark.parametrize(
    ("language", "text"),
    [("fr", "Le n° 2 du régime est venu"), ("it", "il n. 2 del regime"), ("es", "el n.º 2 del régimen"), ("en", "the No. 2 of the regime")],
)
def test_a_rank_is_no_quantity(language: str, text: str) -> None:
    assert values(text, language) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ko", "북한은 조약을 맺었다"),
        ("ko", "백악관은 조선만은 빼고 만나지만 원칙을 강조했다"),
        ("ko", "모스크바의 한 대학이 두만강에서"),
        ("ko", "북한인 입국 통계"),
        ("ko", "보잉 777에는"),
        ("ko", "유엔 결의 2397호"),
        ("zh", "这十分重要"),
        ("ja", "ロシア語は4年生から必修"),
        ("en", "Resolution 2375 forbids it"),
        ("it", "il Boeing 777 è partito"),
    ],
)
def test_what_counts_nothing(language: str, text: str) -> None:
    assert values(text, language) == []


@pytest.mark.parametrize(
    ("language", "text", "event", "value"),
    [
        ("en", "North Korea sent Russia shells over a bridge 850 metres long.", "arms", None),
        ("en", "North Korea sent Russia, it is said, 13,000 containers of shells.", "arms", 13_000),
        ("ko", "북한은 러시아에 병력 1만5000명을 보냈다.", "troops", 15_000),
        ("ru", "КНДР отправила в Россию солдат за 120 километров от фронта.", "troops", None),
        ("ru", "Россия и КНДР строят мост длиной 850 метров.", "transport", 850),
    ],
)
def test_the_quantity_of_an_event(language: str, text: str, event: str, value: float | None) -> None:
    reading = Reader(load_watch(ROOT / "watches" / "russia-dprk"), (language,)).read("", text, language, None)
    found = quantity_for(reading, 0, event)
    assert (found.value if found else None) == value
