"""When an article without a date was written, as far as it tells by itself: it reports a meeting that is on public record.

The people of the meeting stand together in the title or the lead; a weekday or a day that is named there must fit; of several meetings of
the same people, what the article recalls decides ("their summit three months earlier").  Where two still fit, nothing is concluded.
"""

import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from processors.tag.reading import Reading, Sent
from tumen.errors import ConfigError
from tumen.messages import Frozen, PartialDate
from tumen.text.dates import DateHit, parse_partial
from tumen.watch import Watch

HEAD = 3  # sentences in which an article says what it is about
FRESH = 30  # days within which an article that a feed brought as new tells of a meeting, if it tells of it as news
NEAR = 2  # days between a meeting and the day an article puts it on: time zones, agencies that report a day later


class Meeting(Frozen):
    """A meeting on public record.  `people`: ids of the watch."""

    date: date
    people: frozenset[str]
    place: str


def load_chronology(folder: Path, watch: Watch) -> tuple[Meeting, ...]:
    """`chronology.toml` of a watch folder; none if there is no such file.  Raises `ConfigError` with every finding at once."""
    path = folder / "chronology.toml"
    if not path.is_file():
        return ()
    try:
        rows: list[Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("meeting", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: {error}") from None
    findings: list[str] = []
    meetings: list[Meeting] = []
    for number, row in enumerate(rows, 1):
        try:
            meeting = Meeting.model_validate({**row, "date": date.fromisoformat(row["date"])})
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            findings.append(f"{path.name}: meeting {number}: expected date, people and place ({type(error).__name__}: {error})")
            continue
        unknown = [person for person in sorted(meeting.people) if person not in watch.by_id]
        findings.extend(f"{path.name}: meeting {number}: people: {person!r}: nobody of the watch" for person in unknown)
        meetings.append(meeting)
    if findings:
        raise ConfigError(*findings)
    return tuple(meetings)


def written_on(reading: Reading, known: Sequence[Meeting], fresh: date | None = None) -> PartialDate | None:
    """The day of the meeting that an article without a full date reports, with its own day where it gives one; None: it does not tell.

    `fresh`: the day on which a feed brought it as new.  Then only a meeting of those days may date it: the same two people meet again.
    """
    year, month, day = parse_partial(reading.published)
    if year is not None:
        return None
    head = range(min(HEAD, len(reading.sents)))
    people = [_people(reading.sents[i]) for i in head if not _recalls(reading.sents[i])]
    written = [hit for i in head for hit in reading.dates(i)]
    known_then = [m for m in known if fresh is None or abs((fresh - m.date).days) <= FRESH]
    fitting = [m for m in known_then if any(m.people <= named for named in people) and _fits(m, written, month, day)]
    if len(fitting) > 1:
        scores = [_recalled(reading, m, known) for m in fitting]
        fitting = [m for m, score in zip(fitting, scores, strict=True) if score == max(scores) and score > 0]
    if len(fitting) != 1:
        return None
    meeting = fitting[0]
    return f"{meeting.date.year:04}-{month:02}-{day:02}" if month and day else _told(meeting.date, written).isoformat()


def _told(meeting: date, written: Sequence[DateHit]) -> date:
    """The day the article was written: the last weekday it names that lies just behind the meeting ("KCNA said on Saturday")."""
    named = {hit.weekday for hit in written if hit.weekday is not None}
    after = [meeting + timedelta(days=days) for days in range(NEAR + 1)]
    return max((day for day in after if day.weekday() in named), default=meeting)


def _people(sent: Sent) -> set[str]:
    return {hit.entity.id for hit in sent.hits if hit.entity.kind == "person"}


def _recalls(sent: Sent) -> bool:
    """It speaks of an earlier meeting: an anniversary, or people who stand behind a word of recalling."""
    last = max((hit.start for hit in sent.hits if hit.entity.kind == "person"), default=-1)
    return any(cue.kind == "occasion" or (cue.kind == "background" and cue.start < last) for cue in sent.cues)


def _fits(meeting: Meeting, written: Sequence[DateHit], month: int | None, day: int | None) -> bool:
    """Whether what the head of the article says of the day agrees; it must say something."""
    days = [(hit.month, hit.day) for hit in written if hit.month and hit.day]
    if month and day:
        days.append((month, day))
    if days:
        return any(_apart(meeting.date, *pair) <= NEAR for pair in days)
    weekdays = [hit.weekday for hit in written if hit.weekday is not None]
    return bool(weekdays) and meeting.date.weekday() in weekdays


def _apart(then: date, month: int, day: int) -> int:
    """Days between a date and a day and month of the same year."""
    try:
        return abs((then - date(then.year, month, day)).days)
    except ValueError:
        return 366


def _recalled(reading: Reading, meeting: Meeting, known: Sequence[Meeting]) -> int:
    """How many meetings that the article recalls as so many months ago were that many months before this one."""
    found = 0
    for index, sent in enumerate(reading.sents):
        for hit in reading.dates(index):
            if hit.offset is None or not hit.offset.endswith("m") or hit.offset == "0m":
                continue
            months = meeting.date.year * 12 + meeting.date.month + int(hit.offset[:-1])
            found += any(m.people <= _people(sent) and m.date.year * 12 + m.date.month == months for m in known)
    return found
