"""One item to its article: the three ways in (text, HTML, fragment), and what all of them share.  Pure."""

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import trafilatura

from processors.clean import meta
from processors.clean.charset import recoded
from processors.clean.features import key_of
from processors.clean.furniture import KINDS, furniture
from processors.clean.hints import Hints
from processors.clean.html import MAX_CHARS, PageFacts, page_facts, parse, pieces, plain, sends_elsewhere, within_bounds, without_tags
from processors.clean.lines import Reading, read_lines, split_lines
from processors.clean.meta import Agencies
from processors.clean.page import read_page, stated_text
from processors.clean.sites import ALARMS, NOTHING_KNOWN, SiteMemory, without_furniture
from processors.clean.summary import own_lines
from tumen.messages import Article, Item, Why
from tumen.stage import Drop
from tumen.text.language import Languages

REASONS = ("empty", "binary", "not_an_article", "consent_wall", "redirect", "refusal", *ALARMS)

Source = Literal["feed", "page", "url", "text", "file"]

TITLE_MAX = 500
LANGUAGE_SAMPLE = 350  # characters of the text that tell its language
LEAST_LETTERS = 3
CONSENT_LIMIT = 1500  # a consent wall is short; an article about cookies is not
STUB = 200  # characters on a page that sends its reader elsewhere: an article has more
REFUSAL_LIMIT = 700  # characters on a page that only says why there is nothing to read

_SENTENCE = re.compile(r"[.!?…]\s+|\n")
_NOTICE = KINDS.index("notice")
_ODD = re.compile(r"[\ufffd\x00-\x08\x0e-\x1f]")
_MORE = re.compile(r"\s*(?:\[(?:…|\.\.\.)\]|\[&#8230;\])\s*$")


@dataclass(frozen=True)
class Means:
    """What cleaning needs besides the item."""

    languages: Languages
    agencies: Agencies = field(default_factory=lambda: Agencies({}))
    max_chars: int = 100_000
    hints: Hints = field(default_factory=Hints)


class _Found(NamedTuple):
    """What one way of reading an item found in it; `around` are the lines near the title and the text that are neither."""

    title: str
    text: str
    around: tuple[str, ...] = ()
    byline: str | None = None
    page_date: str | None = None
    text_date: str | None = None
    canonical: str | None = None
    flags: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    reading: Reading | None = None


class Cleaned(NamedTuple):
    """What became of an item; `reading` is what its page held before its site's furniture was taken off, None where there is none."""

    result: Article | Drop
    reading: Reading | None = None


def clean_item(item: Item, means: Means, why: tuple[Why, ...] = (), memory: SiteMemory = NOTHING_KNOWN) -> Cleaned:
    """One item's article, or why it has none.  Pure; `why` is what earlier stages said and comes first in the article's own.

    `memory` is what is known of the item's site.
    """
    if (mended := recoded(item.body)) is not None:
        item = item.model_copy(update={"body": mended, "title": recoded(item.title or "", 1) or item.title})
    body = within_bounds(item.body) if item.body_type == "html" else item.body[:MAX_CHARS]
    if not body.strip() and not (item.title or "").strip():
        return Cleaned(Drop("empty"))
    if _is_binary(body):
        return Cleaned(Drop("binary"))
    read = {"text": _from_text, "html": _from_html, "fragment": _from_fragment}[item.body_type]
    found = read(body, item, means, memory)
    result = found if isinstance(found, Drop) else _article(item, found, means, why, mended=mended is not None)
    return Cleaned(result, found.reading if isinstance(found, _Found) else None)


