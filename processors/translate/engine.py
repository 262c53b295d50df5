"""Translation engines: the protocol, `none`, and `apertium` (rule-based, a pipeline of small programs for each pair; apertium.org).

An engine knows languages by ISO 639-1 code and always translates into English.
"""

import re
import shlex
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from processors.translate.pipe import EngineFailed, Pipe

APERTIUM_DATA = Path("/usr/share/apertium")
MOST_HOPS = 2  # each one loses something; the third would lose too much

#: ISO 639-1 -> 639-3, by which apertium names its pairs
_CODES = {
    "it": "ita",
    "es": "spa",
    "fr": "fra",
    "de": "deu",
    "pt": "por",
    "ca": "cat",
    "ru": "rus",
    "uk": "ukr",
    "be": "bel",
    "pl": "pol",
    "ro": "ron",
    "en": "eng",
}
_MODE = re.compile(r"([a-z]{3})-([a-z]{3})")
_RESERVED = re.compile(r"([\[\]{}^$/\\@<>])")
#: what apertium marks words with: unknown, untranslatable, not inflected
_MARK = re.compile(r"(?<![\\\w])[*#@](\w[\w'-]*)")
_UNWRITABLE = str.maketrans("*#~", "   ")  # these it has no way to escape
_END = ".[]"  # a full stop that the text does not have: the taggers want to see an end


class Engine(Protocol):
    """What translates.  `name` is what a `Translation` says of its engine."""

    name: str

    def languages(self) -> tuple[str, ...]:
        """Those that it can translate from, as installed."""
        ...

    def translate(self, text: str, language: str, seconds: float) -> str:
        """One sentence into English within `seconds`.  Raises `EngineFailed`."""
        ...


class NoEngine:
    """Translates nothing, from no language."""

    name = "none"

    def languages(self) -> tuple[str, ...]:
        return ()

    def translate(self, text: str, language: str, seconds: float) -> str:
        raise EngineFailed("died", f"no engine translates from {language}")


class Apertium:
    """Apertium's installed pairs, joined where no pair leads to English: Italian to Spanish to English.

    `data` is the folder that holds `modes/`.  `words` gives, for (source language, target of the hop), what a word that the
    pair does not know is in the target language: the gaps of a dictionary made for another domain.
    """

    name = "apertium"

    def __init__(self, data: Path = APERTIUM_DATA, words: Callable[[str, str], Mapping[str, str]] = lambda _from, _to: {}) -> None:
        self._words = words
        self._pipes: dict[str, Pipe] = {}
        self.missing: dict[str, tuple[str, ...]] = {}
        commands = {}
        for mode, path in _modes(data):
            commands[mode] = _commands(path)
            lacking = tuple(sorted({command[0] for command in commands[mode] if shutil.which(command[0]) is None}))
            if lacking:
                self.missing[f"{mode[0]}-{mode[1]}"] = lacking
                del commands[mode]
        self._chains = {code: chain for code, three in _CODES.items() if code != "en" and (chain := _chain(three, commands))}
        for hop in {hop for chain in self._chains.values() for hop in chain}:
            name = f"{hop[0]}-{hop[1]}"
            self._pipes[name] = Pipe(f"apertium {name}", commands[hop])

    def languages(self) -> tuple[str, ...]:
        return tuple(self._chains)

    def route(self, language: str) -> str:
        """The hops of a language, for a person: "ita-spa-eng"."""
        chain = self._chains[language]
        return "-".join((chain[0][0], *(hop[1] for hop in chain)))

    def translate(self, text: str, language: str, seconds: float) -> str:
        end = time.monotonic() + seconds
        for source, target in self._chains[language]:
            text = self._hop(text, f"{source}-{target}", end - time.monotonic(), self._words(language, target))
        return text

    def close(self) -> None:
        for pipe in self._pipes.values():
            pipe.close()

    def _hop(self, text: str, pair: str, seconds: float, words: Mapping[str, str]) -> str:
        asked = _RESERVED.sub(r"\\\1", text.translate(_UNWRITABLE)) + _END
        answer = self._pipes[pair].ask(asked.encode("utf-8", "replace"), seconds, limit=10 * len(asked.encode()) + 200)
        try:
            said = answer.decode("utf-8")
        except UnicodeDecodeError as error:
            raise EngineFailed("garbled", f"apertium {pair}: no UTF-8") from error
        said = _MARK.sub(lambda found: words.get(found[1].lower(), found[1]), said).replace("#", "")
        said = re.sub(r"\\(.)", r"\1", said.removesuffix("[]").removesuffix("."))
        return " ".join(said.split())


def _modes(data: Path) -> list[tuple[tuple[str, str], Path]]:
    found = []
    for path in sorted((data / "modes").glob("*.mode")):
        pair = _MODE.fullmatch(path.stem)
        if pair:
            found.append(((pair[1], pair[2]), path))
    return found


def _commands(path: Path) -> list[list[str]]:
    """The programs of a mode file, each told to answer at every NUL (-z).  $1 and $2 are where `apertium` puts its own options."""
    commands = []
    for part in path.read_text(encoding="utf-8").strip().split("|"):
        program, *arguments = shlex.split(part)
        commands.append([program, "-z", *("-g" if argument == "$1" else argument for argument in arguments if argument != "$2")])
    return commands


def _chain(source: str, pairs: Mapping[tuple[str, str], object]) -> Sequence[tuple[str, str]] | None:
    """The fewest hops from `source` to English, or None."""
    waiting: deque[tuple[tuple[str, str], ...]] = deque((pair,) for pair in sorted(pairs) if pair[0] == source)
    while waiting:
        chain = waiting.popleft()
        if chain[-1][1] == "eng":
            return chain
        if len(chain) < MOST_HOPS:
            waiting.extend((*chain, pair) for pair in sorted(pairs) if pair[0] == chain[-1][1] and pair[1] != source)
    return None
