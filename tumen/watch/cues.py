"""Cue files: how a language says things about a relationship.  Data, one file a language: ``watches/<name>/cues/<lang>.toml``.

A cue file has two kinds of table::

    language = "it"

    [events.arms]                     # one table for each event type of the closed list (tumen.messages.EventType)
    strong = ["munizion*", ...]       # in a sentence about the relationship, these words state this event
    weak = ["missil*", "arm(a|i)"]    # these go with it, and also with other things

    [cues]
    report = ["ha (detto|dichiarato)", "secondo", ...]      # one list for each cue class of `CLASSES`

A *pattern* is one or more words, in lower case:

- ``munizion*`` a word that begins so; ``*erà`` a word that ends so; ``*soldat*`` a word that contains it;
- ``ha (detto|riferito)`` alternatives inside a word or for a whole word, may be empty: ``soldat(o|i)``, ``(il|) portavoce``;
- ``non .. conferm*`` up to four words may stand between the two (up to twelve characters in a language without spaces);
- a space is any white space.  Where words are not separated (`UNSPACED`: Korean, Chinese, Japanese) a pattern matches anywhere and
  needs no ``*``.

Matching ignores case, takes ’ for ' and ё for е.  The longest pattern of a class wins; patterns of different classes may overlap.
Event words and cue classes say what a word *is*, never which article it was seen in: no pattern may quote a labelled item.

`events.toml` maps each event type to the PLOVER ontology (type, mode, context; openeventdata/PLOVER) and, where there is one, to a
heading of the Multilateral Sanctions Monitoring Team's reports::

    [diplomacy]
    plover = "SUPPORT"
    context = ["diplomatic"]
    variant = [{ cue = "phone", plover = "CONSULT", mode = "phone" }]     # the first that fits takes the place of type and mode

    [told]                            # PLOVER's contexts for how an event is told: by stance, or by role
    planned = ["future"]
"""

import itertools
import re
import tomllib
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, ValidationError

from tumen.messages import Direction, EventType, Frozen, Plover, Role, Stance
from tumen.text.words import UNSPACED

LANGUAGES = ("it", "en", "ru", "ko", "uk", "fr", "de", "es", "pl", "ja", "zh", "vi")

CLASSES: Mapping[str, str] = {
    "report": "somebody is being quoted: said, according to",
    "source": "a noun for somebody who is quoted: spokesman, officials, analysts, media",
    "intelligence": "spies and those who speak for them: intelligence service, satellite images",
    "alleged": "told as a claim: accuses, suspects, believed, alleged",
    "conditional": "hearsay in the verb itself: avrebbe, aurait, soll, якобы, とみられる, 것으로 알려졌다",
    "rumour": "rumours, speculation, unconfirmed reports",
    "unanswered": "neither confirmed nor denied, declined to comment",
    "confirmed": "a side itself confirms, admits, announces",
    "denied": "denies, rejects, baseless, fabrication",
    "negated": "it did not or does not happen: suspended, stopped, none was seen, never delivered",
    "negation": "not, no, never, none",
    "planned": "intends, will, is to, ready to, invited, expected",
    "future": "the future tense, where the form of the verb tells it",
    "possible": "could, might, if: what may come of it",
    "background": "recalled: last year, earlier, previously, since the start of",
    "give": "hands something over: supplied, delivered, sent, sold",
    "receive": "gets something: received, bought, imported, in return for",
    "visit_to": "goes somewhere: arrived in, travelled to, visited",
    "host": "receives a visitor: hosted, welcomed",
    "mutual": "both do it: together, joint, signed with, talks, exchange",
    "to": "stands directly before (after, in ko and ja) the name of a receiver or a goal",
    "from": "stands directly before (after, in ko and ja) the name of a giver or an origin",
    "origin": "as `from`, and can mean nothing else: out of, coming from (`from` may also be of, by, with)",
    "pair": "stands for both sides: the two countries, both leaders, the sides",
    "dprk": "stands for the DPRK where it is the subject: the regime, the North",
    "russia": "stands for Russia where it is the subject: the invader; our country in a Russian outlet",
    "continue": "goes on about what was said: he, his host, the delegation, the agreement, the newcomers",
    "relation": "closeness: ties, cooperation, alliance, partnership",
    "listing": "an enumeration of states: axis, adversaries, among the countries",
    "tests": "missile and nuclear tests of one side by itself",
    "drills": "exercises of others: United States, South Korea, Japan",
    "sport": "matches, teams, medals",
    "history": "before 1991: Soviet, Korean War, armistice",
    "domestic": "home affairs of one side: floods, party congress, elections",
    "war": "the war in Ukraine by itself: strikes, front, drones over cities",
    "occasion": "what an event is held for, not what it is: on the anniversary of",
    "after": "dates an event by an earlier one, which is recalled: a day after, in the wake of",
    "greets": "sends wishes, thanks, condolences or a letter: who is named first does it, the other gets it",
    "phone": "they spoke by telephone",
    "diplomacy_else": "relations of one side with a third: summit with Trump, inter-Korean, Beijing",
}

_WORD = re.compile(r"\(([^()]*)\)")


class EventCues(Frozen):
    """Words that state an event, and words that only go with it."""

    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()


class Cues(Frozen):
    """One language's cue file, its patterns expanded (no alternatives left)."""

    language: str
    events: Mapping[EventType, EventCues]
    cues: Mapping[str, tuple[str, ...]]

    @property
    def spaced(self) -> bool:
        return self.language not in UNSPACED


