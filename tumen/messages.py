"""Every message that travels through Tumen: the only schemas.

All models are frozen and refuse unknown keys.  Ids are deterministic: they come from what a thing is, not from when it was seen
(`tumen.ids`).  Times are timezone-aware UTC.  A *partial date* is a string as far as it is known: ``2024-09-13``, ``2023-09``, ``--09-13``.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

PartialDate = Annotated[str, StringConstraints(pattern=r"^(\d{4}(-\d{2}(-\d{2})?)?|--\d{2}(-\d{2})?)$")]
Direction = Literal["to_russia", "to_dprk", "mutual", "none"]
Stance = Literal["asserted", "alleged", "denied", "planned", "negated"]
Role = Literal["news", "background"]
Realm = Literal["live", "sample", "replay"]
Place = Literal["title", "text"]


class EventType(StrEnum):
    """The closed list of event types (design, section 3)."""

    ARMS = "arms"
    TROOPS = "troops"
    TECHNOLOGY = "technology"
    MILITARY = "military"
    TREATY = "treaty"
    VISIT = "visit"
    DIPLOMACY = "diplomacy"
    SANCTIONS = "sanctions"
    ENERGY = "energy"
    TRADE = "trade"
    LABOUR = "labour"
    FINANCE = "finance"
    TRANSPORT = "transport"
    SOCIETY = "society"
    CYBER = "cyber"
    INCIDENT = "incident"


class Frozen(BaseModel):
    """A value: immutable, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Why(Frozen):
    """One reason for one decision: which stage, which rule, which cue of the text or the watch fired."""

    stage: str
    rule: str
    cue: str = ""


#: The rule of the reason that a story carries when the article that made this version of it was told to nobody.
QUIET = "quiet"


class Message(Frozen):
    """The envelope.  `seen_at` is when a producer first saw the thing, `trace` follows it through every topic.

    Each message class gives `schema_` its own default (``"item/1"``): the version that this code writes.
    """

    schema_: str = Field(alias="schema")
    id: str
    seen_at: AwareDatetime
    trace: str
    realm: Realm = "live"


# --- what comes in -------------------------------------------------------------------------------------------------------------


class Item(Message):
    """What a producer saw, raw: a feed entry, a file, a page.

    `article_id` says which article this is (hash of source and guid or canonical URL, or of a file's bytes); `id` adds the content.
    `source` is the feed's URL or the file's name, `site` the host (or the file's folder) that furniture is learnt for.
    `body` is plain text or HTML as `body_type` says; a `fragment` is a feed's summary, not the whole article.
    `backlog`: it was already there when its feed was first read, so nobody can tell how new it is unless it carries a date.
    """

    schema_: Literal["item/1"] = Field("item/1", alias="schema")
    article_id: str
    source: str
    site: str
    url: str | None = None
    guid: str | None = None
    title: str | None = None
    body: str
    body_type: Literal["text", "html", "fragment"]
    published: PartialDate | None = None
    published_at: AwareDatetime | None = None
    language_hint: str | None = None
    truncated: bool = False
    backlog: bool = False


class Candidate(Message):
    """An item that the screen let through, and why."""

    schema_: Literal["candidate/1"] = Field("candidate/1", alias="schema")
    item: Item
    why: tuple[Why, ...] = ()


# --- articles ------------------------------------------------------------------------------------------------------------------


class Article(Message):
    """Clean text.  `id` is the article id.  `text` is the paragraphs joined by ``\\n``, without the title.

    `published` is never replaced by the time of fetching; `published_source` says where it was found.
    `language` is None when the text is too short or in no configured language.
    `origin` is the agency that the text itself credits, as its name in the watch ("KCNA"), before copies are compared.
    """

    schema_: Literal["article/1"] = Field("article/1", alias="schema")
    item_id: str
    source: str
    site: str
    url: str | None = None
    canonical_url: str | None = None
    title: str
    lead: str = ""
    text: str
    byline: str | None = None
    language: str | None = None
    published: PartialDate | None = None
    published_at: AwareDatetime | None = None
    published_source: Literal["feed", "page", "url", "text", "file"] | None = None
    origin: str | None = None
    flags: tuple[str, ...] = ()
    why: tuple[Why, ...] = ()


