"""Who and what a watch knows: the models.  Its files are read by `tumen.watch.reading`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, StringConstraints

from tumen.messages import Frozen, PartialDate
from tumen.watch.aliases import Alias

SideId = Literal["russia", "dprk"]
EntityKind = Literal["state", "person", "organisation", "place"]
HitKind = Literal["name", "demonym", "metonym", "pair", "weak", "office"]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Qid = Annotated[str, StringConstraints(pattern=r"^Q[1-9]\d*$")]
Words = Mapping[str, tuple[str, ...]]

EntryKind = Literal["name", "demonym", "metonym", "pair", "weak", "office", "title", "exclude"]

EVERY = "*"  # in place of a language: all of them


class Tenure(Frozen):
    """An office and when it was held: from `since` (None: longer than is told) up to, not including, `until` (None: still)."""

    office: Slug
    since: PartialDate | None = None
    until: PartialDate | None = None

    def covers(self, on: PartialDate) -> bool:
        """Was it held on any day of `on`, a date with its year ("2024", "2024-11", "2024-11-02")?"""
        last = on + "~"  # sorts behind every day of that month or year
        return (self.since is None or self.since <= last) and (self.until is None or self.until > on)


class Entity(Frozen):
    """Somebody or something that a text may name.  `name` is English, for show.

    `stand_in`: beside the other side it may stand for its own (Kursk, a minister's surname).  Ukraine and the Donbas are stand-ins
    without a side: beside the DPRK they stand for Russia, in whose service a North Korean soldier is there.
    `both`: it is of one side and by what it is names the other too (an ambassador to it, a bridge between the two).
    `broad`: a region or a peninsula, which holds cities: to name one of them contradicts nothing.
    `aliases`, `demonyms`, `metonyms`: what it is called, by language; `weak`: what needs context to mean it ("Kim", 北);
    `exclude`: longer strings that hold an alias and are not it (朝鲜日报, "montagnes russes").
    """

    id: Slug
    qid: Qid | None = None
    name: str = Field(min_length=1)
    side: SideId | None = None
    kind: EntityKind
    stand_in: bool = False
    both: bool = False
    agency: bool = False
    broad: bool = False
    aliases: Words = Field(default_factory=dict)
    demonyms: Words = Field(default_factory=dict)
    metonyms: Words = Field(default_factory=dict)
    weak: Words = Field(default_factory=dict)
    exclude: Words = Field(default_factory=dict)
    tenures: tuple[Tenure, ...] = ()


class Role(Frozen):
    """What an office is called in each language, whoever's it is: "foreign minister".  ``~`` stands for the owner's adjective.

    `bare`: in that language a title that names no owner is, weakly, this side's ("глава Минобороны" in a Russian text).
    """

    id: str
    name: str
    titles: Words = Field(default_factory=dict)
    bare: Mapping[str, SideId] = Field(default_factory=dict)


class Office(Frozen):
    """One side's office.  `aliases` name it with its owner in one word or idiom ("Kremlin chief").

    `titles` say nothing by themselves; in front of the weak name of somebody who held the office they make it sure ("compagno Kim").
    """

    id: Slug
    name: str
    side: SideId
    role: str
    both: bool = False
    qid: Qid | None = None
    aliases: Words = Field(default_factory=dict)
    titles: Words = Field(default_factory=dict)
    weak: Words = Field(default_factory=dict)


class Side(Frozen):
    """One of the two.  `state` is its entity."""

    id: SideId
    name: str
    qid: Qid
    state: Slug


class Entry(NamedTuple):
    """One alias as the finder wants it: whose (the two states for a pair, nobody's for a title or an exclusion), in which languages
    (None: in all)."""

    alias: Alias
    kind: EntryKind
    entities: tuple[Entity, ...]
    role: str | None
    languages: frozenset[str] | None


@dataclass(frozen=True)
class Names:
    """The names of a watch, checked, and every way to write them: what `find` is made from.

    `office_entities`: by role and side.  `links` are the words that may stand between a title and its owner ("ministro *della* Russia");
    in the languages of `owner_first` the owner is looked for in front of the title first.
    """

    name: str
    languages: tuple[str, ...]
    sides: tuple[Side, ...]
    entities: tuple[Entity, ...]
    roles: Mapping[str, Role]
    offices: tuple[Office, ...]
    office_entities: Mapping[tuple[str, SideId], Entity]
    entries: tuple[Entry, ...]
    particles: Mapping[str, tuple[str, ...]]
    links: frozenset[str]
    owner_first: frozenset[str]
