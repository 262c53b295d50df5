"""dedupe: each text once.  Copies flow on, marked as copies, so that what counts is the number of independent origins.

In order of what is surest: the same article again (its id), the same words, the same page, nearly the same words, a text inside another.
A remembered article that comes again passes again as it did; one that was edited passes with what changed.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from processors.dedupe.compare import PARTIAL, Overlap, overlap
from processors.dedupe.memory import Memory, Record, Remembered, Verdict
from processors.dedupe.pages import outlet, page_key
from processors.dedupe.sketch import FEWEST, Sketch, sentences_of, sketch_of, tokens_of
from tumen.ids import digest
from tumen.messages import Article, Revision, Unique, Why
from tumen.stage import Drop, Emit, Kit, Out, Stage, StageSpec
from tumen.state import State
from tumen.topics import ARTICLES, UNIQUE

SPEC = StageSpec(reads=(ARTICLES,), writes=(UNIQUE,), reasons=("unchanged", "older_version"))

#: candidates whose texts are compared: those that share most with the article
_COMPARED = 6
#: overlaps this near to the best are as good, and the earliest of them is the likely original
_AS_GOOD = 0.1
#: two texts of one page have this much in common (or their title), unless the page is a list of different articles
_ONE_PAGE = 0.2
#: a copy with less than this of its own stands for what it copied
_NOTHING_OWN = 0.3
#: words (letters, in scripts without spaces) that a headline alone must have to be told from another
_FEWEST_TOKENS = 4
#: characters of a text that is too short to be compared, a few nonsense letters apart
_SHORT = 2_000
_OLDER, _ADDED, _ADDED_LENGTH = 8, 8, 300


class Config(BaseModel):
    """An article is remembered for `days`, and no more than `most` of them are; about 6 kB of state each, on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: float = Field(default=30.0, gt=0)
    most: int = Field(default=1_000_000, ge=100)


def build(config: Config, kit: Kit) -> Stage[Article]:  # noqa: ARG001 - every node is built alike
    def process(article: Article, state: State) -> Iterable[Out]:
        return [handle(article, Memory(state, config.days, config.most))]

    return Stage(process)


class _Read(NamedTuple):
    """An article as it is compared."""

    article: Article
    sketch: Sketch
    same: str
    page: str | None
    outlet: str


def handle(article: Article, memory: Memory) -> Out:
    """What one article causes: it passes, with what it copies; or it is dropped, because this or a later version of it has passed."""
    memory.forget_old(article.seen_at)
    known = memory.holder("id", article.id)
    if known is not None and article.item_id == known.record.item:
        return _passed(article, known.record.verdict, known.record.edit)
    if known is not None and article.item_id in known.record.older:
        return Drop("older_version", "a later version of it has passed")
    read = _read(article)
    if known is None:
        verdict = judge(read, memory, None)
        memory.add(_record(read, verdict), read.sketch, indexed=verdict.rule != "same_text")
        return _passed(article, verdict, None)
    revision = _revision(known.record, article, memory.sentences(known.number), read.sketch)
    if revision is None:
        return Drop("unchanged", "an article that is known, with the same title and the same sentences")
    verdict = judge(read, memory, known)
    older = (*known.record.older, known.record.item)[-_OLDER:]
    record = _record(read, verdict).model_copy(update={"older": older, "edit": revision, "seen_at": known.record.seen_at})
    memory.replace(known.number, record, read.sketch, indexed=verdict.rule != "same_text")
    return _passed(article, verdict, revision)


