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


# --- what is not the relationship ------------------------------------------------------------------------------------------------

HARD = [
    (
        "en",
        "Seoul director's new film shot in Vladivostok",
        "South Korean director Park Min-ho has finished shooting his new film in Vladivostok. "
        "The drama follows a Seoul chef who opens a restaurant on the Russian coast. "
        "The film will be shown at the Busan festival in October.",
    ),
    (
        "it",
        "Il film del regista sudcoreano girato a Vladivostok",
        "Il regista sudcoreano Park Min-ho ha finito di girare a Vladivostok il suo nuovo film. "
        "Il dramma racconta di un cuoco di Seul che apre un ristorante sulla costa russa. "
        "Il film sarà presentato al festival di Busan in ottobre.",
    ),
    (
        "ru",
        "Южнокорейский режиссёр снял фильм во Владивостоке",
        "Южнокорейский режиссёр Пак Мин Хо завершил съёмки нового фильма во Владивостоке. "
        "Лента рассказывает о поваре из Сеула, открывшем ресторан на берегу Японского моря. "
        "Премьера фильма пройдёт на фестивале в Пусане.",
    ),
    (
        "de",
        "Südkoreanischer Regisseur dreht in Wladiwostok",
        "Der südkoreanische Regisseur Park Min-ho hat in Wladiwostok seinen neuen Film gedreht. "
        "Das Drama erzählt von einem Koch aus Seoul. "
        "Der Film läuft im Oktober auf dem Festival von Busan.",
    ),
    (
        "fr",
        "Un film coréen tourné à Vladivostok",
        "Le réalisateur sud-coréen Park Min-ho a tourné son nouveau film à Vladivostok. "
        "Le film raconte l'histoire d'un cuisinier de Séoul. "
        "Il sera présenté au festival de Busan en octobre.",
    ),
    (
        "es",
        "Película coreana rodada en Vladivostok",
        "El director surcoreano Park Min-ho rodó en Vladivostok su nueva película. "
        "El drama narra la vida de un cocinero de Seúl. "
        "La cinta se verá en el festival de Busan.",
    ),
    (
        "pl",
        "Koreański film kręcony we Władywostoku",
        "Południowokoreański reżyser Park Min-ho nakręcił we Władywostoku nowy film. "
        "Dramat opowiada o kucharzu z Seulu. "
        "Film zostanie pokazany na festiwalu w Pusanie.",
    ),
    (
        "uk",
        "Південнокорейський режисер зняв фільм у Владивостоці",
        "Південнокорейський режисер Пак Мін Хо завершив зйомки фільму у Владивостоці. "
        "Стрічка розповідає про кухаря із Сеула. "
        "Прем'єра відбудеться на фестивалі в Пусані.",
    ),
    (
        "en",
        "South Korea and Russia resume direct flights",
        "South Korea and Russia will resume direct flights between Incheon and Vladivostok next spring, the "
        "transport ministry in Seoul said. "
        "Airlines stopped flying in 2022.",
    ),
    (
        "it",
        "Seul e Mosca riprendono i voli",
        "La Corea del Sud e la Russia riprenderanno in primavera i voli diretti tra Incheon e Vladivostok, ha "
        "detto il ministero dei Trasporti di Seul.",
    ),
    (
        "ru",
        "Россия и Южная Корея возобновят рейсы",
        "Россия и Южная Корея весной возобновят прямые рейсы между Инчхоном и Владивостоком, сообщили в министерстве транспорта в Сеуле.",
    ),
    (
        "es",
        "Corea del Sur y Rusia retoman los vuelos",
        "Corea del Sur y Rusia retomarán en primavera los vuelos directos entre Incheon y Vladivostok, "
        "informó el Ministerio de Transporte de Seúl.",
    ),
    (
        "de",
        "Südkorea und Russland nehmen Flüge wieder auf",
        "Südkorea und Russland nehmen im Frühjahr die Direktflüge zwischen Incheon und Wladiwostok wieder "
        "auf, teilte das Verkehrsministerium in Seoul mit.",
    ),
    (
        "en",
        "Hyundai sells its Russian plant",
        "Hyundai Motor has sold its plant in St. Petersburg to a Russian firm, the South Korean company said.",
    ),
    (
        "fr",
        "Hyundai vend son usine russe",
        "Le constructeur sud-coréen Hyundai a vendu son usine de Saint-Pétersbourg à une entreprise russe.",
    ),
    (
        "pl",
        "Hyundai sprzedał fabrykę w Rosji",
        "Południowokoreański koncern Hyundai sprzedał fabrykę w Petersburgu rosyjskiej spółce.",
    ),
    (
        "en",
        "Hackers from four states",
        "The report names hackers from Russia, China, Iran and North Korea as the main threats to German industry. "
        "Losses rose to 200 billion euros last year, the association said.",
    ),
    (
        "de",
        "Cyberangriffe auf die Wirtschaft",
        "Die meisten Angriffe kamen laut Verband aus Russland, China, Iran und Nordkorea. Der Schaden stieg auf 200 Milliarden Euro.",
    ),
    (
        "it",
        "Rapporto sulle minacce informatiche",
        "Il rapporto indica tra i principali responsabili gruppi legati a Russia, Cina, Iran e Corea del Nord. "
        "I danni sono saliti a 200 miliardi.",
    ),
    (
        "fr",
        "La liberté de la presse recule",
        "Au classement figurent en queue de liste la Russie, la Chine, l'Iran et la Corée du Nord. La France est vingt-cinquième.",
    ),
    (
        "es",
        "Informe sobre ejecuciones",
        "Entre los países que más ejecutan figuran China, Irán, Arabia Saudí y Corea del Norte; Rusia mantiene una moratoria. "
        "La organización pide abolir la pena de muerte.",
    ),
    (
        "ru",
        "Доклад о киберугрозах",
        "Среди главных источников угроз названы Россия, Китай, Иран и КНДР. Ущерб вырос до 200 млрд евро, говорится в докладе.",
    ),
    (
        "uk",
        "Рейтинг свободи преси",
        "Останні місця в рейтингу посіли Росія, Китай, Іран і Північна Корея. Україна піднялася на десять позицій.",
    ),
    (
        "pl",
        "Ranking wolności prasy",
        "Na końcu listy znalazły się Rosja, Chiny, Iran i Korea Północna. Polska zajęła 47. miejsce.",
    ),
    (
        "en",
        "Nuclear states modernise",
        "Nine states, among them the United States, Russia, China and North Korea, are modernising their "
        "arsenals, the institute said in its yearbook.",
    ),
    (
        "it",
        "Atomiche, l'annuario",
        "Nove Stati, tra cui Stati Uniti, Russia, Cina e Corea del Nord, stanno ammodernando i propri "
        "arsenali, scrive l'istituto nel suo annuario.",
    ),
    (
        "ru",
        "Сборная России узнала соперников",
        "Сборная России сыграет на турнире с командами Ирана, КНДР и Узбекистана. Матчи пройдут в Ташкенте.",
    ),
    (
        "en",
        "Two stories in brief",
        "North Korea fired a missile into the Sea of Japan on Monday. Russia struck the port of Odesa overnight, Ukrainian officials said.",
    ),
    (
        "it",
        "Trump: vado d'accordo con i leader forti",
        "Trump ha detto di andare d'accordo con Putin, con Xi e con Kim Jong Un, e che non è una cosa cattiva.",
    ),
    (
        "es",
        "Trump y sus amigos",
        "Trump dijo que se lleva bien con Putin, con Xi y con Kim Jong Un.",
    ),
    (
        "fr",
        "Trump et les hommes forts",
        "Trump a déclaré s'entendre bien avec Poutine, Xi et Kim Jong Un.",
    ),
]


