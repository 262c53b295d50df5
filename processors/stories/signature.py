"""A tagged article -> its part in a story."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from processors.stories.model import Part, Side, Signature
from processors.stories.origins import origin_key, outlet
from tumen.ids import digest
from tumen.messages import Actor, Mention, StoryArticle, Tagged, Unique

T = TypeVar("T")

MAX_WORDS = 40
MAX_NUMBERS = 12
MAX_MENTIONS = 6
OWN_WORDS = 0.5  # the share of a text that must be its own for it to count beside the text that it copies
STEM = 6  # letters of a word that count: enough to see through most endings

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


class Names(NamedTuple):
    """What matching must know of the watch.

    `leaders`: keys of those who meet everybody, so that meeting them says little.  `broad`: names of countries and regions, case folded.
    `speakers`: keys of whom a text names, in a language, and their sides.
    """

    leaders: frozenset[str] = frozenset()
    broad: frozenset[str] = frozenset()
    speakers: Callable[[str, str | None], Iterable[str]] = lambda _text, _language: ()


def main_news(tagged: Tagged) -> Mention | None:
    """The mention that an article's story is that of."""
    return next((mention for mention in tagged.mentions if mention.main and mention.role == "news"), None)


def fingerprint(tagged: Tagged) -> str:
    """The same for every delivery of the same content; times of sight and traces are no content."""
    article = tagged.unique.article
    return digest(
        article.item_id,
        article.title,
        article.published or "",
        tagged.unique.copy_of or "",
        tagged.unique.origin or "",
        tagged.translation.model_dump_json(),
        str(tagged.relevant),
        f"{tagged.score:.4f}",
        *(mention.model_dump_json(by_alias=True) for mention in tagged.mentions),
    )


def part_of(tagged: Tagged, main: Mention, mentions: Sequence[Mention], names: Names) -> Part:
    """The part that `tagged` brings to the story of its `main` mention; `mentions` are the ones that belong to it."""
    unique, article = tagged.unique, tagged.unique.article
    return Part(
        article=StoryArticle(
            article_id=article.id,
            source=article.source,
            url=article.url,
            title=article.title,
            language=article.language,
            origin=unique.origin or article.origin,
            copy_of=unique.copy_of,
            published=article.published,
        ),
        fingerprint=fingerprint(tagged),
        seen_at=tagged.seen_at,
        trace=tagged.trace,
        origin_key=origin_key(unique),
        outlet=outlet(unique),
        copy_=is_copy(unique),
        score=tagged.score,
        signature=signature(tagged, main, names),
        mentions=tuple([main, *(m for m in mentions if m.id != main.id)][:MAX_MENTIONS]),
        main=main.id,
        prominent=tuple(m.id for m in mentions if m.id == main.id or is_prominent(m, len(article.lead))),
        opens=is_prominent(main, len(article.lead)),
        published_at=article.published_at,
        title_english=english_title(tagged),
        flags=tuple(dict.fromkeys([*(f for f in tagged.translation.flags if f != "english"), *article.flags])),
    )


def is_copy(unique: Unique) -> bool:
    """Hardly a word of its own.  An agency's report inside a longer piece is no copy: the piece may have news."""
    return unique.copy_of is not None and unique.independent < OWN_WORDS


def is_prominent(mention: Mention, lead: int) -> bool:
    """It stands where a reader looks: in the title or the lead (`lead` is its length in characters)."""
    return mention.role == "news" and (mention.evidence.in_ == "title" or mention.evidence.start < lead)


def english_title(tagged: Tagged) -> str | None:
    """The article's title in English, if it has one."""
    if tagged.unique.article.language == "en":
        return tagged.unique.article.title
    return tagged.translation.title if tagged.translation.engine != "none" and tagged.translation.title else None


def signature(tagged: Tagged, main: Mention, names: Names) -> Signature:
    """What matching looks at.  Numbers and people of the other news mentions of the same event type count with those of the main one."""
    article = tagged.unique.article
    news = [m for m in tagged.mentions if m.role == "news"]
    said_by = claimants(main, article.language, names)
    kin = [main, *(m for m in news if m.id != main.id and m.event == main.event)]
    return Signature(
        article_id=article.id,
        event=main.event,
        events=_unique([main.event, *(m.event for m in news)]),
        direction=main.direction,
        stance=main.stance,
        persons=persons(main.actors),
        others=_unique(key_of(a) for a in main.actors if a.kind == "organisation" and key_of(a) not in said_by),
        states=_unique(key_of(a) for a in main.actors if a.kind == "state" and a.side is None and key_of(a) not in said_by),
        place=city(main, names),
        when=main.when.date if main.when else None,
        published=article.published,
        seen=None if article.published or "backlog" in article.flags else f"{tagged.seen_at:%Y-%m-%d}",
        claimants=said_by,
        number=main.quantity.number if main.quantity else None,
        numbers=_unique(m.quantity.number for m in (*kin, *news) if m.quantity)[:MAX_NUMBERS],
        language=article.language,
        words=words(article.title),
        english=words(english_title(tagged) or ""),
    )


def alone(mention: Mention, article_id: str, names: Names) -> Signature:
    """The signature of one mention by itself, as one that recalls another event has it."""
    return Signature(
        article_id=article_id,
        event=mention.event,
        events=(mention.event,),
        direction=mention.direction,
        stance=mention.stance,
        persons=persons(mention.actors),
        place=city(mention, names),
        when=mention.when.date if mention.when else None,
        numbers=(mention.quantity.number,) if mention.quantity else (),
    )


def claimants(mention: Mention, language: str | None, names: Names) -> tuple[str, ...]:
    """Who says so, as keys: whom the words of `says` name, whatever the language."""
    return _unique(names.speakers(mention.says, language)) if mention.says else ()


def undated(known: Signature) -> Signature:
    """The event alone, without when it was printed."""
    return known.model_copy(update={"published": None, "seen": None})


def city(mention: Mention, names: Names) -> str | None:
    """Where it was, unless only the country or region is told (`Names.broad`): that contradicts no city in it."""
    return mention.place if mention.place and mention.place.casefold() not in names.broad else None


def persons(actors: Iterable[Actor]) -> tuple[tuple[Side | None, str], ...]:
    """(side, key) of the people among `actors`."""
    return tuple(dict.fromkeys((actor.side, key_of(actor)) for actor in actors if actor.kind == "person"))


def key_of(actor: Actor) -> str:
    return actor.qid or plain(actor.name)


def plain(name: str) -> str:
    """A name as a key: case, width and spaces aside."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def words(text: str) -> tuple[str, ...]:
    """What two titles of one language are compared by: word beginnings, and pairs of signs where words are not separated."""
    found: dict[str, None] = {}
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        for run in _UNSPACED.findall(word):
            found.update((run[i : i + 2], None) for i in range(max(1, len(run) - 1)))
        rest = _UNSPACED.sub("", word)
        if len(rest) > 2:
            found[rest[:STEM]] = None
    return tuple(found)[:MAX_WORDS]


def _unique(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
