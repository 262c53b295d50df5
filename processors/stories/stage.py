"""One tagged article at a time: which story it belongs to, what that changes, and whether anybody is told."""

from collections.abc import Iterable
from typing import NamedTuple

from processors.stories.conflicts import conflicts
from processors.stories.dates import parts
from processors.stories.matching import SAME, Score, contradicts, facets, score, score_story, unopposed
from processors.stories.memory import Memory
from processors.stories.model import Notification, Part, Profile, Recall, Seen, Signature, StoryState
from processors.stories.policy import Rules, decide, silence
from processors.stories.signature import Names, alone, fingerprint, is_copy, main_news, part_of, undated
from tumen.event_line import event_line
from tumen.ids import alert_id
from tumen.messages import QUIET, Alert, Mention, Story, Tagged, Why
from tumen.stage import Drop, Emit, Out
from tumen.topics import ALERTS, STORIES

REASONS = ("irrelevant", "no_news", "redelivered")

STICKY = 1.0  # points that an edited article may lose against its own story before it leaves it
MAX_PARTS = 60
MAX_RECALLS = 20
MAX_ORIGINS = 300


class Choice(NamedTuple):
    """The story that an article goes to (None: one of its own), and why."""

    story: StoryState | None
    why: Why


def handle(tagged: Tagged, memory: Memory, rules: Rules, names: Names) -> Iterable[Out]:
    """Everything that one tagged article causes.  The same content again causes nothing; new content of a known article replaces its part.

    `names`: what the watch says of people and places.
    """
    article_id = tagged.unique.article.id
    seen = memory.seen(article_id)
    if seen is not None and seen.fingerprint == fingerprint(tagged):
        return [Drop("redelivered")]
    outs: list[Out] = []
    main = main_news(tagged) if tagged.relevant else None
    if seen is not None:
        outs += _withdraw_recalls(article_id, seen, tagged, memory)
    story_id = seen.story if seen else None
    if main is not None:
        story, found = _report(tagged, main, seen, memory, rules, names)
        story_id = story.id
        outs += found
    elif story_id is not None:
        outs += _take_back(article_id, story_id, tagged, memory)
    recalled = _recall(tagged, story_id, memory, names) if tagged.relevant else {}
    outs += [Emit(STORIES, story_message(story, tagged, why)) for story, why in recalled.values()]
    if main is not None or recalled or seen is not None:
        memory.forget_article(article_id)
        memory.remember(article_id, Seen(story=story_id, fingerprint=fingerprint(tagged), recalled=tuple(recalled)))
    return outs or [Drop("no_news" if tagged.relevant else "irrelevant")]


def _report(tagged: Tagged, main: Mention, seen: Seen | None, memory: Memory, rules: Rules, names: Names) -> tuple[StoryState, list[Out]]:
    """The article joins a story or opens one; its news is told if it is any."""
    part = part_of(tagged, main, [m for m in tagged.mentions if _belongs(m, main)], names)
    choice = _choose(tagged, part.signature, seen, memory, names)
    if choice.why.rule != "copy":
        part = part.model_copy(update={"copy_": False})
    outs: list[Out] = []
    if seen is not None and seen.story is not None and (choice.story is None or choice.story.id != seen.story):
        outs += _take_back(tagged.unique.article.id, seen.story, tagged, memory)
    story = _open(tagged, part, main) if choice.story is None else _join(choice.story, part)
    if choice.story is None:
        memory.opened()
    notification = decide(story, story.log, tagged.seen_at, rules)
    if notification is not None:
        version = story.version + (0 if choice.story is None else 1)
        story = story.model_copy(update={"log": notification.log, "version": version})
    memory.put(story)
    reasons = [choice.why]
    if notification is None:
        reasons.append(Why(stage="stories", rule=QUIET, cue=silence(story, tagged.seen_at, rules)))
    outs.append(Emit(STORIES, story_message(story, tagged, *reasons)))
    if notification is not None:
        outs.append(Emit(ALERTS, alert_message(story, notification, choice.why)))
    return story, outs


def _belongs(mention: Mention, main: Mention) -> bool:
    """News beside the main news is of the same story if its event may be a facet of it."""
    return mention.id == main.id or (mention.role == "news" and facets(mention.event, main.event))


