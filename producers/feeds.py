"""Feeds: RSS and Atom, polled politely, each new or changed entry one item.

`decide` is the whole brain and is pure: what was known of a feed, what came of the poll, the time, and out comes a `Plan` (what is known
now, the items, the next poll).  The gateway around it only carries out.  What is known of a feed is committed with its items, so a
crash repeats a poll and never an item.

Method, and where it comes from: conditional GET with the server's own validators, the body's hash as a second line, and now and then an
unconditional one (Media Cloud's rss-fetcher found servers whose ETag never changes); Retry-After obeyed within bounds; failures back
off by doubling; entries told apart by what was seen, never by a date.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from pydantic import AwareDatetime

from producers._dates import settled
from producers._feedxml import Parsed, Unparsable
from producers._links import host_of
from producers._sandbox import parse_apart
from producers._seen import MAX_EDITS, Identified, Seen, SeenArticle, identify, remember
from tumen.feedlist import FeedCheck
from tumen.http import Failure, FailureKind, Request, Response, fetch, redact
from tumen.ids import digest, item_id
from tumen.messages import Frozen, Item, Realm
from tumen.settings import FeedSettings, HttpSettings, PollSettings, Settings
from tumen.stage import Drop, Emit, Job, Kit, Out, ProducerSpec
from tumen.state import State, Table
from tumen.topics import ITEMS

log = structlog.get_logger(__name__)

FAILURES = (*(kind.value for kind in FailureKind), "not_a_feed", "unparsable")
SPEC = ProducerSpec(writes=(ITEMS,), reasons=(*FAILURES, "duplicate", "empty", "restless", "over_cap"))

_ACCEPT = "application/rss+xml, application/atom+xml, application/rdf+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
_RETRY_AFTER = (timedelta(minutes=1), timedelta(hours=24))
_BACKOFF_CAP = timedelta(hours=6)
_FULL_EVERY = timedelta(hours=6)
_JITTER = 0.1
_HORIZON = timedelta(hours=26)


class Config(Frozen):
    """This node has no settings of its own: feeds, `poll` and `http` are the user's (tumen.toml)."""


class FeedState(Frozen):
    """What is known of a feed, besides its entries.

    `etag`, `modified`, `body`: of the last answer that parsed; `body` is a hash.  `primed`: it has been read once, so
    what comes now is new.  `last_full`: the last answer that was not a 304.
    """

    etag: str | None = None
    modified: str | None = None
    body: str | None = None
    primed: bool = False
    failures: int = 0
    reason: str | None = None
    next_poll: AwareDatetime | None = None
    last_success: AwareDatetime | None = None
    last_full: AwareDatetime | None = None


class Poll(Frozen):
    """A job: what to ask for."""

    url: str
    etag: str | None = None
    modified: str | None = None
    body: str | None = None


class Answer(Frozen):
    """What came of a poll.  `feed` if `outcome` is "fetched"; `reason` (of `FAILURES`), `message`, `retry_after` if it is "failed".

    "unchanged": a 304, or the body known already (then with its new validators and `full`).
    """

    outcome: Literal["fetched", "unchanged", "failed"]
    feed: Parsed | None = None
    etag: str | None = None
    modified: str | None = None
    body: str | None = None
    full: bool = False
    reason: str | None = None
    message: str = ""
    retry_after: float | None = None


@dataclass(frozen=True)
class Plan:
    """What a poll leads to.  `seen` is None when it stays as it was."""

    state: FeedState
    seen: Seen | None
    items: tuple[Item, ...]
    drops: tuple[Drop, ...]


# --- deciding: pure ----------------------------------------------------------------------------------------------------------------


def decide(
    feed: FeedSettings, state: FeedState, seen: Callable[[], Seen], answer: Answer, now: datetime, poll: PollSettings, realm: Realm
) -> Plan:
    """What follows from an answer.  `seen` is asked for only if there are entries to compare."""
    if answer.outcome == "failed":
        failed = state.model_copy(
            update={
                "failures": state.failures + 1,
                "reason": answer.reason,
                "next_poll": now + wait_after_failure(feed, poll, state.failures + 1, answer.retry_after),
            }
        )
        return Plan(failed, None, (), (Drop(answer.reason or "unparsable", answer.message),))
    update: dict[str, Any] = {"failures": 0, "reason": None, "next_poll": now + interval(feed, poll), "last_success": now}
    if answer.full:
        update |= {"etag": answer.etag, "modified": answer.modified, "body": answer.body, "last_full": now}
    if answer.feed is None:
        return Plan(state.model_copy(update=update), None, (), ())
    update["primed"] = True
    sighted, items, drops = _compare(feed, answer.feed, seen(), now, realm, backlog=not state.primed)
    if answer.feed.left_out:
        drops.append(Drop("over_cap", f"{answer.feed.left_out} entries beyond {poll.max_entries}"))
    return Plan(state.model_copy(update=update), sighted, tuple(items), tuple(drops))


