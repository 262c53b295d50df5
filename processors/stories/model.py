"""What a story remembers: a part for each article, a small signature of each part to match by, and the log of what has been told."""

from typing import Literal

from pydantic import AwareDatetime, Field

from tumen.messages import ChangeKind, Direction, EventType, Evidence, Frozen, Mention, PartialDate, Realm, Stance, StoryArticle

Side = Literal["russia", "dprk"]


class Signature(Frozen):
    """What is known of the event that one article reports: all that matching looks at.

    `persons`: (side, key) of the people named with it; a key is a QID, or a name where there is none.  `others`: keys of organisations,
    `states`: of third states, `claimants`: of who says so, and the side that they are of.  `number` is the main mention's.
    `seen`: the day it came in, where nothing says when it was published and it was no backlog.
    `words`: title words in the article's own language; `english`: those of its English title.
    """

    article_id: str
    event: EventType
    events: tuple[EventType, ...]
    direction: Direction
    stance: Stance
    persons: tuple[tuple[Side | None, str], ...] = ()
    others: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    claimants: tuple[str, ...] = ()
    place: str | None = None
    when: PartialDate | None = None
    published: PartialDate | None = None
    seen: PartialDate | None = None
    number: float | None = None
    numbers: tuple[float, ...] = ()
    language: str | None = None
    words: tuple[str, ...] = ()
    english: tuple[str, ...] = ()


class Part(Frozen):
    """One article's part in a story.  `fingerprint` tells a redelivery from an edit; `main` is the id of its main news mention.

    `outlet` is who says it, for people: the origin, else the site; `origin_key` is the same for every desk of one newsroom.
    A `copy` has hardly a word of its own: it brings no fact and no origin.
    `prominent`: ids of the mentions that stand where a reader looks (title, lead, or the main one);
    `opens`: the main one stands in the title or the lead.
    """

    article: StoryArticle
    fingerprint: str
    seen_at: AwareDatetime
    trace: str
    origin_key: str
    outlet: str
    copy_: bool = Field(default=False, alias="copy")
    score: float
    signature: Signature
    mentions: tuple[Mention, ...]
    main: str
    prominent: tuple[str, ...] = ()
    opens: bool = True
    published_at: AwareDatetime | None = None
    title_english: str | None = None
    flags: tuple[str, ...] = ()


class Recall(Frozen):
    """What an article that reports something else recalls of this story: shown with it, counted nowhere."""

    article_id: str
    mentions: tuple[Mention, ...]


class Told(Frozen):
    """One alert that went out."""

    id: str
    change: ChangeKind
    at: AwareDatetime


class Log(Frozen):
    """What its readers know of a story.  `facts` are keys (`policy.facts`), `numbers` are compared with a tolerance.

    `level` is the highest threshold of independent origins that was told.
    """

    facts: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    level: int = 0
    told: tuple[Told, ...] = ()


class StoryState(Frozen):
    """A story as the stage keeps it.  `articles` and `origin_keys` also count the parts that no longer fit."""

    id: str
    realm: Realm
    version: int
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    parts: tuple[Part, ...]
    articles: int
    origin_keys: tuple[str, ...]
    recalls: tuple[Recall, ...] = ()
    log: Log = Log()

    @property
    def event(self) -> EventType:
        return self.parts[0].signature.event


class Profile(Frozen):
    """The part of a story that matching reads: the signatures of its first and its newest parts; `keys`: where it is indexed."""

    id: str
    realm: Realm
    last_seen: AwareDatetime
    signatures: tuple[Signature, ...]
    keys: tuple[str, ...]


class Seen(Frozen):
    """Which story took an article, with which content, and which stories it recalls.  `story` is None if it reports none."""

    story: str | None
    fingerprint: str
    recalled: tuple[str, ...] = ()


class Notification(Frozen):
    """What the policy wants told: the change, the keys that make it this change and no other, and the words for people."""

    change: ChangeKind
    details: tuple[str, ...]
    text: str
    article_id: str
    mention: Mention
    evidence: tuple[Evidence, ...]
    log: Log