@pytest.mark.parametrize(("language", "title", "text"), HARD)
def test_lists_films_and_seouls_own_affairs_are_not_it(stage: Stage[Translated], language: str, title: str, text: str) -> None:
    found = tagged(stage, language, title, text)
    assert not found.relevant, (found.score, [m.evidence.text for m in found.mentions])


# long articles in which one sentence, marked by a bar, is about both sides, and others are about one of them
LONG = {
    "it": [
        "La guerra vista da Bruxelles",
        "I ministri degli Esteri dell'Unione si sono riuniti lunedì a Bruxelles per discutere del dodicesimo pacchetto di sanzioni.",
        "La Francia ha chiesto di fissare un tetto più basso al prezzo del greggio russo.",
        "L'Ungheria ha invece ricordato che le sue raffinerie non possono fare a meno degli oleodotti.",
        "Secondo il Cremlino le misure danneggiano soprattutto chi le adotta.",
        "Nella notte i droni russi hanno colpito due centrali elettriche nella regione di Poltava.",
        "Il presidente Zelensky ha ringraziato gli alleati per i missili a lungo raggio ricevuti in settimana.",
        "|L'alta rappresentante ha aggiunto che la Corea del Nord continua a fornire proiettili d'artiglieria all'esercito russo.",
        "Il bilancio dell'Unione prevede quattro miliardi per le scorte di munizioni.",
        "La Germania ha annunciato l'acquisto di altri carri armati.",
        "A Varsavia il governo teme che la Russia possa mettere alla prova la frontiera orientale.",
        "Il ministro della Difesa russo ha parlato di manovre ordinarie.",
        "Pechino ha fatto sapere di essere contraria a sanzioni unilaterali.",
        "I prezzi del gas sono scesi per la terza settimana.",
        "Il prossimo vertice è fissato per metà novembre.",
    ],
    "en": [
        "Seoul's spy chief briefs lawmakers on the South's economy",
        "South Korea's spy chief spent two hours on Tuesday answering lawmakers' questions about industrial espionage.",
        "He said Chinese firms had hired dozens of engineers from chip makers.",
        "The committee's chairman complained that the agency had been slow to react.",
        "North Korea's state television has not shown the country's leader for eleven days, he told them.",
        "The floods of July destroyed four thousand houses in the north-west, by the agency's count.",
        "A missile test before the end of the year cannot be ruled out, he added.",
        "|Asked about Pyongyang's soldiers in Russia, he said about three thousand of them had been rotated home from Kursk.",
        "The opposition asked for more money for cyber defence.",
        "Russia's embassy in Seoul had complained about a broadcast that mocked its president.",
        "The ministry of finance expects growth of two per cent.",
        "Exports to the United States fell for a third month.",
        "A new law on trade secrets is to be voted on in March.",
        "North Korea itself said nothing about the floods.",
        "The session was the last one before the elections.",
    ],
    "ru": [
        "Итоги недели",
        "На прошлой неделе правительство внесло в Думу проект бюджета на три года.",
        "Министр финансов заявил, что дефицит не превысит двух процентов.",
        "Центробанк оставил ставку без изменений.",
        "Российские войска нанесли удар по складам в Харьковской области, сообщило Минобороны.",
        "Киев утверждает, что сбил сорок беспилотников.",
        "В Приморье начался сезон ловли краба.",
        "|В среду в Пхеньян прибыла российская делегация во главе с министром природных ресурсов.",
        "В Москве открылась выставка лунного грунта.",
        "Президент России провёл телефонный разговор с премьер-министром Индии.",
        "Стороны обсудили поставки удобрений.",
        "Власти Сочи предупредили туристов о штормовом ветре.",
        "Футбольный клуб из Казани сменил тренера.",
        "В Петербурге закрыли на ремонт два моста.",
        "На выходных потеплеет до пятнадцати градусов.",
    ],
    "de": [
        "Was von der Münchner Konferenz bleibt",
        "Drei Tage lang haben in München Minister und Generäle über Europas Sicherheit gesprochen.",
        "Der Bundeskanzler warb für höhere Ausgaben.",
        "Die USA wollen einen Teil ihrer Truppen aus Osteuropa abziehen.",
        "Russland war zum vierten Mal nicht eingeladen.",
        "Der Kreml nannte das Treffen eine Schau des Westens.",
        "Der ukrainische Präsident bat um Flugabwehr und Munition.",
        "|Nordkoreanische Soldaten kämpften inzwischen an der Seite der russischen Armee, erinnerte er.",
        "Frankreich will seinen nuklearen Schirm ausweiten.",
        "In den baltischen Staaten wächst die Sorge vor russischen Drohnen.",
        "China ließ sich durch seinen Außenminister vertreten.",
        "Auch über den Nahen Osten wurde gesprochen.",
        "Die Polizei zählte zweitausend Demonstranten.",
        "Im nächsten Jahr soll die Konferenz einen Tag länger dauern.",
    ],
    "es": [
        "La semana en Naciones Unidas",
        "La Asamblea General dedicó la semana al clima y a las guerras en curso.",
        "El secretario general pidió un alto el fuego en Gaza.",
        "Rusia vetó una resolución sobre el mar Rojo.",
        "El embajador ruso acusó a Londres de hipocresía.",
        "Ucrania denunció ataques contra su red eléctrica.",
        "Irán negó haber entregado drones.",
        "|La embajadora estadounidense sostuvo que Moscú paga con petróleo los proyectiles que le envía Corea del Norte.",
        "Varios países africanos reclamaron un asiento permanente.",
        "El presidente de Colombia habló de la selva amazónica.",
        "La delegación rusa abandonó la sala durante el discurso de Zelenski.",
        "El tráfico en Manhattan quedó cortado tres días.",
        "Japón ofreció fondos para la cuenca del Congo.",
        "Las sesiones se reanudan el lunes.",
    ],
    "fr": [
        "Ce que l'on sait de la guerre en Ukraine ce matin",
        "La nuit a été marquée par une nouvelle vague de drones sur Kiev.",
        "Trois personnes ont été blessées, selon le maire.",
        "La Russie affirme avoir pris un village dans la région de Soumy.",
        "L'état-major ukrainien dément.",
        "Londres a annoncé la livraison de missiles supplémentaires.",
        "Vladimir Poutine a reçu à Moscou le Premier ministre slovaque.",
        "|Les services de Séoul estiment que deux mille soldats nord-coréens ont péri dans la région russe de Koursk.",
        "Le gaz russe continue de transiter par la Turquie.",
        "À Washington, le Congrès débat d'une nouvelle aide.",
        "Le ministère russe de la Défense dit avoir abattu cent drones.",
        "L'Allemagne forme des équipages de chars.",
        "La Pologne a fermé deux aéroports pendant une heure.",
        "Le prochain échange de prisonniers est prévu vendredi.",
    ],
    "pl": [
        "Co wydarzyło się w tym tygodniu",
        "Sejm przyjął w piątek ustawę o obronie cywilnej.",
        "Premier zapowiedział nowe baterie rakiet.",
        "Rosyjskie drony dwukrotnie naruszyły przestrzeń powietrzną Rumunii.",
        "Kreml zaprzeczył.",
        "Ukraina poprosiła o dodatkową amunicję.",
        "Czechy sfinansują kolejną partię pocisków.",
        "|Wywiad Korei Południowej poinformował, że Pjongjang wysłał do Rosji kolejne trzy tysiące żołnierzy.",
        "Ceny gazu spadły do najniższego poziomu od roku.",
        "Rosyjski minister spraw zagranicznych poleciał do Indii.",
        "W Berlinie otwarto wystawę o powstaniu.",
        "Litwa zamknęła na noc granicę z Białorusią.",
        "W weekend będzie ciepło i sucho.",
    ],
    "uk": [
        "Головне за тиждень",
        "Верховна Рада ухвалила бюджет у другому читанні.",
        "Енергетики повернули світло в три області.",
        "Росія випустила за ніч сто сорок дронів.",
        "Сили оборони відбили дванадцять атак під Покровськом.",
        "Німеччина передала ще одну зенітну систему.",
        "Кремль відмовився від перемовин.",
        "|Буданов повідомив, що Північна Корея передала Росії сто двадцять далекобійних гармат.",
        "Курс долара майже не змінився.",
        "Росіяни обстріляли Нікополь із реактивних систем.",
        "У Львові відкрили новий притулок.",
        "Збірна України зіграла внічию.",
        "На вихідних прогнозують дощ.",
    ],
}


