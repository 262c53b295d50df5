"""The watch: what is found where, in every language; who held which office; and what a wrong watch is told."""

import random
import shutil
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest

from tumen.errors import ConfigError
from tumen.settings import ROOT
from tumen.watch import Watch, load_watch
from tumen.watch.aliases import fold, parse

FOLDER = ROOT / "watches" / "russia-dprk"


@pytest.fixture(scope="module")
def watch() -> Watch:
    return load_watch(FOLDER)


def found(watch: Watch, text: str, language: str | None) -> list[tuple[str, str, str]]:
    return [(hit.kind, hit.entity.id, text[hit.start : hit.end]) for hit in watch.find(text, language)]


def brief(watch: Watch, text: str, language: str | None) -> list[str]:
    """Entity ids, weak ones in brackets."""
    return [f"({hit.entity.id})" if hit.kind == "weak" else hit.entity.id for hit in watch.find(text, language)]


# --- finding -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("it", "Mosca e la Corea del Nord", ["russia", "north-korea"]),
        ("it", "una mosca nella minestra", []),
        ("it", "LA VISITA A MOSCA", ["russia"]),
        ("it", "le montagne russe del luna park e il senatore Lo Russo", []),
        ("it", "la Macedonia del Nord e la Corea del Sud", ["south-korea"]),
        ("it", "il ministro russo della Difesa", ["russia-defence-minister"]),
        ("it", "il ministro della Difesa nordcoreano", ["dprk-defence-minister"]),
        ("it", "il ministro della Difesa italiano", ["italy"]),
        ("it", "il ministro della Difesa ha parlato", []),
        ("it", "il ministro degli Esteri della Corea del Sud", ["south-korea"]),
        ("it", "il compagno Kim e il signor Kim", ["kim-jong-un", "(kim-jong-un)"]),
        ("it", "il pittore Belousov", ["(andrei-belousov)"]),
        ("it", "il ministro della Difesa russo Belousov", ["russia-defence-minister", "andrei-belousov"]),
        ("it", "un accordo russo-nordcoreano", ["russia", "north-korea"]),
        ("en", "North Korea’s envoy told the Russian prime minister", ["north-korea", "russia-prime-minister"]),
        ("en", "The South Korean foreign minister flew home", ["south-korea"]),
        ("en", "Comrade Kim Jong-un greeted Sergey Lavrov", ["kim-jong-un", "sergey-lavrov"]),
        ("en", "the prisoners were tall, and the bus left", []),
        ("en", "N. Korea and the D.P.R.K.", ["north-korea", "north-korea"]),
        ("ru", "Северной Корее, о КНДР, с северокорейцами", ["north-korea"] * 3),
        ("ru", "Южной Корее и КНР", ["south-korea", "china"]),
        ("ru", "главу Минобороны встретили в Пхеньяне", ["(russia-defence-minister)", "north-korea"]),
        ("ru", "министр обороны КНДР и министр обороны Китая", ["dprk-defence-minister", "china"]),
        ("ru", "министр обороны Германии", ["germany"]),
        ("ru", "министр обороны Белоусов и художник Белоусов", ["(russia-defence-minister)", "andrei-belousov", "(andrei-belousov)"]),
        ("ru", "с Ким Чен Ыном и Цой Сон Хи", ["kim-jong-un", "choe-son-hui"]),
        ("ru", "послом России в КНДР Александром Мацегорой", ["russia-ambassador-to-dprk", "alexander-matsegora"]),
        ("ru", "Сергея Шойгу ждал Пётр", ["sergei-shoigu"]),
        ("uk", "Північної Кореї, північнокорейські військові, Росією", ["north-korea", "north-korea", "russia"]),
        ("uk", "Кім Чен Ином і Кім Чен Уна", ["kim-jong-un", "kim-jong-un"]),
        ("uk", "глава МЗС Росії Лавров", ["russia-foreign-minister", "sergey-lavrov"]),
        ("fr", "la Corée du Nord et la COREE DU NORD", ["north-korea", "north-korea"]),
        ("fr", "le ministre nord-coréen des Affaires étrangères", ["dprk-foreign-minister"]),
        ("fr", "des montagnes russes", []),
        ("de", "Nordkorea-Soldaten und Nordkoreas Machthaber Kim Jong Un", ["north-korea", "dprk-leader", "kim-jong-un"]),
        ("de", "nordkoreanischem, pro-nordkoreanischen", ["north-korea", "north-korea"]),
        ("de", "südkoreanisch", ["south-korea"]),
        ("de", "russischer Außenminister Lawrow", ["russia-foreign-minister", "sergey-lavrov"]),
        ("es", "Corea del Norte, norcoreana, la montaña rusa", ["north-korea", "north-korea"]),
        ("es", "el ministro ruso de Exteriores", ["russia-foreign-minister"]),
        ("pl", "Korei Północnej, Korea Płn., północnokoreańskich, z kim rozmawiał", ["north-korea"] * 3),
        ("pl", "Ławrowem, Szojgu, Putinowi", ["sergey-lavrov", "sergei-shoigu", "vladimir-putin"]),
        ("pl", "Korei Południowej", ["south-korea"]),
        ("ko", "북한이 러시아에", ["north-korea", "russia"]),
        ("ko", "북러, 북·러, 북-러", ["russia", "north-korea"] * 3),
        ("ko", "북, 병력 보내", ["(north-korea)"]),
        ("ko", "북은 러와", ["(north-korea)", "(russia)"]),
        ("ko", "전북 북부의 북미 시장", []),
        ("ko", "프러시아의 역사와 러닝 대회", []),
        ("ko", "조선일보와 조선소", []),
        ("ko", "러 외무장관이 방북", ["russia-foreign-minister", "north-korea"]),
        ("ja", "北朝鮮とロシア、朝ロ", ["north-korea", "russia", "russia", "north-korea"]),
        ("ja", "プーチン大統領が訪朝", ["vladimir-putin", "north-korea"]),
        ("ja", "計画を披露、東北地方の北海道", []),
        ("ja", "北京の朝鮮半島専門家", ["china", "korean-peninsula"]),
        ("zh", "俄朝关系", ["russia", "north-korea"]),
        ("zh", "朝鲜日报、朝鲜族、抗美援朝", []),
        ("zh", "俄外长拉夫罗夫访朝", ["russia-foreign-minister", "sergey-lavrov", "north-korea"]),
        ("zh", "赴朝鲜", ["north-korea"]),
        ("zh", "俄亥俄州", []),
        ("zh", "弗拉基米尔·普京与金正恩", ["vladimir-putin", "kim-jong-un"]),
        ("vi", "Tổng thống Nga thăm Bình Nhưỡng", ["russia-president", "north-korea"]),
        ("vi", "bán đảo Triều Tiên", ["korean-peninsula"]),
        ("vi", "cô Thúy Nga và ông Lưu Bình Nhưỡng", []),
    ],
)
def test_finds_what_is_meant(watch: Watch, language: str, text: str, expected: list[str]) -> None:
    assert brief(watch, text, language) == expected