def _compare(
    feed: FeedSettings, parsed: Parsed, seen: Seen, now: datetime, realm: Realm, *, backlog: bool
) -> tuple[Seen, list[Item], list[Drop]]:
    """The entries against what was seen, oldest (last in the document) first, so that the first report is the first item."""
    sighted: dict[str, SeenArticle] = {}
    items: list[Item] = []
    drops: list[Drop] = []
    for found in reversed(list(identify(parsed.entries, feed.url, parsed.home, seen))):
        entry = found.entry
        if not entry.title and not entry.body:
            drops.append(Drop("empty"))
            continue
        item = _item(feed, parsed, found, now, realm, backlog=backlog)
        before = sighted.get(found.article)
        if before is not None:
            if before.item != item.id:
                drops.append(Drop("duplicate", "one document has an entry twice"))
            continue
        known = seen.articles.get(found.article)
        names = tuple(dict.fromkeys((*found.names, *(known.names if known else ()))))[:6]
        if known is None:
            items.append(item)
            sighted[found.article] = SeenArticle(item=item.id, names=names)
        elif known.item == item.id:
            sighted[found.article] = known.model_copy(update={"names": names})
        elif known.edits >= MAX_EDITS:
            drops.append(Drop("restless", "an entry that changes at every look"))
            sighted[found.article] = known
        else:
            items.append(item)
            sighted[found.article] = SeenArticle(item=item.id, names=names, edits=known.edits + 1)
    return remember(seen, sighted), items, drops


def _item(feed: FeedSettings, parsed: Parsed, found: Identified, now: datetime, realm: Realm, *, backlog: bool) -> Item:
    entry = found.entry
    identity = item_id(found.article, entry.title, entry.body)
    published = settled(entry.published, now)
    return Item(
        id=identity,
        seen_at=now,
        trace=identity,
        realm=realm,
        article_id=found.article,
        source=feed.url,
        site=host_of(entry.link or feed.url),
        url=entry.link,
        guid=entry.guid,
        title=entry.title,
        body=entry.body,
        body_type=entry.body_type,
        published=published.day if published else None,
        published_at=published.at if published else None,
        language_hint=feed.language or entry.language or parsed.language,
        truncated=entry.truncated,
        backlog=backlog,
    )


def interval(feed: FeedSettings, poll: PollSettings) -> timedelta:
    """The time between two polls: the setting, a little more or less by the feed's name, so that feeds do not march in step."""
    share = int(feed_id(feed.url)[:8], 16) / 0xFFFFFFFF
    return timedelta(seconds=(feed.every or poll.every) * (1 + _JITTER * (2 * share - 1)))


def wait_after_failure(feed: FeedSettings, poll: PollSettings, failures: int, retry_after: float | None) -> timedelta:
    """Doubling from the second failure on, to six hours (or the feed's own interval, if that is longer); never sooner than asked."""
    usual = interval(feed, poll)
    doubled: int = 2 ** min(max(failures, 1) - 1, 20)
    wait = min(usual * doubled, max(usual, _BACKOFF_CAP))
    if retry_after is None:
        return wait
    least, most = _RETRY_AFTER
    return max(wait, least, min(most, timedelta(seconds=min(retry_after, most.total_seconds()))))


def feed_id(url: str) -> str:
    """A feed is its URL."""
    return digest("feed", url)


# --- doing -------------------------------------------------------------------------------------------------------------------------