def judge(read: _Read, memory: Memory, known: Remembered | None) -> Verdict:
    """Which earlier article this one copies, how much, and where the text goes back to.

    `known`: the article itself when it is a new version: what came after it cannot be its original.
    """
    below = known.number if known else None
    credited = read.article.origin

    def earlier(found: Remembered | None) -> Remembered | None:
        return found if found is not None and (below is None or found.number < below) else None

    same = earlier(memory.holder("text", read.same))
    if same is not None:
        return _copy("same_text", same.record, Overlap(1.0, 1.0), credited, memory)
    compared = []
    for number in memory.alike(read.sketch, below, _COMPARED):
        compared.append((overlap(read.sketch, memory.shingles(number)), number))
        if compared[-1][0].mine >= 1 - _AS_GOOD:
            break  # nothing to speak of is left to be found elsewhere
    page = earlier(memory.holder("url", read.page))
    if page is not None:
        shares = overlap(read.sketch, memory.shingles(page.number))
        if shares.most >= _ONE_PAGE or _title(read.article) == page.record.title:
            return _copy("same_url", page.record, shares, credited, memory)
    best = max((shares.most for shares, _ in compared), default=0.0)
    if best < PARTIAL:
        return Verdict(origin=credited)
    number, shares = min((number, shares) for shares, number in compared if shares.most >= best - _AS_GOOD)
    found = memory.article(number)
    assert found is not None, f"article {number} is pointed to and not remembered"
    if not shares.copy:
        return Verdict(
            rule="partial", other=found.record.id, overlap=_rounded(shares.most), independent=_rounded(1 - shares.mine), origin=credited
        )
    return _copy(
        "near" if shares.mine >= shares.theirs or shares.mine >= 1 - _NOTHING_OWN else "contains", found.record, shares, credited, memory
    )


def _copy(rule: str, of: Record, shares: Overlap, credited: str | None, memory: Memory) -> Verdict:
    """A copy of `of`, or of what that one copied whole."""
    root = of
    if of.verdict.copy_of is not None and of.verdict.independent <= _NOTHING_OWN:
        first = memory.holder("id", of.verdict.copy_of)
        root = first.record if first is not None else of
    return Verdict(
        rule=rule,
        other=of.id,
        copy_of=root.id,
        overlap=_rounded(shares.most),
        independent=_rounded(1 - shares.mine),
        origin=credited or root.verdict.origin or of.verdict.origin or root.outlet,
    )


def _read(article: Article) -> _Read:
    made = sketch_of(article.text or article.title)
    if len(made.shingles) >= FEWEST:
        same = made.same
    else:
        tokens = tokens_of(f"{article.title}\n{article.text[:_SHORT]}")
        # too little to tell it from others: it is the same as itself only
        same = digest(" ".join(tokens)) if len(tokens) >= _FEWEST_TOKENS else digest("article", article.id)
    page = page_key(article.canonical_url) or page_key(article.url)
    return _Read(article, made, same, page, outlet(article.canonical_url or article.url, article.source))


def _record(read: _Read, verdict: Verdict) -> Record:
    article = read.article
    return Record(
        id=article.id,
        item=article.item_id,
        title=_title(article),
        same=read.same,
        url=read.page,
        outlet=read.outlet,
        verdict=verdict,
        seen_at=article.seen_at,
    )


def _revision(before: Record, article: Article, were: frozenset[int], new: Sketch) -> Revision | None:
    """What is new in an edited article, or None if nothing is that a reader could see."""
    title = _title(article) != before.title
    are = frozenset(new.sentences)
    if not title and were == are:
        return None
    added = tuple(sentence[:_ADDED_LENGTH] for sentence, number in sentences_of(article.text) if number not in were)
    number = before.edit.number + 1 if before.edit else 1
    return Revision(number=number, of=before.item, title=title, added=added[:_ADDED], removed=len(were - are))


def _title(article: Article) -> str:
    return digest(" ".join(tokens_of(article.title)))


def _passed(article: Article, verdict: Verdict, revision: Revision | None) -> Emit[Unique]:
    cue = f"overlap {verdict.overlap:.2f} with {verdict.other}" if verdict.other else ""
    why = [Why(stage="dedupe", rule=verdict.rule, cue=cue)]
    if revision is not None:
        title = "title, " if revision.title else ""
        why.append(Why(stage="dedupe", rule="revision", cue=f"{title}{len(revision.added)} sentences new, {revision.removed} gone"))
    unique = Unique(
        id=digest("unique", article.id, article.item_id),
        seen_at=article.seen_at,
        trace=article.trace,
        realm=article.realm,
        article=article,
        copy_of=verdict.copy_of,
        overlap=verdict.overlap if verdict.copy_of else 0.0,
        independent=verdict.independent,
        origin=verdict.origin,
        revision=revision,
        why=tuple(why),
    )
    return Emit(UNIQUE, unique)


def _rounded(share: float) -> float:
    return round(min(max(share, 0.0), 1.0), 4)