def _choose(tagged: Tagged, signature: Signature, seen: Seen | None, memory: Memory, names: Names) -> Choice:
    """A copy goes where its original is; an edit stays unless it now tells of something else; the rest goes where it scores best."""
    original = _original(tagged, signature, memory, names)
    if original is not None:
        return Choice(original, Why(stage="stories", rule="copy", cue=tagged.unique.copy_of or ""))
    scored: list[tuple[float, str, Score]] = []
    profiles: dict[str, Profile] = {}
    for profile in memory.candidates(signature, tagged.realm, tagged.seen_at):
        others = tuple(s for s in profile.signatures if s.article_id != signature.article_id)
        own = seen is not None and seen.story == profile.id
        if own and not others:
            return Choice(memory.story(profile.id), Why(stage="stories", rule="edited", cue="the only article of its story"))
        if not others:
            continue
        profiles[profile.id] = profile.model_copy(update={"signatures": others})
        found = score_story(signature, profiles[profile.id], names.leaders)
        scored.append((found.total + (STICKY if own else 0.0), profile.id, found))
    scored.sort(key=lambda one: one[:2], reverse=True)
    if not scored or scored[0][0] <= 0:
        return Choice(None, Why(stage="stories", rule="new", cue="nothing like it"))
    rank, story_id, found = scored[0]
    bonus = unopposed(signature, profiles[story_id], found)
    found = Score((*found.points, bonus))
    if rank + bonus.points >= SAME:
        return Choice(memory.story(story_id), Why(stage="stories", rule="matched", cue=str(found)))
    return Choice(None, Why(stage="stories", rule="new", cue=f"nearest: {found}"))


def _original(tagged: Tagged, signature: Signature, memory: Memory, names: Names) -> StoryState | None:
    """The story of the article that this one copies.  The same words with another day, city or minister in them are another event's;
    when they were printed again says nothing.
    """
    unique = tagged.unique
    seen = memory.seen(unique.copy_of) if unique.copy_of and is_copy(unique) else None
    story = memory.story(seen.story) if seen and seen.story else None
    if story is None:
        return None
    known = [part.signature for part in story.parts if part.article.article_id == unique.copy_of]
    found = [score(undated(signature), undated(original), names.leaders) for original in known]
    return None if any(map(contradicts, found)) else story


def _open(tagged: Tagged, part: Part, main: Mention) -> StoryState:
    return StoryState(
        id=main.id,
        realm=tagged.realm,
        version=1,
        first_seen=tagged.seen_at,
        last_seen=tagged.seen_at,
        parts=(part,),
        articles=1,
        origin_keys=(part.origin_key,),
    )


def _join(story: StoryState, part: Part) -> StoryState:
    """`story` with `part` in the place of what the same article said before, or at its end."""
    before = [one for one in story.parts if one.article.article_id == part.article.article_id]
    kept = tuple(part if one in before else one for one in story.parts) if before else (*story.parts, part)
    if len(kept) > MAX_PARTS:
        kept = (kept[0], *kept[-(MAX_PARTS - 1) :])
    keys = story.origin_keys if part.copy_ else tuple(dict.fromkeys([*story.origin_keys, part.origin_key]))
    return story.model_copy(
        update={
            "parts": kept,
            "articles": story.articles + (0 if before else 1),
            "origin_keys": keys[:MAX_ORIGINS],
            "last_seen": max(story.last_seen, part.seen_at),
        }
    )


def _take_back(article_id: str, story_id: str, tagged: Tagged, memory: Memory) -> list[Out]:
    """The article no longer says this.  A story that only it told is kept as it was: it has been told."""
    story = memory.story(story_id)
    if story is None:
        return []
    kept = tuple(part for part in story.parts if part.article.article_id != article_id)
    if not kept or len(kept) == len(story.parts):
        return []
    keys = tuple(dict.fromkeys(part.origin_key for part in kept if not part.copy_)) or story.origin_keys
    story = story.model_copy(update={"parts": kept, "articles": story.articles - 1, "origin_keys": keys})
    memory.put(story)
    return [Emit(STORIES, story_message(story, tagged, Why(stage="stories", rule="taken_back", cue=article_id)))]