class Revision(Frozen):
    """What an edited article has that its version before had not.  `number` counts from 1, `of` is the item id of the version before.

    `title`: the title is another.  `added`: new or reworded sentences (bounded); `removed`: how many are gone.
    """

    number: int
    of: str
    title: bool = False
    added: tuple[str, ...] = ()
    removed: int = 0


class Unique(Message):
    """An article compared with all others: an original, or a copy of `copy_of` (an article id) with `overlap` in 0..1.

    `overlap` is the larger of two shares: of this text in the other, of the other in this text (an agency's report inside a longer piece).
    `independent`: the share of this text that stands in no earlier article.
    `origin` is the likely origin of the text: credited in it, or taken from the article it copies.
    """

    schema_: Literal["unique/1"] = Field("unique/1", alias="schema")
    article: Article
    copy_of: str | None = None
    overlap: float = 0.0
    independent: float = Field(default=1.0, ge=0, le=1)
    origin: str | None = None
    revision: Revision | None = None
    why: tuple[Why, ...] = ()


class TranslatedSentence(Frozen):
    """One sentence and its English.  `start`, `end` are character offsets into the article's title or text, as `where` says."""

    where: Place
    start: int
    end: int
    source: str
    english: str


class Translation(Frozen):
    """What an engine made of an article.  Untranslated is a flag: engine "none", flags ("untranslated",).

    An English article has engine "none", flags ("english",) and its own words.
    """

    title: str
    lead: str
    engine: str
    flags: tuple[str, ...] = ()
    sentences: tuple[TranslatedSentence, ...] = ()


class Translated(Message):
    """A unique article with its translation, which may be absent and then says so."""

    schema_: Literal["translated/1"] = Field("translated/1", alias="schema")
    unique: Unique
    translation: Translation


# --- mentions and stories ------------------------------------------------------------------------------------------------------


class Actor(Frozen):
    """Somebody or something that acts.  `side` is "russia", "dprk" or None (a third party); `qid` is Wikidata's, if known."""

    name: str
    qid: str | None = None
    side: Literal["russia", "dprk"] | None = None
    kind: Literal["person", "organisation", "place", "state"] = "state"


class Quantity(Frozen):
    """As written (`text`), and normalised: "cinque milioni di proiettili" = 5000000, unit None, item "proiettili", thing "shells".

    `thing` is the item in English, in the plural, where it is one that is known.
    """

    text: str
    number: float
    unit: str | None = None
    item: str | None = None
    thing: str | None = None


class When(Frozen):
    """As written (`text`), and resolved as far as it can be."""

    text: str
    date: PartialDate | None = None


class Evidence(Frozen):
    """The sentence (or adjacent pair) that states it: offsets into the article's title or text.  `translation` is English or None."""

    in_: Place = Field(alias="in")
    text: str
    start: int
    end: int
    translation: str | None = None


class Plover(Frozen):
    """The event in PLOVER's words (openeventdata/PLOVER): `type` ("AID"), `mode` (how, if the type has any), `context` (what it is about).

    How it is told stands among the contexts, as PLOVER has it: "future", "negation", "historical".
    """

    type: str
    mode: str | None = None
    context: tuple[str, ...] = ()


class Mention(Frozen):
    """One sentence (or adjacent pair) that states something about the relationship.

    `says` is as written; `speaker` is who that is, where the watch knows the name.
    `plover` and `msmt` (the heading of the Multilateral Sanctions Monitoring Team's reports) say the event in others' words; `plover` is
    None in what was tagged before they were written down.
    """

    id: str
    event: EventType
    direction: Direction
    stance: Stance
    role: Role
    says: str | None = None
    speaker: Actor | None = None
    actors: tuple[Actor, ...] = ()
    place: str | None = None
    quantity: Quantity | None = None
    when: When | None = None
    evidence: Evidence
    confidence: float = Field(default=0.5, ge=0, le=1)
    main: bool = False
    plover: Plover | None = None
    msmt: str | None = None
    why: tuple[Why, ...] = ()


