"""The gateway: a queue a language in state, one article a job, and what comes of it: a translation, or a flag that says there is none."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import structlog
from pydantic import Field

from processors.translate.engine import Engine
from processors.translate.pipe import EngineFailed
from processors.translate.wording import Wording
from tumen.messages import Article, Frozen, Place, Translated, TranslatedSentence, Translation, Unique
from tumen.stage import Emit, Job, Out
from tumen.state import State, Table
from tumen.text.sentences import sentences
from tumen.topics import TRANSLATED

log = structlog.get_logger(__name__)

_GIVE_UP = 3  # failures in one article, after which the rest of it stays untranslated
_LONGEST = 2_000  # characters; a longer "sentence" is no prose


class Config(Frozen):
    """`max_chars`: of an article so much is translated, what names the watch's people and places first.

    `queue`: articles that may wait for one language; when there are more, they pass untranslated rather than wait.
    `remember`: sentences kept in memory, so that a copy's are not translated again.
    """

    max_chars: int = Field(default=12_000, ge=500)
    queue: int = Field(default=200, ge=1)
    remember: int = Field(default=5_000, ge=1)


class Piece(Frozen):
    """A sentence to be translated and where it stands; "lead" has no place of its own."""

    where: Place | None
    start: int
    end: int
    text: str


class Lane(Frozen):
    """The queue of one language: its jobs are numbered from `head` up to, not including, `tail`."""

    head: int = 0
    tail: int = 0


class Work(Frozen):
    """A job's payload: sentences, none twice, in the order in which they matter."""

    language: str
    texts: tuple[str, ...]


class Queued(Frozen):
    """An article that waits for its translation.  `cut`: not all of it is asked for."""

    unique: Unique
    pieces: tuple[Piece, ...]
    work: Work
    cut: bool


class Result(Frozen):
    """What the engine made of a job's texts, one for one; None where it made nothing.  `flags`: why, and what is doubtful."""

    engine: str
    english: tuple[str | None, ...]
    flags: tuple[str, ...] = ()