def _article(item: Item, found: _Found, means: Means, why: tuple[Why, ...], *, mended: bool = False) -> Article | Drop:
    title, text = found.title.strip(), found.text
    if sum(map(str.isalpha, title + text[:200])) < LEAST_LETTERS:
        return Drop("empty" if not (title or text) else "not_an_article")
    flags = list(found.flags)
    if not title:
        title, text = _title_from(text)
        flags.append("title_from_text")
    if item.truncated or len(item.body) > MAX_CHARS or len(text) > means.max_chars or len(title) > TITLE_MAX:
        flags.append("truncated")
    if mended:
        flags.append("recoded")
    if item.backlog:
        flags.append("backlog")
    text = _cut(text, means.max_chars)
    title = " ".join(_cut(title, TITLE_MAX).split())
    published, source, inferred = _published(item, found, text)
    if inferred:
        flags.append("published_inferred")
    return Article(
        id=item.article_id,
        seen_at=item.seen_at,
        trace=item.trace,
        realm=item.realm,
        item_id=item.id,
        source=item.source,
        site=item.site,
        url=item.url,
        canonical_url=found.canonical,
        title=title,
        lead=text.split("\n", 1)[0],
        text=text,
        byline=found.byline,
        language=means.languages.identify(
            f"{text[:LANGUAGE_SAMPLE]}\n{title}" if len(text) > 200 else f"{title}\n{text}", hint=item.language_hint
        ),
        published=published,
        published_at=item.published_at if _feed_day(item) else None,
        published_source=source,
        origin=means.agencies.credited(text or title, found.around),
        flags=tuple(dict.fromkeys(flags)),
        why=(*why, *(Why(stage="clean", rule=rule, cue=cue[:80]) for rule, cue in found.rules)),
    )


def _is_binary(body: str) -> bool:
    """Control and replacement characters where text would be."""
    sample = body[:4000]
    return len(_ODD.findall(sample)) > 0.1 * len(sample)