@pytest.mark.parametrize("language", LONG)
def test_one_sentence_of_a_long_article(stage: Stage[Translated], language: str) -> None:
    title, *sentences = LONG[language]
    found = tagged(stage, language, title, " ".join(sentence.removeprefix("|") for sentence in sentences))
    assert {m.evidence.text for m in found.mentions} == {sentence[1:] for sentence in sentences if sentence.startswith("|")}


# short reports whose title names neither side
SHORT = [
    ("en", "Kim congratulates Putin", "Kim Jong Un congratulated Vladimir Putin on Victory Day.", "diplomacy"),
    ("de", "Handel wächst", "Der Handel zwischen Russland und Nordkorea hat sich im vergangenen Jahr verdoppelt.", "trade"),
    ("es", "Comercio al alza", "El comercio entre Rusia y Corea del Norte se duplicó el año pasado.", "trade"),
    ("uk", "Торгівля", "Товарообіг між Росією та Північною Кореєю подвоївся за рік.", "trade"),
    ("pl", "Handel", "Wymiana handlowa między Rosją a Koreą Północną wzrosła dwukrotnie.", "trade"),
    ("ru", "Учения", "Россия и КНДР проведут совместные военно-морские учения.", "military"),
    ("it", "Sanzioni", "Gli Stati Uniti hanno sanzionato una banca russa che gestisce conti per la Corea del Nord.", "sanctions"),
]


@pytest.mark.parametrize(("language", "title", "text", "event"), SHORT)
def test_one_sentence_that_ties_the_sides_is_enough(stage: Stage[Translated], language: str, title: str, text: str, event: str) -> None:
    found = tagged(stage, language, title, text)
    assert found.relevant, found.score
    assert event in {str(m.event) for m in found.mentions}
