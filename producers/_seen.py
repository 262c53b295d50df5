"""Which entries of a feed are new.  Never by their dates: by what was seen before, under every name an entry goes by.

A guid should name an entry, but some feeds leave it out, repeat it, or make a new one at each poll; a link should name a page, but some
feeds give every entry the same one.  So an entry is known by each of its names that tells entries apart *in this document*, and what
is remembered is the article with all its names.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import Field

from producers._feedxml import Entry
from producers._links import canonical, is_page
from tumen.ids import article_id, digest
from tumen.messages import Frozen

#: how often one article may change before it is taken for a page that changes at every look
MAX_EDITS = 200
_LEAST_KEPT = 2_000


class SeenArticle(Frozen):
    """One article: `item` is the id of its newest version, `names` the digests of all that it went by."""

    item: str
    names: tuple[str, ...]
    edits: int = 0


class Seen(Frozen):
    """What a feed has shown, oldest sight first; bounded by `remember`."""

    articles: dict[str, SeenArticle] = Field(default_factory=dict)


class Identified(NamedTuple):
    """An entry and the article it is (a version of)."""

    entry: Entry
    article: str
    names: tuple[str, ...]


def identify(entries: Sequence[Entry], source: str, home: str | None, seen: Seen) -> Iterator[Identified]:
    """The article of each entry, in order.  `source`: the feed's URL."""
    known = {name: article for article, one in seen.articles.items() for name in one.names}
    guids, links = _telling((e.guid, e.link) for e in entries), _telling((e.link, e.guid) for e in entries)
    for entry in entries:
        guid = entry.guid if entry.guid in guids else None
        link = canonical(entry.link) if entry.link in links and entry.link is not None and is_page(entry.link, home) else None
        named = [("guid", guid), ("link", link)]
        if guid is None and link is None:
            named.append(("text", "\n".join((entry.guid or "", entry.link or "", entry.title or entry.body[:500]))))
        names = tuple(digest(kind, name)[:16] for kind, name in named if name is not None)
        article = next((known[name] for name in names if name in known), None)
        if article is None:
            article = article_id(source, next(name for _, name in named if name is not None))
        for name in names:
            known.setdefault(name, article)
        yield Identified(entry, article, names)


def _telling(pairs: Iterable[tuple[str | None, str | None]]) -> frozenset[str]:
    """The first halves that go with one second half only: a guid of several links, or a link of several guids, names nothing."""
    together: defaultdict[str, Counter[str | None]] = defaultdict(Counter)
    for one, other in pairs:
        if one is not None:
            together[one][other] += 1
    return frozenset(one for one, others in together.items() if len(others) == 1)


def remember(seen: Seen, sighted: Mapping[str, SeenArticle]) -> Seen:
    """`seen` with the articles of one more document, which come last; of the others no more are kept than the bound allows."""
    older = {article: one for article, one in seen.articles.items() if article not in sighted}
    room = max(0, max(_LEAST_KEPT, 2 * len(sighted)) - len(sighted))
    kept = list(older.items())[-room:] if room else []
    return Seen(articles={**dict(kept), **sighted})