def _recall(tagged: Tagged, own: str | None, memory: Memory, names: Names) -> dict[str, tuple[StoryState, Why]]:
    """What the article recalls is added to the stories that exist; a recollection that nothing dates is nobody's."""
    article_id = tagged.unique.article.id
    found: dict[str, tuple[StoryState, Why]] = {}
    for mention in tagged.mentions:
        known = parts(mention.when.date) if mention.when else None
        if mention.role != "background" or known is None or known.month is None:
            continue
        signature = alone(mention, article_id, names)
        candidates = memory.candidates(signature, tagged.realm, tagged.seen_at)
        scored = [(score_story(signature, profile, names.leaders), profile.id) for profile in candidates if profile.id != own]
        best, story_id = max(scored, key=lambda one: (one[0].total, one[1]), default=(Score(()), ""))
        story = found[story_id][0] if story_id in found else memory.story(story_id) if best.total >= SAME else None
        if best.total < SAME or story is None:
            continue
        earlier = next((recall.mentions for recall in story.recalls if recall.article_id == article_id), ())
        rest = tuple(recall for recall in story.recalls if recall.article_id != article_id)
        recalls = (*rest, Recall(article_id=article_id, mentions=(*earlier, mention)))[-MAX_RECALLS:]
        story = story.model_copy(update={"recalls": recalls})
        memory.put(story)
        found[story_id] = (story, Why(stage="stories", rule="recalled", cue=str(best)))
    return found


def _withdraw_recalls(article_id: str, seen: Seen, tagged: Tagged, memory: Memory) -> list[Out]:
    outs: list[Out] = []
    for story_id in seen.recalled:
        story = memory.story(story_id)
        if story is not None:
            story = story.model_copy(update={"recalls": tuple(r for r in story.recalls if r.article_id != article_id)})
            memory.put(story)
            outs.append(Emit(STORIES, story_message(story, tagged, Why(stage="stories", rule="taken_back", cue=article_id))))
    return outs


# --- what goes out ---------------------------------------------------------------------------------------------------------------


def best_mention(story: StoryState) -> Mention:
    """The main mention that says most: who, where, when, how much; the earliest of equals."""

    def says(mention: Mention) -> tuple[int, float]:
        persons = sum(1 for actor in mention.actors if actor.kind == "person")
        return min(persons, 3) + sum(x is not None for x in (mention.place, mention.when, mention.quantity)), mention.confidence

    return max((part.mentions[0] for part in story.parts), key=says)


def story_message(story: StoryState, tagged: Tagged, *why: Why) -> Story:
    best = best_mention(story)
    mains = [part.mentions[0] for part in story.parts]
    rest = [mention for part in story.parts for mention in part.mentions[1:]]
    recalled = [mention for recall in story.recalls for mention in recall.mentions]
    actors = {(a.qid or a.name): a for mention in mains for a in mention.actors}
    dates = [m.when.date for m in mains if m.when and m.when.date]
    return Story(
        id=story.id,
        seen_at=tagged.seen_at,
        trace=tagged.trace,
        realm=story.realm,
        version=story.version,
        event=story.event,
        events=tuple(dict.fromkeys(m.event for m in (*mains, *rest))),
        event_line=event_line(best),
        actors=tuple(actors.values()),
        place=best.place or next((m.place for m in mains if m.place), None),
        when=max(dates, key=lambda partial: (len(partial), dates.count(partial)), default=None),
        articles=tuple(part.article for part in story.parts),
        mentions=(*mains, *rest, *recalled),
        origins=len(story.origin_keys),
        conflicts=conflicts(story.parts),
        first_seen=story.first_seen,
        last_seen=story.last_seen,
        why=why,
    )


def alert_message(story: StoryState, told: Notification, why: Why) -> Alert:
    """The alert, shown through the article that brought the news."""
    part = next(part for part in story.parts if part.article.article_id == told.article_id)
    mention = told.mention
    return Alert(
        id=alert_id(story.id, told.change, told.details),
        seen_at=part.seen_at,
        trace=part.trace,
        realm=story.realm,
        story=story.id,
        change=told.change,
        change_text=told.text,
        event=mention.event,
        event_line=event_line(best_mention(story) if told.change == "new" else mention),
        direction=mention.direction,
        stance=mention.stance,
        says=mention.says,
        title=part.article.title,
        title_english=part.title_english,
        language=part.article.language,
        evidence=told.evidence,
        actors=mention.actors,
        source=part.article.source,
        url=part.article.url,
        published=part.article.published,
        published_at=part.published_at,
        articles=story.articles,
        origins=len(story.origin_keys),
        flags=part.flags,
        why=(why, Why(stage="stories", rule=f"told_{told.change}", cue=", ".join(told.details))),
    )