class Tagged(Message):
    """An article with its mentions.  `relevant` and `score` are as in the design, section 4.  At most one mention is `main`."""

    schema_: Literal["tagged/2"] = Field("tagged/2", alias="schema")
    unique: Unique
    translation: Translation
    mentions: tuple[Mention, ...] = ()
    relevant: bool
    score: float = Field(ge=0, le=1)
    why: tuple[Why, ...] = ()


class StoryArticle(Frozen):
    """One article's part in a story: enough to show it and to count independent origins."""

    article_id: str
    source: str
    url: str | None = None
    title: str
    language: str | None = None
    origin: str | None = None
    copy_of: str | None = None
    published: PartialDate | None = None


class Claim(Frozen):
    """One side of a conflict: what is said (a partial date, a number as written, or a stance), and by whom: origins or outlets, for a
    stance the speakers they quote.
    """

    value: str
    by: tuple[str, ...]


class Conflict(Frozen):
    """Sources that disagree about one fact of a story: kept, never settled.  "stance": some say it happened, others that it did not."""

    about: Literal["date", "number", "stance"]
    event: EventType
    claims: tuple[Claim, ...]


class Story(Message):
    """Mentions of one real-world event across articles and languages.

    `id` is the id of its first news mention.  `mentions` holds what its articles say of it, in order of arrival (bounded): the main
    mention of each, then what else belongs to it.  `origins` counts independent origins, not articles.  `version` grows with each
    material change.
    """

    schema_: Literal["story/2"] = Field("story/2", alias="schema")
    version: int
    event: EventType
    events: tuple[EventType, ...]
    event_line: str
    actors: tuple[Actor, ...]
    place: str | None = None
    when: PartialDate | None = None
    articles: tuple[StoryArticle, ...]
    mentions: tuple[Mention, ...]
    origins: int
    conflicts: tuple[Conflict, ...] = ()
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    why: tuple[Why, ...] = ()


ChangeKind = Literal["new", "event", "actor", "quantity", "denial", "confirmation", "origins"]


class Alert(Message):
    """A story, or its material change, told to people.  `id` = hash(story, change).  Everything a sink needs to show it is here."""

    schema_: Literal["alert/1"] = Field("alert/1", alias="schema")
    story: str
    change: ChangeKind
    change_text: str
    event: EventType
    event_line: str
    direction: Direction
    stance: Stance
    says: str | None = None
    title: str
    title_english: str | None = None
    language: str | None = None
    evidence: tuple[Evidence, ...]
    actors: tuple[Actor, ...] = ()
    source: str
    url: str | None = None
    published: PartialDate | None = None
    published_at: AwareDatetime | None = None
    articles: int = 1
    origins: int = 1
    flags: tuple[str, ...] = ()
    why: tuple[Why, ...] = ()


# --- the runner's own ----------------------------------------------------------------------------------------------------------


class Tick(Message):
    """Time, as a record: stages with `on_tick` see the same ticks in a replay."""

    schema_: Literal["tick/1"] = Field("tick/1", alias="schema")
    at: AwareDatetime


class DeadLetter(Message):
    """A message that could not be handled: its bytes and key untouched (`value` is base64 of them), and what went wrong."""

    schema_: Literal["dead/1"] = Field("dead/1", alias="schema")
    stage: str
    topic: str
    partition: int = 0
    offset: int
    key: str
    #: base64 of the key where it is no text, so that a retry can give it back
    raw_key: str | None = None
    value: str
    kind: Literal["reject", "bug", "undecodable"]
    exception: str
    message: str
    attempts: int
    failed_at: datetime
    retried: bool = False


MESSAGES: tuple[type[Message], ...] = (Item, Candidate, Article, Unique, Translated, Tagged, Story, Alert, Tick, DeadLetter)
