"""The watch: a relationship as data (`watches/<name>/`), loaded and checked once, and asked by every stage that needs to know a name.

`load_watch(folder)` gives a `Watch`; `watch.find("Шойгу прибыл в Пхеньян", "ru")` says where which entity is named,
`watch.holder("russia-defence-minister", "2024-11")` who that was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tumen.errors import ConfigError
from tumen.messages import EventType, PartialDate
from tumen.watch.cues import Cues, EventInfo, load_cues, load_events
from tumen.watch.entities import Entity, Office, Role, Side, SideId, Tenure
from tumen.watch.find import Finder, Hit
from tumen.watch.reading import load_names

__all__ = ["Cues", "Entity", "EventInfo", "Hit", "Office", "Role", "Side", "Tenure", "Watch", "load_watch"]


@dataclass(frozen=True)
class Watch:
    """A loaded watch.  Read-only, and safe to share between threads."""

    name: str
    languages: tuple[str, ...]
    sides: Mapping[str, Side]
    entities: tuple[Entity, ...]
    by_id: Mapping[str, Entity]
    offices: Mapping[str, Office]
    cues: Mapping[str, Cues]
    events: Mapping[EventType, EventInfo]
    finder: Finder

    def find(self, text: str, language: str | None = None) -> list[Hit]:
        """Where which entity is named, in the order of the text; `language` None asks all languages at once.  See `Finder.find`."""
        return self.finder.find(text, language)

    def may_name(self, text: str, side: SideId) -> bool:
        """False if nothing in `text` can name this side, in any language: quicker than `find`, and never False where that finds it."""
        return self.finder.may_name(text, side)

    def holder(self, office_id: str, on: PartialDate | None) -> Entity | None:
        """Who held the office then; `on` None (or without a year) asks for the last one known.

        None if nobody is known, or if `on` is so coarse that it fits two holders ("2024" for an office that changed hands in May).
        Raises `KeyError` for an office that the watch does not have.
        """
        self.offices[office_id]
        holders = [
            (tenure, entity)
            for entity in self.entities
            for tenure in entity.tenures
            if tenure.office == office_id and (tenure.until is None if on is None or on.startswith("--") else tenure.covers(on))
        ]
        people = {entity.id: entity for _, entity in holders}
        return next(iter(people.values())) if len(people) == 1 else None

    def agencies(self) -> dict[str, tuple[str, ...]]:
        """A news agency's name -> all that it is called, in any language."""
        return {
            entity.name: tuple(dict.fromkeys(alias for aliases in entity.aliases.values() for alias in aliases))
            for entity in self.entities
            if entity.agency
        }


def load_watch(folder: Path) -> Watch:
    """Load and check the whole watch.  Raises `ConfigError` with every finding at once: file, key, reason."""
    findings: list[str] = []
    names = load_names(folder, findings)
    cues = load_cues(folder, findings)
    events = load_events(folder, findings)
    if names is not None:
        findings.extend(f"cues/{language}.toml: the language is not in watch.toml" for language in sorted(set(cues) - set(names.languages)))
    if findings or names is None:
        raise ConfigError(*findings)
    return Watch(
        name=names.name,
        languages=names.languages,
        sides={side.id: side for side in names.sides},
        entities=names.entities,
        by_id={entity.id: entity for entity in names.entities},
        offices={office.id: office for office in names.offices},
        cues=cues,
        events=events,
        finder=Finder(names),
    )