class Variant(Frozen):
    """Another PLOVER type and mode, where stance, direction and a cue class of the sentence are as said; what is not said is free."""

    stance: tuple[Stance, ...] = ()
    direction: tuple[Direction, ...] = ()
    cue: str | None = None
    plover: str
    mode: str | None = None

    def fits(self, stance: Stance, direction: Direction, cues: Container[str]) -> bool:
        return (
            (not self.stance or stance in self.stance)
            and (not self.direction or direction in self.direction)
            and (self.cue is None or self.cue in cues)
        )


class EventInfo(Frozen):
    """What an event type is called elsewhere.  `plover`: type; `mode`, `context` as PLOVER has them; `msmt`: the heading, or None.

    `told`: by stance or role, the contexts for how it is told, the same for every event.
    """

    plover: str
    mode: str | None = None
    context: tuple[str, ...] = ()
    variant: tuple[Variant, ...] = ()
    told: Mapping[str, tuple[str, ...]] = {}
    msmt: str | None = None
    title: str = Field(description="for the English event line")

    def coded(self, stance: Stance, direction: Direction, role: Role, cues: Container[str]) -> Plover:
        """The event in PLOVER's words.  `cues`: the cue classes of its sentence."""
        variant = next((variant for variant in self.variant if variant.fits(stance, direction, cues)), None)
        told = (*self.told.get(stance, ()), *self.told.get(role, ()))
        return Plover(
            type=variant.plover if variant else self.plover,
            mode=variant.mode if variant else self.mode,
            context=tuple(dict.fromkeys((*self.context, *told))),
        )


def expand(pattern: str) -> list[str]:
    """Every plain pattern that the alternatives of `pattern` stand for."""
    parts = _WORD.split(pattern)
    choices = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
    return [" ".join("".join(pick).split()) for pick in itertools.product(*choices)]


def load_cues(folder: Path, findings: list[str]) -> dict[str, Cues]:
    """The cue files of a watch folder, by language.  What is wrong with them is added to `findings`: file, key, reason."""
    found: dict[str, Cues] = {}
    for path in sorted((folder / "cues").glob("*.toml")):
        data = _read(path, findings)
        if data is None:
            continue
        cues = _cues_of(path, data, findings)
        if cues is not None:
            found[cues.language] = cues
    return found


def load_events(folder: Path, findings: list[str]) -> dict[EventType, EventInfo]:
    """`events.toml`: every event type of the closed list, once.  What is wrong with it is added to `findings`."""
    path = folder / "events.toml"
    data = _read(path, findings) if path.is_file() else None
    if data is None:
        if not path.is_file():
            findings.append(f"{path.name}: expected a file with a table for each event type")
        return {}
    found: dict[EventType, EventInfo] = {}
    told = data.pop("told", {})
    ways = (*get_args(Stance), *get_args(Role))
    findings.extend(f"{path.name}: told.{way}: expected one of {', '.join(ways)}" for way in told if way not in ways)
    for key, table in data.items():
        if key not in set(EventType):
            findings.append(f"{path.name}: {key}: expected one of {', '.join(EventType)}")
            continue
        try:
            info = found[EventType(key)] = EventInfo.model_validate({**table, "told": told})
            findings.extend(
                f"{path.name}: {key}.variant: {variant.cue}: unknown cue class"
                for variant in info.variant
                if variant.cue is not None and variant.cue not in CLASSES
            )
        except ValidationError as error:
            findings.extend(f"{path.name}: {key}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    findings.extend(f"{path.name}: {event}: expected a table, there is none" for event in EventType if event not in data)
    return found


def _read(path: Path, findings: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        findings.append(f"{path.name}: {error}")
        return None


def _cues_of(path: Path, data: dict[str, Any], findings: list[str]) -> Cues | None:
    name = f"cues/{path.name}"
    before = len(findings)
    language = data.get("language")
    if language != path.stem or language not in LANGUAGES:
        findings.append(f"{name}: language = {language!r}: expected the file's own name, one of {', '.join(LANGUAGES)}")
    findings.extend(f"{name}: {key}: unknown key" for key in data if key not in ("language", "events", "cues"))
    events: dict[EventType, EventCues] = {}
    for key, table in data.get("events", {}).items():
        if key not in set(EventType):
            findings.append(f"{name}: events.{key}: expected one of {', '.join(EventType)}")
            continue
        findings.extend(f"{name}: events.{key}.{kind}: unknown key" for kind in table if kind not in ("strong", "weak"))
        strong, weak = (_patterns(f"{name}: events.{key}.{kind}", table.get(kind, []), findings) for kind in ("strong", "weak"))
        events[EventType(key)] = EventCues(strong=strong, weak=weak)
    cues: dict[str, tuple[str, ...]] = {}
    for key, patterns in data.get("cues", {}).items():
        if key not in CLASSES:
            findings.append(f"{name}: cues.{key}: unknown cue class")
            continue
        cues[key] = _patterns(f"{name}: cues.{key}", patterns, findings)
    return Cues(language=str(language), events=events, cues=cues) if len(findings) == before else None


def _patterns(where: str, patterns: Any, findings: list[str]) -> tuple[str, ...]:
    """The patterns of one list, expanded.  Refused: what is no text, empty, only wildcards, or not in lower case."""
    if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
        findings.append(f"{where}: expected a list of patterns")
        return ()
    found: dict[str, None] = {}
    for pattern in patterns:
        for plain in expand(pattern):
            if not plain.replace("*", "").replace("..", "").strip():
                findings.append(f"{where}: {pattern!r}: expected letters besides the wildcards")
            elif plain != plain.lower():
                findings.append(f"{where}: {pattern!r}: expected lower case")
            found[plain] = None
    return tuple(found)
