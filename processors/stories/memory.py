"""What the stage remembers, and how it finds it again: stories by calendar day, by person and by recency, all of it bounded.

Keys: ``story/ID`` (everything), ``profile/ID`` (what matching reads), ``article/ID`` (which story took it), ``member/STORY/ARTICLE``,
and the indexes ``day/MM-DD/ID``, ``undated/ID``, ``who/KEY/ID``, ``age/TIME/ID``, whose values are the story's event types.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from processors.stories.dates import calendar_days, parts
from processors.stories.matching import facets
from processors.stories.model import Profile, Seen, Signature, StoryState
from tumen.messages import EventType, Realm
from tumen.state import State, Table

WINDOW = 15  # days around a date in which its stories are looked up
RECENT = timedelta(days=3)  # an article that nothing dates is compared with what has been going on
MAX_CANDIDATES = 400
FIRST, NEWEST = 6, 18  # signatures kept of a story: of its beginning, and of its latest articles
SWEEP = 200  # stories forgotten at once


class Memory:
    """The stage's state, typed.  `state` is bytes by key; nothing is kept outside it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._stories = Table(state, "story/", StoryState)
        self._profiles = Table(state, "profile/", Profile)
        self._articles = Table(state, "article/", Seen)

    def story(self, story_id: str) -> StoryState | None:
        return self._stories.get(story_id)

    def seen(self, article_id: str) -> Seen | None:
        return self._articles.get(article_id)

    def remember(self, article_id: str, seen: Seen) -> None:
        self._articles.put(article_id, seen)
        for story_id in (seen.story, *seen.recalled):
            if story_id:
                self._state.put(f"member/{story_id}/{article_id}", b"")

    def forget_article(self, article_id: str) -> None:
        seen = self.seen(article_id)
        if seen is not None:
            for story_id in (seen.story, *seen.recalled):
                if story_id:
                    self._state.delete(f"member/{story_id}/{article_id}")
            self._articles.delete(article_id)

    def put(self, story: StoryState) -> None:
        """Keep `story`, and index it anew."""
        self._unindex(story.id)
        signatures = _sample([part.signature for part in story.parts])
        keys = (*_keys(story.id, signatures), f"age/{_stamp(story.last_seen)}/{story.id}")
        events = ",".join(dict.fromkeys(s.event for s in signatures)).encode()
        for key in keys:
            self._state.put(key, events)
        profile = Profile(id=story.id, realm=story.realm, last_seen=story.last_seen, signatures=signatures, keys=keys)
        self._profiles.put(story.id, profile)
        self._stories.put(story.id, story)

    def count(self) -> int:
        return int(self._state.get("count") or b"0")

    def opened(self) -> None:
        self._state.put("count", str(self.count() + 1).encode())

    def candidates(self, signature: Signature, realm: Realm, seen_at: datetime) -> Iterator[Profile]:
        """The stories that `signature` may belong to, each once."""
        found: dict[str, None] = {}
        for key, events in self._lookup(signature, seen_at):
            if _may_be(signature, events):
                found[key.rsplit("/", 1)[1]] = None
                if len(found) >= MAX_CANDIDATES:
                    break
        for story_id in found:
            profile = self._profiles.get(story_id)
            if profile is not None and profile.realm == realm:
                yield profile

    def expire(self, before: datetime) -> int:
        """Forget the stories that nothing has joined since `before`, oldest first, at most `SWEEP` of them.  Gives how many."""
        end = f"age/{_stamp(before)}"
        old = [key.rsplit("/", 1)[1] for key, _ in self._state.scan("age/", limit=SWEEP) if key < end]
        for story_id in old:
            self._drop(story_id)
        return len(old)

    def trim(self, most: int) -> None:
        """Forget the stories that have been quiet longest until there are `most`."""
        too_many = self.count() - most
        for key, _ in list(self._state.scan("age/", limit=too_many)) if too_many > 0 else ():
            self._drop(key.rsplit("/", 1)[1])

    def _drop(self, story_id: str) -> None:
        self._unindex(story_id)
        self._stories.delete(story_id)
        self._profiles.delete(story_id)
        for key, _ in list(self._state.scan(f"member/{story_id}/")):
            article_id = key.rsplit("/", 1)[1]
            seen = self.seen(article_id)
            if seen is not None and seen.story in (story_id, None):
                self._articles.delete(article_id)
            self._state.delete(key)
        self._state.put("count", str(self.count() - 1).encode())

    def _unindex(self, story_id: str) -> None:
        profile = self._profiles.get(story_id)
        for key in profile.keys if profile else ():
            self._state.delete(key)

    def _lookup(self, signature: Signature, seen_at: datetime) -> Iterator[tuple[str, bytes]]:
        days = _days((signature,))
        for first, last in _ranges(days):
            for key, events in self._state.scan("day/", start=f"day/{first}"):
                if key[4:9] > last:
                    break
                yield key, events
        for _, who in signature.persons:
            yield from self._state.scan(f"who/{who}/", limit=MAX_CANDIDATES)
        yield from self._state.scan("undated/", limit=MAX_CANDIDATES)
        if not days:
            yield from self._state.scan("age/", start=f"age/{_stamp(seen_at - RECENT)}", limit=MAX_CANDIDATES)


def _keys(story_id: str, signatures: Iterable[Signature]) -> Iterator[str]:
    signatures = tuple(signatures)
    days = _days(signatures)
    yield from (f"day/{day}/{story_id}" for day in days)
    if not days:
        yield f"undated/{story_id}"
    yield from dict.fromkeys(f"who/{who}/{story_id}" for signature in signatures for _, who in signature.persons)


def _days(signatures: Iterable[Signature]) -> tuple[str, ...]:
    """Every ``MM-DD`` under which these signatures are found."""
    found: dict[str, None] = {}
    for signature in signatures:
        for known in (parts(signature.when), parts(signature.published)):
            if known:
                found.update((day, None) for day in calendar_days(known))
    return tuple(found)


def _ranges(days: Iterable[str]) -> Iterator[tuple[str, str]]:
    """First and last ``MM-DD`` around each day; a range over New Year is two."""
    for day in days:
        middle = date(2024, int(day[:2]), int(day[3:]))
        first, last = (f"{middle + timedelta(days=shift):%m-%d}" for shift in (-WINDOW, WINDOW))
        if first <= last:
            yield first, last
        else:
            yield first, "12-31"
            yield "01-01", last


def _may_be(signature: Signature, events: bytes) -> bool:
    """Whether an index entry is of a kindred event: most are not, and their stories are never read."""
    known = [EventType(event) for event in events.decode().split(",")]
    return any(event in signature.events or facets(signature.event, event) for event in known)


def _sample(signatures: list[Signature]) -> tuple[Signature, ...]:
    return tuple(signatures if len(signatures) <= FIRST + NEWEST else [*signatures[:FIRST], *signatures[-NEWEST:]])


def _stamp(at: datetime) -> str:
    return f"{at.timestamp():015.3f}"