NAMED = [  # forms as they stand in a sentence, of what is spelled in many ways
    ("pl", "north-korea", "północnokoreański północnokoreańskich północnokoreańscy północnokoreańską KRLD|Korei Płn.|Koreą Północną"),
    ("pl", "russia", "rosyjski rosyjscy rosyjską rosyjskimi prorosyjscy Rosjanami Rosją|Federacji Rosyjskiej"),
    ("pl", "choe-son-hui", "|Czhwe Son Hui|Choe Son Hui|Cze Son Hui"),
    ("pl", "no-kwang-chol", "|No Kwang Czol|No Kwang Czolem|No Kwang Chol"),
    ("pl", "alabuga", "Ałabuga Ałabudze Ałabugi Jełabuga Jełabudze"),
    ("pl", "russian-foreign-ministry", "|MSZ Rosji|ministerstwo spraw zagranicznych Rosji|rosyjskie MSZ"),
    ("uk", "alabuga", "Єлабуга Єлабузі Єлабугою Алабузі"),
    ("uk", "kim-jong-un", "|Кім Чен Ином|Кімом Чен Ином|Кім Чен Инові"),
    ("uk", "no-kwang-chol", "|Но Гван Чхоль|Но Кван Чхолем|Но Гван Чоля"),
    ("uk", "vladivostok", "Владивосток Владивостоці Владивостока"),
    ("uk", "dprk-foreign-ministry", "|МЗС КНДР|північнокорейського МЗС"),
    ("ru", "kim-jong-un", "|Ким Чен Ыном|Ким Чен Уна|Ким Чон Ын"),
    ("ru", "choe-son-hui", "|Цой Сон Хи|Чхве Сон Хи|Чхве Сонхи"),
    ("de", "russian-foreign-ministry", "|russische Außenministerium|Außenministerium in Moskau|Russlands Außenministerium"),
    ("de", "sergei-shoigu", "Schoigu Schoigus"),
    ("fr", "russian-foreign-ministry", "|ministère russe des Affaires étrangères|diplomatie russe"),
    ("fr", "russia", "russe prorusses russes"),
    ("es", "russian-defence-ministry", "|Ministerio de Defensa ruso|Ministerio ruso de Defensa"),
    ("es", "north-korea", "norcoreano nordcoreanos norcoreanas RPDC"),
    ("it", "north-korea", "nordcoreano nord-coreani|Nord Corea|nord coreane"),
    ("en", "vostochny-port", "|port of Vostochny|Vostochny port"),
    ("it", "vostochny-port", "|porto di Vostochny"),
    ("de", "vostochny-port", "|Hafen Wostotschny"),
    ("ru", "vostochny-port", "|порту Восточный|порта Восточного|порт «Восточный»"),
    ("ru", "vostochny-cosmodrome", "|космодром Восточный|космодроме «Восточный»"),
    ("en", "vostochny-cosmodrome", "Vostochny"),
]