class Gateway:
    """`engines` and `wordings` by language.  `seconds` bounds the I/O of one article."""

    def __init__(self, engines: Mapping[str, Engine], wordings: Mapping[str, Wording], seconds: float, config: Config) -> None:
        self._engines, self._wordings, self._seconds, self._config = engines, wordings, seconds, config
        self._known: OrderedDict[tuple[str, str], tuple[str, tuple[str, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def accept(self, message: Unique, state: State) -> Iterable[Out]:
        language = message.article.language
        if language == "en":
            return [_out(message, own_words(message.article, "english"))]
        if language is None or language not in self._engines:
            return [_out(message, own_words(message.article, "untranslated"))]
        lanes = Table(state, "lane/", Lane)
        lane = lanes.get(language) or Lane()
        if lane.tail - lane.head >= self._config.queue:
            return [_out(message, own_words(message.article, "untranslated", "busy"))]
        pieces = _pieces(message.article, language)
        texts, cut = self._chosen(pieces, language)
        queued = Queued(unique=message, pieces=tuple(pieces), work=Work(language=language, texts=texts), cut=cut)
        _jobs(state, language).put(f"{lane.tail:012}", queued)
        lanes.put(language, Lane(head=lane.head, tail=lane.tail + 1))
        return []

    def due(self, state: State, now: object) -> Sequence[Job]:
        """The oldest of each language: also of one that no engine translates any more, so that nothing waits for ever."""
        jobs = []
        for language, lane in Table(state, "lane/", Lane).scan():
            queued = _jobs(state, language).get(f"{lane.head:012}") if lane.head < lane.tail else None
            if queued is not None:
                jobs.append(Job(f"{language}-{lane.head}", language, queued.work.model_dump_json().encode()))
        return jobs

    def perform(self, job: Job) -> bytes:
        work = Work.model_validate_json(job.payload)
        engine = self._engines.get(work.language)
        if engine is None:
            result = Result(engine="none", english=(None,) * len(work.texts), flags=("no_engine",))
        else:
            result = self._translate(engine, work)
        return result.model_dump_json().encode()

    def finish(self, job: Job, result: bytes, state: State, now: object) -> Iterable[Out]:
        language, _, number = job.id.rpartition("-")
        jobs, lanes = _jobs(state, language), Table(state, "lane/", Lane)
        queued, lane = jobs.get(f"{int(number):012}"), lanes.get(language)
        if queued is None or lane is None:
            return []
        jobs.delete(f"{int(number):012}")
        if lane.head + 1 == lane.tail:
            lanes.delete(language)  # an empty queue begins again at 0: nothing is left in state
        else:
            lanes.put(language, Lane(head=lane.head + 1, tail=lane.tail))
        return [_out(queued.unique, translation_of(queued, Result.model_validate_json(result)))]

    def _chosen(self, pieces: Sequence[Piece], language: str) -> tuple[tuple[str, ...], bool]:
        """What is translated, in order: title and lead, sentences that name what is watched, the rest; each once, up to the bound."""
        wording = self._wordings[language]
        ranked = sorted(pieces, key=lambda piece: 0 if piece.where != "text" else 1 if wording.matters(piece.text) else 2)
        texts, left = [], self._config.max_chars
        for text in dict.fromkeys(piece.text for piece in ranked):
            left -= len(text)
            if left >= 0 and len(text) <= _LONGEST:
                texts.append(text)
        return tuple(texts), len(texts) < len({piece.text for piece in pieces})

    def _translate(self, engine: Engine, work: Work) -> Result:
        end = time.monotonic() + self._seconds
        english: list[str | None] = []
        flags: dict[str, None] = {}  # an ordered set
        failures = 0
        for text in work.texts:
            known = self._recall(work.language, text)
            if known is None and failures < _GIVE_UP:
                try:
                    known = self._one(engine, work.language, text, end - time.monotonic())
                except EngineFailed as error:
                    failures = _GIVE_UP if error.reason in ("timeout", "resting") else failures + 1
                    flags[f"engine_{error.reason}"] = None
                    log.warning("translation_failed", language=work.language, engine=engine.name, reason=error.reason, message=str(error))
            english.append(known[0] if known else None)
            flags.update(dict.fromkeys(known[1] if known else ()))
        return Result(engine=engine.name, english=tuple(english), flags=tuple(flags))

    def _one(self, engine: Engine, language: str, text: str, seconds: float) -> tuple[str, tuple[str, ...]]:
        wording = self._wordings[language]
        prepared = wording.prepare(text)
        found = wording.finish(prepared, engine.translate(prepared.text, language, seconds))
        with self._lock:
            self._known[language, text] = found
            while len(self._known) > self._config.remember:
                self._known.popitem(last=False)
        return found

    def _recall(self, language: str, text: str) -> tuple[str, tuple[str, ...]] | None:
        with self._lock:
            found = self._known.get((language, text))
            if found is not None:
                self._known.move_to_end((language, text))
            return found


def own_words(article: Article, *flags: str) -> Translation:
    """No translation: the article's own title and lead, and a flag that says why."""
    return Translation(title=article.title, lead=article.lead, engine="none", flags=flags)


def translation_of(queued: Queued, result: Result) -> Translation:
    """A translation of what was translated.  What was not is left in its own words, and flagged."""
    article = queued.unique.article
    english = {text: said for text, said in zip(queued.work.texts, result.english, strict=True) if said is not None}
    if not english:
        return own_words(article, "untranslated", *result.flags)
    flags = list(result.flags)
    if queued.cut or len(english) < len(queued.work.texts):
        flags.append("partial")
    title = _joined(queued.pieces, "title", english)
    lead = _joined(queued.pieces, None, english)
    if title is None and article.title:
        flags.append("title_untranslated")
    return Translation(
        title=article.title if title is None else title,
        lead=article.lead if lead is None else lead,
        engine=result.engine,
        flags=tuple(flags),
        sentences=tuple(
            TranslatedSentence(where=piece.where, start=piece.start, end=piece.end, source=piece.text, english=english[piece.text])
            for piece in queued.pieces
            if piece.where is not None and piece.text in english
        ),
    )


def _joined(pieces: Sequence[Piece], where: Place | None, english: Mapping[str, str]) -> str | None:
    """The English of the title or the lead; None if a sentence of it has none."""
    said = [english.get(piece.text) for piece in pieces if piece.where == where]
    return " ".join(one for one in said if one) if said and None not in said else None


def _pieces(article: Article, language: str) -> list[Piece]:
    """The sentences of title, lead and text, with their offsets."""
    parts: tuple[tuple[Place | None, str], ...] = (("title", article.title), (None, article.lead), ("text", article.text))
    return [
        Piece(where=where, start=start, end=end, text=text[start:end]) for where, text in parts for start, end in sentences(text, language)
    ]


def _jobs(state: State, language: str) -> Table[Queued]:
    return Table(state, f"job/{language}/", Queued)


def _out(unique: Unique, translation: Translation) -> Emit[Translated]:
    return Emit(
        TRANSLATED,
        Translated(id=unique.id, seen_at=unique.seen_at, trace=unique.trace, realm=unique.realm, unique=unique, translation=translation),
    )