def _title_from(text: str) -> tuple[str, str]:
    """A text that has no title lends its first line, or the beginning of it; the text itself stays whole unless that line is short."""
    first, _, rest = text.partition("\n")
    return (first, rest) if rest and len(first) <= 200 else (_cut(first, 120), text)


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, cut at a space where there is one near."""
    if len(text) <= limit:
        return text
    space = text.rfind(" ", limit - 80, limit)
    return text[: space if space > 0 else limit]


# --- plain text ----------------------------------------------------------------------------------------------------------------


def _from_text(body: str, item: Item, means: Means, memory: SiteMemory) -> _Found | Drop:
    reading = read_lines(body, item.title)
    if not reading.kept and not reading.title:
        return Drop("not_an_article" if reading.lines else "empty")
    own = means.hints.without_lines(item.site, without_furniture(reading, memory))
    return _from_reading(own)._replace(reading=reading)


def _from_reading(reading: Reading) -> _Found:
    around = _around(reading)
    return _Found(
        reading.title,
        reading.text,
        tuple(reading.lines[number] for number in around),
        meta.byline_around(reading.lines, around, reading.text),
        text_date=meta.date_around(reading.lines, around),
        rules=(
            ("lines", f"{len(reading.kept)} of {len(reading.lines)}"),
            *((rule, reading.lines[number]) for number, rule in reading.rules.items()),
        ),
    )


def _around(reading: Reading) -> list[int]:
    """The lines beside the article that may name its date and author: below its title, above it, behind its text, in this order."""
    if not reading.kept and reading.title_at is None:
        return list(range(min(len(reading.lines), meta.BELOW)))
    taken = {*reading.kept, reading.title_at}
    first = reading.kept[0] if reading.kept else len(reading.lines)
    top = reading.title_at if reading.title_at is not None else first
    last = reading.kept[-1] if reading.kept else top
    order = [*range(top + 1, min(top + 1 + meta.BELOW, len(reading.lines)))] if top < first else []
    order += [*range(top - 1, max(-1, top - 1 - meta.ABOVE), -1), *range(last + 1, min(len(reading.lines), last + 1 + meta.AFTER))]
    return [number for number in dict.fromkeys(order) if number not in taken]


# --- HTML ----------------------------------------------------------------------------------------------------------------------


def _from_html(body: str, item: Item, means: Means, memory: SiteMemory) -> _Found | Drop:
    tree = parse(body)
    facts = page_facts(body, tree)
    if tree is None:
        whole = read_lines(without_tags(body), item.title or facts.title or None)
        return _with_facts(whole, whole.text, facts, "unparsed") if whole.kept else Drop("not_an_article")
    reading = read_page(means.hints.within(item.site, tree), facts, item.title)
    own = means.hints.without_lines(item.site, without_furniture(reading, memory))
    text, rule = own.text, "blocks"
    if stated := stated_text(own, facts):
        text, rule = "\n".join(stated), "json_ld"
    elif not text and (alone := trafilatura.extract(tree, include_comments=False)):
        text, rule = "\n".join(line for line in split_lines(alone) if key_of(line) != key_of(reading.title)), "trafilatura"
    wall = _wall(body, text, reading)
    if wall is not None:
        return Drop(wall)
    if not text:
        return Drop("not_an_article")
    return _with_facts(own, text.replace("\n* ", "\n").removeprefix("* "), facts, rule)._replace(reading=reading)


def _wall(source: str, text: str, reading: Reading) -> str | None:
    """Why a page with little text is no article but stands before one: consent, a redirect, a refusal.  None for an article."""
    shown = "\n".join(reading.lines)
    asked = shown if len(shown) < CONSENT_LIMIT else text
    if len(asked) < CONSENT_LIMIT and _is_consent_wall(asked):
        return "consent_wall"
    if len(shown) < STUB and sends_elsewhere(source):
        return "redirect"
    if len(shown) < REFUSAL_LIMIT and furniture().refuses(shown):
        return "refusal"
    return None


def _is_consent_wall(text: str) -> bool:
    """Most sentences of a short text speak of consent, cookies and terms."""
    sentences = [part for part in _SENTENCE.split(text) if part.strip()]
    spoken = sum(1 for part in sentences if furniture().cues(part.casefold().replace("’", "'")).covered[_NOTICE] > 0.05)
    return spoken >= 2 and spoken >= 0.4 * len(sentences)


def _with_facts(reading: Reading, text: str, facts: PageFacts, rule: str) -> _Found:
    found = _from_reading(reading)
    page_date = next(iter(meta.dates_in(facts.published)), None)
    title = reading.title or facts.title
    return found._replace(
        title=title,
        text=text,
        byline=facts.author or found.byline,
        page_date=page_date,
        canonical=facts.canonical if facts.canonical.startswith(("http://", "https://")) else None,
        rules=((rule, ""), *found.rules),
    )


# --- a feed's summary ----------------------------------------------------------------------------------------------------------


def _from_fragment(body: str, item: Item, means: Means, memory: SiteMemory) -> _Found | Drop:  # noqa: ARG001 - all are read alike
    """A summary is the publisher's own short text: its markup, its "[…]" and what a feed hangs on its end go."""
    own, hanging = own_lines([(line, linked) for text, linked in pieces(body) for line in split_lines(text)])
    text, tail = meta.without_tail("\n".join(own))
    text = _MORE.sub("", text)
    title = plain(item.title or "")
    lines = text.split("\n")
    if title and key_of(lines[0]) == key_of(title):
        text = "\n".join(lines[1:])
    return _Found(title, text, flags=("fragment",), rules=((("tail", ""),) if tail else ()) + tuple(("hanging", line) for line in hanging))


# --- dates ---------------------------------------------------------------------------------------------------------------------


def _feed_day(item: Item) -> str | None:
    """The day of the feed's own date, unless that lies in the future."""
    return meta.clamped(item.published_at.date().isoformat(), item.seen_at) if item.published_at else None


def _published(item: Item, found: _Found, text: str) -> tuple[str | None, Source | None, bool]:
    """When it was published, where that stands, and whether it is only inferred from what the article tells.

    What the feed said wins; then the page's own word, its address, a date line beside the article, the day that the lead tells of.
    """
    stated: tuple[tuple[str | None, Source], ...] = (
        (item.published, "feed"),
        (_feed_day(item), "feed"),
        (found.page_date, "page"),
        (meta.date_from_url(item.url), "url"),
        (found.text_date, "text"),
    )
    for candidate, source in stated:
        day = meta.clamped(candidate, item.seen_at)
        if day is not None:
            return day, source, False
    day = meta.date_in_lead(text.split("\n", 1)[0]) if item.body_type != "fragment" else None
    return day, "text" if day else None, day is not None