@pytest.mark.parametrize(("language", "entity", "forms"), NAMED)
def test_a_name_is_found_in_each_of_its_forms(watch: Watch, language: str, entity: str, forms: str) -> None:
    first, *phrases = forms.split("|")
    missed = [form for form in (*first.split(), *phrases) if entity not in brief(watch, f"... {form} ...", language)]
    assert missed == []


def test_a_hit_says_where_and_how(watch: Watch) -> None:
    text = "A Pyongyang il segretario del Consiglio di sicurezza russo ha visto Kim"
    assert found(watch, text, "it") == [
        ("metonym", "north-korea", "Pyongyang"),
        ("office", "russia-security-council-secretary", "segretario del Consiglio di sicurezza russo"),
        ("weak", "kim-jong-un", "Kim"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("🚀🚀 Nord\u00adkoreas Sol\u00addaten", ["Nord\u00adkoreas"]),
        ("Corea\u00a0del\nNord", ["Corea\u00a0del\nNord"]),
        ("Corea   del  Nord, poi Mosca", ["Corea   del  Nord", "Mosca"]),
        (
            unicodedata.normalize("NFD", "à côté de la Corée du Nord, près de Moscou"),
            [unicodedata.normalize("NFD", "Corée du Nord"), "Moscou"],
        ),
        (
            unicodedata.normalize("NFD", "오늘 북한과 러시아"),
            [unicodedata.normalize("NFD", "북한"), unicodedata.normalize("NFD", "러시아")],
        ),
        ("İİ İstanbul'da Kim Jong Un", ["Kim Jong Un"]),
        ("nord‑coréen\u200b et russe\ufeff", ["nord‑coréen", "russe"]),
        ("російсько–північнокорейський", ["російсько–північнокорейський"] * 2),
        ("ПХЕНЬЯН\u200dЕ", ["ПХЕНЬЯН\u200dЕ"]),
    ],
)
def test_offsets_are_of_the_text_as_given(watch: Watch, text: str, expected: list[str]) -> None:
    assert [part for _, _, part in found(watch, text, None)] == expected


def test_odd_texts_neither_break_nor_overlap(watch: Watch) -> None:
    chance = random.Random(7)
    pieces = [
        *(
            "Северной Кореей",
            "Kim",
            "Kim Jong Un",
            "북",
            "러시아",
            "俄朝",
            "朝鲜半岛",
            "ministro",
            "degli Esteri",
            "russo",
            "président russe",
        ),
        *("-", "–", " ", "  ", "\n", "\u00ad", "\u200b", "e\u0301", "İ", "🚀", "\ud800", "Mosca", "’s", "김", "の", "ー"),
        *("\u1112\u1161\u11ab", "x" * 40),
    ]
    for _ in range(400):
        text = "".join(chance.choices(pieces, k=12))
        for language in (None, "ko", "it"):
            spans = sorted({(hit.start, hit.end) for hit in watch.find(text, language)})
            assert all(0 <= start < end <= len(text) for start, end in spans)
            assert all(first[1] <= second[0] for first, second in pairwise(spans))
        for side in ("russia", "dprk"):
            named = [hit for hit in watch.find(text) if hit.entity.side == side]
            assert watch.may_name(text, side) or not named


