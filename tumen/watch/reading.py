"""Reads the names of a watch and checks them.  Everything that is wrong is told at once: file, row, key, reason.

`watch.toml` holds the name, the languages, the two sides and what they are called as a pair; `states.toml`, `people.toml`,
`offices.toml`, `organisations.toml`, `places.toml` and `agencies.toml` the rest.  A key of several languages ("en it") gives its words
to each; ``"*"`` to all.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tumen.watch.aliases import Alias, parse
from tumen.watch.entities import EVERY, Entity, Entry, EntryKind, Names, Office, Role, Side, SideId

KINDS: Mapping[str, EntryKind] = {
    "aliases": "name",
    "demonyms": "demonym",
    "metonyms": "metonym",
    "weak": "weak",
    "exclude": "exclude",
    "titles": "title",
    "pairs": "pair",
}
"""Which kind of entry the words under a key are."""

TABLES: Mapping[str, tuple[tuple[str, type[Entity] | type[Role] | type[Office], Mapping[str, Any]], ...]] = {
    "states.toml": (("state", Entity, {"kind": "state"}),),
    "people.toml": (("person", Entity, {"kind": "person"}),),
    "offices.toml": (("role", Role, {}), ("office", Office, {})),
    "organisations.toml": (("organisation", Entity, {"kind": "organisation"}),),
    "places.toml": (("place", Entity, {"kind": "place"}),),
    "agencies.toml": (("agency", Entity, {"kind": "organisation", "agency": True}),),
}
"""File -> its tables, the model of their rows, what the table itself says of each row."""

_Language = Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]
_Aliases = Mapping[str, Sequence[Alias]]
R = TypeVar("R", Entity, Role, Office)


class _Head(BaseModel):
    """`watch.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    languages: tuple[_Language, ...] = Field(min_length=1)
    side: tuple[Side, ...] = Field(min_length=2, max_length=2)
    pairs: Mapping[str, tuple[str, ...]] = {}
    exclude: Mapping[str, tuple[str, ...]] = {}
    particles: Mapping[str, tuple[str, ...]] = {}
    links: Mapping[str, tuple[str, ...]] = {}
    owner_first: tuple[str, ...] = ()


def load_names(folder: Path, findings: list[str]) -> Names | None:
    """The names of the watch in `folder`; None, and why in `findings`, if anything is wrong with them."""
    before = len(findings)
    names = _Reading(folder, findings).names()
    return names if len(findings) == before else None


class _Reading:
    """One reading of one watch."""

    def __init__(self, folder: Path, findings: list[str]) -> None:
        self.folder = folder
        self.findings = findings
        self.languages: tuple[str, ...] = ()
        self.parsed: dict[str, list[Alias]] = {}
        self.gathered: dict[tuple[Alias, EntryKind, tuple[str, ...], str | None], set[str]] = {}

    def names(self) -> Names | None:
        head, head_words = self._head()
        if head is None:
            return None
        found: dict[str, list[tuple[Any, Mapping[str, _Aliases]]]] = {}
        for file, tables in TABLES.items():
            tree = self._tree(file)
            for name in set(tree) - {table for table, _, _ in tables}:
                self.findings.append(f"{file}: {name}: unknown table, expected {' or '.join(f'[[{table}]]' for table, _, _ in tables)}")
            for table, model, says in tables:
                found[table] = self._rows(file, table, tree.get(table, []), model, says)
        entities: list[tuple[Entity, Mapping[str, _Aliases]]] = [
            row for table in ("state", "person", "organisation", "place", "agency") for row in found[table]
        ]
        roles: list[tuple[Role, Mapping[str, _Aliases]]] = found["role"]
        offices: list[tuple[Office, Mapping[str, _Aliases]]] = found["office"]
        stands = {office.id: _as_entity(office) for office, _ in offices}
        by_id = {**{entity.id: entity for entity, _ in entities}, **stands}
        self._check(head, [entity for entity, _ in entities], [role for role, _ in roles], [office for office, _ in offices])
        for entity, words in entities:
            self._gather((entity.id,), words)
        for office, words in offices:
            self._gather((office.id,), words, office.role)
        self._gather(tuple(side.state for side in head.side), head_words)
        for role, words in roles:
            self._gather_titles(role, words["titles"], [(office, by_id.get(_state(head, office.side))) for office, _ in offices])
        entries = tuple(
            Entry(alias, kind, tuple(by_id[owner] for owner in owners), role_id, None if EVERY in languages else frozenset(languages))
            for (alias, kind, owners, role_id), languages in self.gathered.items()
            if all(owner in by_id for owner in owners)  # a state that is not there was told above
        )
        self.findings.extend(_clashes(entries))
        if self.findings:
            return None
        return Names(
            name=head.name,
            languages=head.languages,
            sides=head.side,
            entities=tuple(entity for entity, _ in entities),
            roles={role.id: role for role, _ in roles},
            offices=tuple(office for office, _ in offices),
            office_entities={(office.role, office.side): stands[office.id] for office, _ in offices},
            entries=entries,
            particles=head.particles,
            links=frozenset(word for words in head.links.values() for word in words),
            owner_first=frozenset(head.owner_first),
        )

    # --- files and rows ---

    def _tree(self, file: str) -> dict[str, Any]:
        try:
            return tomllib.loads((self.folder / file).read_text(encoding="utf-8"))
        except OSError as error:
            self.findings.append(f"{self.folder / file}: expected a file of the watch ({error.strerror})")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.findings.append(f"{self.folder / file}: {error}")
        return {}

    def _head(self) -> tuple[_Head | None, Mapping[str, _Aliases]]:
        tree = self._tree("watch.toml")
        if not tree:
            return None, {}
        self.languages = tuple(tree.get("languages", ()))
        words = self._spread("watch.toml", tree)
        for key in ("particles", "links"):
            for language in set(tree.get(key, {})) - set(self.languages):
                self.findings.append(f"watch.toml: {key}.{language}: unknown language")
        return self._validated("watch.toml", _Head, tree), words

    def _rows(self, file: str, table: str, rows: Any, model: type[R], says: Mapping[str, Any]) -> list[tuple[R, Mapping[str, _Aliases]]]:
        if not isinstance(rows, list):
            self.findings.append(f"{file}: {table}: expected [[{table}]] tables")
            return []
        good: list[tuple[R, Mapping[str, _Aliases]]] = []
        for number, row in enumerate(rows, start=1):
            where = f"{file}: {table} {row.get('id', number)}"
            for key in set(says) & set(row):
                self.findings.append(f"{where}: {key} = {row[key]!r}: the table says it, leave it out")
            words = self._spread(where, row)
            # beside the other side, anybody and any place of a side may stand for it; the state itself is no stand-in but the side
            stand_in: dict[str, Any] = {"stand_in": "side" in row and table != "state"} if model is Entity else {}
            valid = self._validated(where, model, {**stand_in, **row, **says})
            if valid is not None:
                good.append((valid, words))
        return good

    def _validated(self, where: str, model: type[Any], tree: Mapping[str, Any]) -> Any:
        try:
            return model.model_validate(tree)
        except ValidationError as error:
            for finding in error.errors(include_url=False):
                self.findings.append(f"{where}: {'.'.join(map(str, finding['loc']))} = {finding.get('input')!r}: {finding['msg']}")
            return None

    def _spread(self, where: str, row: dict[str, Any]) -> dict[str, _Aliases]:
        """Expand every list of words of `row`, in place, and give the aliases by key and language."""
        spread: dict[str, _Aliases] = {key: {} for key in KINDS}
        for key in KINDS:
            lists = row.get(key)
            if not isinstance(lists, dict):
                continue
            by_language: dict[str, list[Alias]] = {}
            for languages, expressions in lists.items():
                for language in languages.split():
                    if language != EVERY and language not in self.languages:
                        self.findings.append(f"{where}: {key}.{languages}: unknown language {language!r}")
                    aliases = by_language.setdefault(language, [])
                    for expression in expressions if isinstance(expressions, list) else [expressions]:
                        aliases.extend(self._aliases(f"{where}: {key}.{languages}", expression))
            spread[key] = by_language
            row[key] = {language: tuple(dict.fromkeys(alias.written for alias in aliases)) for language, aliases in by_language.items()}
        return spread

    def _aliases(self, where: str, expression: Any) -> list[Alias]:
        if not isinstance(expression, str):
            self.findings.append(f"{where} = {expression!r}: expected a string")
            return []
        if expression not in self.parsed:
            try:
                self.parsed[expression] = parse(expression)
            except ValueError as error:
                self.findings.append(f"{where} = {expression!r}: {error}")
                return []
        return self.parsed[expression]

    # --- entries ---

    def _gather(self, owners: tuple[str, ...], words: Mapping[str, _Aliases], role: str | None = None) -> None:
        """`role`: the words are an office's, and its titles are titles of that."""
        for key, by_language in words.items():
            kind: EntryKind = "office" if role and key == "aliases" else KINDS[key]
            for language, aliases in by_language.items():
                for alias in aliases:
                    self._add(alias, kind, () if kind == "exclude" else owners, role if kind == "title" else None, language)

    def _add(self, alias: Alias, kind: EntryKind, owners: tuple[str, ...], role: str | None, language: str) -> None:
        self.gathered.setdefault((alias, kind, owners, role), set()).add(language)

    def _gather_titles(self, role: Role, titles: _Aliases, offices: Sequence[tuple[Office, Entity | None]]) -> None:
        """Titles as they are; one with ``~`` once for each of its offices and each adjective of the owner ("ministro russo degli…")."""
        for language, aliases in titles.items():
            for alias in aliases:
                if "~" not in alias.written:
                    self._add(alias, "title", (), role.id, language)
                    continue
                for office, state in offices:
                    if office.role == role.id and state is not None:
                        for adjective in state.demonyms.get(language, ()):
                            for written in parse(alias.written.replace("~", adjective)):
                                self._add(written, "office", (office.id,), None, language)

    # --- checks across rows ---

    def _check(self, head: _Head, entities: Sequence[Entity], roles: Sequence[Role], offices: Sequence[Office]) -> None:
        named: list[Entity | Office] = [*entities, *offices]
        for what, values in (
            ("id", [*(row.id for row in named), *(role.id for role in roles)]),
            ("qid", [row.qid for row in named if row.qid]),
            ("name", [row.name for row in entities]),
        ):
            for value in sorted({value for value in values if values.count(value) > 1}):
                self.findings.append(f"watch: {what} = {value!r}: given to more than one")
        sides = [side.id for side in head.side]
        if len(set(sides)) != len(sides):
            self.findings.append(f"watch.toml: side: {sides[0]!r} is there twice")
        states = {entity.id: entity for entity in entities if entity.kind == "state"}
        for side in head.side:
            if side.state not in states or states[side.state].side != side.id:
                self.findings.append(f"watch.toml: side {side.id}: state = {side.state!r}: expected a [[state]] of that side")
        for language in {*head.owner_first, *(language for role in roles for language in role.bare)} - set(head.languages):
            self.findings.append(f"watch: owner_first or bare: unknown language {language!r}")
        for office in offices:
            if office.role not in {role.id for role in roles}:
                self.findings.append(f"offices.toml: office {office.id}: role = {office.role!r}: expected the id of a [[role]]")
        held = [(entity, tenure) for entity in entities for tenure in entity.tenures]
        for entity, tenure in held:
            where = f"tenures of {entity.id}: office = {tenure.office!r}"
            if tenure.office not in {office.id for office in offices}:
                self.findings.append(f"{where}: expected the id of an [[office]]")
            if any(date is not None and date.startswith("--") for date in (tenure.since, tenure.until)):
                self.findings.append(f"{where}: a date without its year")
            elif tenure.since and tenure.until and tenure.since >= tenure.until:
                self.findings.append(f"{where}: since {tenure.since} is not before until {tenure.until}")
        for (one, first), (other, second) in combinations(held, 2):
            apart = (first.until or "9") <= (second.since or "") or (second.until or "9") <= (first.since or "")
            if first.office == second.office and not apart:
                self.findings.append(f"office {first.office}: held by {one.id} and {other.id} at once")


def _state(head: _Head, side: SideId) -> str:
    return next((one.state for one in head.side if one.id == side), "")


def _as_entity(office: Office) -> Entity:
    """What a hit on an office names as long as nobody has asked who held it."""
    told = office.model_dump(exclude={"role", "titles"})
    return Entity(**told, kind="person", stand_in=True)


def _clashes(entries: Iterable[Entry]) -> Iterable[str]:
    """Aliases that stand for two things in one language, or for both sides in any."""
    by_key: dict[str, list[Entry]] = {}
    for entry in entries:
        by_key.setdefault(entry.alias.key, []).append(entry)
    for key, same in by_key.items():
        for one, other in combinations(same, 2):
            owners = [_owner(one), _owner(other)]
            meet = one.languages is None or other.languages is None or one.languages & other.languages
            sides = {entity.side for entry in (one, other) for entity in entry.entities if entry.kind != "pair"} - {None}
            if (meet and owners[0] != owners[1]) or len(sides) > 1:
                reason = "alias on both sides" if len(sides) > 1 else "one alias for two things"
                yield f"watch: alias {one.alias.written!r} ({key!r}): {owners[0]} and {owners[1]}: {reason}"


def _owner(entry: Entry) -> str:
    how = {"weak": "weakly ", "title": "a title of ", "exclude": "an exclusion"}.get(entry.kind, "")
    return how + (" and ".join(entity.id for entity in entry.entities) or entry.role or "")