class Feeds:
    """The gateway: jobs come due by time, one a host."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._feeds = {feed_id(feed.url): feed for feed in settings.feeds}

    def accept(self, message: object, state: State) -> Iterable[Out]:
        return ()

    def due(self, state: State, now: datetime) -> Sequence[Job]:
        """The feeds whose poll is due, the longest due first, one a host."""
        table = Table(state, "feed/", FeedState)
        waiting = []
        for key, feed in self._feeds.items():
            known = table.get(key) or FeedState()
            # a time far ahead was set by a clock that has since been put back
            if known.next_poll is None or known.next_poll <= now or known.next_poll > now + _HORIZON + interval(feed, self._settings.poll):
                waiting.append((known.next_poll.timestamp() if known.next_poll else 0.0, key, feed, known))
        jobs: dict[str, Job] = {}
        for moment, key, feed, known in sorted(waiting, key=lambda one: one[:2]):
            host = host_of(feed.url)
            if host not in jobs:
                jobs[host] = Job(f"{key}-{moment:.0f}", host, _poll(feed, known, now).model_dump_json().encode(), known.failures + 1)
        return list(jobs.values())

    def perform(self, job: Job) -> bytes:
        poll = Poll.model_validate_json(job.payload)
        return ask(poll, self._settings.http, self._settings.poll.max_entries).model_dump_json().encode()

    def finish(self, job: Job, result: bytes, state: State, now: datetime) -> Iterable[Out]:
        key = feed_id(json.loads(job.payload)["url"])
        feed = self._feeds[key]
        known = Table(state, "feed/", FeedState).get(key) or FeedState()
        memory = Table(state, "seen/", Seen)
        answer = Answer.model_validate_json(result)
        plan = decide(feed, known, lambda: memory.get(key) or Seen(), answer, now, self._settings.poll, self._settings.realm)
        Table(state, "feed/", FeedState).put(key, plan.state)
        if plan.seen is not None:
            memory.put(key, plan.seen)
        if plan.state.reason != known.reason:
            _tell(feed, plan.state, answer)
        return [*(Emit(ITEMS, item) for item in plan.items), *plan.drops]


def build(config: Config, kit: Kit) -> Feeds:  # noqa: ARG001 - every node is built alike
    return Feeds(kit.settings)


def ask(poll: Poll, http: HttpSettings, max_entries: int) -> Answer:
    """One poll: the request, and what came of it.  Raises nothing for what the other side does."""
    validators = {"If-None-Match": poll.etag, "If-Modified-Since": poll.modified}
    request = Request(poll.url, {"Accept": _ACCEPT, **{name: value for name, value in validators.items() if value}})
    response = fetch(request, http)
    if isinstance(response, Failure):
        return Answer(outcome="failed", reason=response.kind.value, message=response.message, retry_after=response.retry_after)
    return read(response, poll.body, max_entries)


def read(response: Response, known_body: str | None, max_entries: int) -> Answer:
    """What a response says."""
    if response.status == 304:
        return Answer(outcome="unchanged")
    body = digest(response.body)
    validators = {"etag": response.headers.get("etag"), "modified": response.headers.get("last-modified")}
    if body == known_body:
        return Answer(outcome="unchanged", full=True, body=body, **validators)
    try:
        feed = parse_apart(response.body, response.final_url, response.headers, max_entries)
    except Unparsable as error:
        return Answer(outcome="failed", reason=error.reason, message=str(error))
    return Answer(outcome="fetched", full=True, feed=feed, body=body, **validators)


def check_feed(feed: FeedSettings, settings: Settings) -> FeedCheck:
    """One poll of a feed, nothing kept: for `tumen feeds check`."""
    answer = ask(Poll(url=feed.url), settings.http, settings.poll.max_entries)
    if answer.feed is None:
        return FeedCheck(feed.url, feed.name, ok=False, reason=f"{answer.reason}: {answer.message}")
    days = [entry.day for entry in answer.feed.entries if entry.day]
    languages = [entry.language for entry in answer.feed.entries if entry.language]
    return FeedCheck(
        feed.url,
        feed.name or answer.feed.title,
        ok=True,
        entries=len(answer.feed.entries),
        newest=max(days, default=None),
        language=feed.language or answer.feed.language or next(iter(languages), None),
        reason=None if answer.feed.entries else "a feed without entries",
    )


def _poll(feed: FeedSettings, known: FeedState, now: datetime) -> Poll:
    """With validators, unless it has been long since the server gave anything but a 304."""
    if known.last_full is None or now - known.last_full > _FULL_EVERY:
        return Poll(url=feed.url, body=known.body)
    return Poll(url=feed.url, etag=known.etag, modified=known.modified, body=known.body)


def _tell(feed: FeedSettings, state: FeedState, answer: Answer) -> None:
    """A line when a feed falls ill, changes its illness, or is well again."""
    if state.reason is None:
        log.info("feed_well_again", feed=redact(feed.url))
    else:
        next_poll = state.next_poll.isoformat(timespec="seconds") if state.next_poll else None
        log.warning("feed_failed", feed=redact(feed.url), reason=state.reason, message=answer.message, next_poll=next_poll)