def test_every_alias_is_found_where_it_stands_alone(watch: Watch) -> None:
    """What the watch writes is what it finds: no alias is dead, no key differs from what a text is folded to."""
    lost = []
    for entity in watch.entities:
        for words in (entity.aliases, entity.demonyms, entity.metonyms, entity.weak):
            for language, aliases in words.items():
                for alias in aliases:
                    hits = watch.find(f"« {alias} »", None if language == "*" else language)
                    if entity.id not in {hit.entity.id for hit in hits}:
                        lost.append((entity.id, language, alias))
    assert lost == []


def test_an_alias_is_written_once_for_all_its_forms() -> None:
    assert [alias.written for alias in parse("Коре{я,и} {a,b{c,}}")] == ["Корея a", "Корея bc", "Корея b", "Кореи a", "Кореи bc", "Кореи b"]
    assert [alias.written for alias in parse("Иван<,а> Петров<,а>")] == ["Иван Петров", "Ивана Петрова"]
    for wrong in ("a{b", "{,}", "=", "*", "a<b,c> d<e>", "a*b", "¦".replace("¦", "|")):
        with pytest.raises(ValueError, match=r"."):
            parse(wrong)


def test_folding_a_long_text_is_what_folding_an_alias_is() -> None:
    for alias in ("Пётр’s x", "북·러", "nord‑coréen", "Kim Jong‐un", "Corea\u00a0del Nord"):
        assert parse(alias)[0].key == " ".join(fold(alias).text.split())


# --- offices and agencies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("office", "on", "expected"),
    [
        ("russia-defence-minister", "2024-11", "andrei-belousov"),
        ("russia-defence-minister", "2023", "sergei-shoigu"),
        ("russia-defence-minister", "2024", None),  # it changed hands in May
        ("russia-defence-minister", None, "andrei-belousov"),
        ("russia-defence-minister", "--05-01", "andrei-belousov"),
        ("russia-president", "2010-06-01", "dmitry-medvedev"),
        ("russia-president", "2012-05-07", "vladimir-putin"),
        ("dprk-leader", "2011-12-16", "kim-jong-il"),
        ("dprk-leader", "2019", "kim-jong-un"),
        ("dprk-foreign-minister", "2018-09", "ri-yong-ho"),
        ("dprk-foreign-minister", "1990", None),
    ],
)
def test_who_held_an_office(watch: Watch, office: str, on: str | None, expected: str | None) -> None:
    holder = watch.holder(office, on)
    assert (holder.id if holder else None) == expected


def test_an_office_there_is_not(watch: Watch) -> None:
    with pytest.raises(KeyError):
        watch.holder("russia-poet-laureate", None)


def test_agencies_by_what_they_are_called(watch: Watch) -> None:
    agencies = watch.agencies()
    assert {"KCNA", "조선중앙통신", "朝中社", "ЦТАК"} <= set(agencies["KCNA"])
    assert "ТАСС" in agencies["TASS"]
    assert {"Yonhap", "Kyodo", "Reuters", "AFP", "AP", "dpa", "ANSA", "EFE", "PAP", "Xinhua", "RIA Novosti"} <= set(agencies)


def test_both_sides_have_names_in_every_language(watch: Watch) -> None:
    for side in watch.sides.values():
        state = watch.by_id[side.state]
        for language in watch.languages:
            assert state.aliases.get(language), f"{state.id} has no name in {language}"


# --- a wrong watch -------------------------------------------------------------------------------------------------------------

WRONG = {
    "states.toml": """
[[state]]
id = "extra"
name = "Extra"
colour = "red"
aliases.xx = ["Quux"]
[[state]]
id = "russia"
qid = "Q159"
name = "Russia again"
aliases.it = [""]
""",
    "people.toml": """
[[person]]
id = "Nobody At All"
name = "Nobody"
side = "atlantis"
kind = "person"
[[person]]
id = "somebody"
name = "Somebody"
side = "russia"
aliases.ru = ["Кто{-то"]
tenures = [{ office = "poet", since = "yesterday" }]
[[person]]
id = "somebody-else"
name = "Somebody else"
side = "russia"
aliases.ru = [7]
tenures = [{ office = "russia-president", since = "2015", until = "2014" }, { office = "poet" }]
""",
    "places.toml": """
[[planet]]
id = "mars"
""",
    "organisations.toml": """
[[organisation]]
id = "a-works"
name = "A works"
qid = "Q1"
side = "russia"
aliases.it = ["Quux Quux"]
[[organisation]]
id = "another-works"
name = "Another works"
qid = "Q1"
side = "dprk"
aliases.en = ["Quux-Quux", "  "]
""",
    "events.toml": """
[party]
title = "PARTY"
plover = "AGREE"
""",
    "cues/de.toml": """
shout = ["*"]
""",
}


def test_a_wrong_watch_is_told_all_that_is_wrong_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    shutil.copytree(FOLDER, folder)
    for file, more in WRONG.items():
        path = folder / file
        path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    (folder / "agencies.toml").write_text("[[agency]\n", encoding="utf-8")
    (folder / "offices.toml").unlink()
    (folder / "cues" / "xx.toml").write_text('language = "xx"\n', encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_watch(folder)
    told = "\n".join(refused.value.findings)
    for part in (
        "states.toml: state extra: colour",
        "unknown language 'xx'",
        "qid = 'Q159'",
        "id = 'russia'",
        "states.toml: state russia: aliases.it = '': empty alias",
        "people.toml: person Nobody At All: id",
        "side = 'atlantis'",
        "kind = 'person'",
        "aliases.ru = 'Кто{-то': braces do not match",
        "since = 'yesterday'",
        "aliases.ru = 7: expected a string",
        "places.toml: planet: unknown table, expected [[place]]",
        "agencies.toml",
        "offices.toml: expected a file of the watch",
        "cues/xx.toml",
        "office = 'russia-president'",
        "since 2015 is not before until 2014",
        "qid = 'Q1': given to more than one",
        "alias 'Quux Quux' ('quux quux'): a-works and another-works: alias on both sides",
        "organisations.toml: organisation another-works: aliases.en = '  ': empty alias",
        "events.toml: party: expected one of arms, troops",
        "cues/de.toml: cues.shout: unknown cue class",
    ):
        assert part in told, part


def clash(folder: Path, *rows: str) -> str:
    shutil.copytree(FOLDER, folder)
    path = folder / "people.toml"
    path.write_text(path.read_text(encoding="utf-8") + "".join(f"\n[[person]]\n{row}\n" for row in rows), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_watch(folder)
    return "\n".join(refused.value.findings)


def test_an_alias_on_both_sides_is_refused_even_in_two_languages(tmp_path: Path) -> None:
    told = clash(
        tmp_path / "sides",
        'id = "one"\nname = "One"\nside = "russia"\naliases.it = ["Quux Quux"]',
        'id = "two"\nname = "Two"\nside = "dprk"\naliases.en = ["QUUX-quux"]',
    )
    assert "alias on both sides" in told
    assert "one and two" in told


def test_one_alias_for_two_things_in_one_language_is_refused(tmp_path: Path) -> None:
    told = clash(tmp_path / "twice", 'id = "one"\nname = "One"\naliases.it = ["Mosca"]')
    assert "one alias for two things" in told


def test_one_office_is_not_held_by_two_at_once(tmp_path: Path) -> None:
    row = 'id = "one"\nname = "One"\nside = "russia"\ntenures = [{ office = "russia-president", since = "2020", until = "2021" }]'
    assert "held by vladimir-putin and one at once" in clash(tmp_path / "usurper", row)


def test_adding_a_language_is_data(tmp_path: Path) -> None:
    folder = tmp_path / "finnish"
    shutil.copytree(FOLDER, folder)
    head = folder / "watch.toml"
    head.write_text(head.read_text(encoding="utf-8").replace('"vi"]', '"vi", "fi"]', 1), encoding="utf-8")
    states = folder / "states.toml"
    text = states.read_text(encoding="utf-8")
    states.write_text(text.replace('side = "dprk"\n', 'side = "dprk"\naliases.fi = ["Pohjois-Korea{,n,ssa}"]\n', 1), encoding="utf-8")
    assert brief(load_watch(folder), "Pohjois-Koreassa ja Pohjois-Korean", "fi") == ["north-korea", "north-korea"]


def test_it_loads_in_a_moment(watch: Watch) -> None:
    """A whole watch, not a sample of one: both sides' people, offices and places are there."""
    kinds = {kind: sum(entity.kind == kind for entity in watch.entities) for kind in ("state", "person", "organisation", "place")}
    assert kinds["person"] > 100
    assert min(kinds.values()) >= 9
    assert {office.side for office in watch.offices.values()} == {"russia", "dprk"}
