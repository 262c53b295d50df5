"""What is compared of a text: its shingles in order, a MinHash signature of them, and anchors for what two texts share in part.

Words are compared in threes; letters of scripts that write no spaces in fives.  Case, punctuation and the forms of letters and digits
do not count.  The signature (Broder 1997, computed by rensa) finds texts that are alike as wholes; the anchors find a text inside another:
they are chosen by winnowing (Schleimer, Wilkerson and Aiken 2003), so any run of unchanged tokens that two texts share is found, wherever
it stands in them, if it is 32 words long and a tenth of the longer text.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from zlib import crc32

import numpy as np
import numpy.typing as npt
import rensa  # type: ignore[import-untyped]

from tumen.ids import digest

BANDS, ROWS = 6, 3
_SEED = 20240913
_ANCHOR, _WINDOW = {False: 5, True: 12}, {False: 28, True: 40}
#: a longer text has wider windows, so that none has many more anchors than twice this: each is a row to be read and written
_WINDOWS = 10
_SHINGLE = {False: 3, True: 5}
#: shingles and anchors beyond these are left out: a text of 6,000 words is a report, and its beginning tells what it copies
MOST_TOKENS, _MOST_CHARACTERS = 6_000, 100_000
#: a text of fewer shingles is a headline or a line: only the same words make it the same
FEWEST = 12

# vowel signs and the like, which are no letters to `re` and belong to the word they stand in
_MARKS = "".join(chr(code) for code in range(0x300, 0x1C80) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
# Thai to Burmese, Khmer, kana, Han
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_TOKEN = re.compile(f"[{_SPACELESS}]|(?:[^\\W_{_SPACELESS}]|[{_MARKS}])+")
_ONE = re.compile(f"[{_SPACELESS}]")
# most scripts have neither, and a third of the cost
_PLAIN, _NOT_PLAIN = re.compile(r"[^\W_]+"), re.compile(f"[{_SPACELESS}{_MARKS}]")
_DIGITS = {code: str(unicodedata.digit(chr(code))) for code in range(0x660, 0x1A9A) if unicodedata.category(chr(code)) == "Nd"}
_DIGIT = re.compile(f"[{''.join(map(chr, _DIGITS))}]")
_SENTENCE = re.compile(r"[^.!?。！？…؟।\n]+[.!?。！？…؟।]*")

Hashes = npt.NDArray[np.uint32]


def fold(text: str) -> str:
    """Without what does not make a text another: case, and the forms of letters and digits."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).casefold()
    return text.translate(_DIGITS) if _DIGIT.search(text) else text


def tokens_of(text: str) -> list[str]:
    """Words, or single letters of scripts without spaces, folded; punctuation apart."""
    folded = fold(text)
    return _tokens_in(folded).findall(folded)


def _tokens_in(folded: str) -> re.Pattern[str]:
    return _TOKEN if _NOT_PLAIN.search(folded) else _PLAIN


@dataclass(frozen=True)
class Sketch:
    """`tokens` of a text, folded.  `spaceless`: most of them are single letters of a script without spaces.

    `sentences`: the hash of each, roughly cut, to say later what of an edited text is new.
    """

    tokens: tuple[str, ...]
    spaceless: bool
    sentences: tuple[int, ...]

    @cached_property
    def same(self) -> str:
        """Two texts of one digest have the same words in the same order."""
        return digest(" ".join(self.tokens))

    @cached_property
    def _numbers(self) -> npt.NDArray[np.uint64]:
        """A number a token, the same in every process (Python's own `hash` is not)."""
        return np.array(list(map(_number, self.tokens)), dtype=np.uint64)

    @cached_property
    def _shingles(self) -> npt.NDArray[np.uint64]:
        return _runs(self._numbers, _SHINGLE[self.spaceless])

    @cached_property
    def shingles(self) -> Hashes:
        """In order; the upper half of their 64 bits."""
        return (self._shingles >> np.uint64(32)).astype(np.uint32)

    @cached_property
    def shingle_list(self) -> list[int]:
        numbers: list[int] = self.shingles.tolist()
        return numbers

    @cached_property
    def shingle_set(self) -> frozenset[int]:
        return frozenset(self.shingle_list)

    @cached_property
    def bands(self) -> tuple[int, ...]:
        """The signature cut into `BANDS` numbers of 40 bits; none for a text of fewer than `FEWEST` shingles."""
        if len(self.shingles) < FEWEST:
            return ()
        minhash = rensa.RMinHash(num_perm=BANDS * ROWS, seed=_SEED)
        minhash.update(self._shingles.view("V8").tolist())  # the bytes of each
        rows = np.array(minhash.digest(), dtype=np.uint64).reshape(BANDS, ROWS)
        return tuple(int(value) >> 24 for value in _runs_of_rows(rows))

    @property
    def window(self) -> int:
        """Runs of tokens of which one becomes an anchor."""
        return max(_WINDOW[self.spaceless], len(self.tokens) // _WINDOWS)

    @property
    def guaranteed(self) -> int:
        """A run of so many tokens that stands unchanged in another text of this length or shorter is found."""
        return _ANCHOR[self.spaceless] + self.window - 1

    @cached_property
    def anchors(self) -> tuple[int, ...]:
        """The winnowed fingerprints, 40 bits each: of each window of runs of tokens the one with the smallest hash."""
        runs = _runs(self._numbers, _ANCHOR[self.spaceless])
        if len(self.shingles) < FEWEST or not len(runs):
            return ()
        window = min(self.window, len(runs))
        return tuple((np.unique(_smallest(runs, window)) >> np.uint64(24)).tolist())


@lru_cache(maxsize=20_000)  # a language says most of what it says with few words
def _number(token: str) -> int:
    return crc32(token.encode("utf-8", "surrogatepass"))


def _smallest(numbers: npt.NDArray[np.uint64], window: int) -> npt.NDArray[np.uint64]:
    """The smallest number of each window, from windows of half its size, and so on down."""
    reach = 1
    while 2 * reach <= window:
        numbers = np.minimum(numbers[:-reach], numbers[reach:])
        reach *= 2
    rest = window - reach
    return np.minimum(numbers[: len(numbers) - rest], numbers[rest:]) if rest else numbers


def sketch_of(text: str) -> Sketch:
    """The sketch of an article's text."""
    tokens: list[str] = []
    sentences = []
    folded = fold(text[:_MOST_CHARACTERS])
    token = _tokens_in(folded)
    for sentence in _SENTENCE.findall(folded):
        words = token.findall(sentence)
        if words:
            tokens += words
            sentences.append(_sentence_hash(words))
    del tokens[MOST_TOKENS:]
    return Sketch(tuple(tokens), token is _TOKEN and _is_spaceless(tokens), tuple(sentences))


def _is_spaceless(tokens: Sequence[str]) -> bool:
    single = [token for token in tokens if len(token) == 1]
    return len(single) > len(tokens) // 2 and sum(map(bool, map(_ONE.match, single))) > len(tokens) // 2


def sentences_of(text: str) -> list[tuple[str, int]]:
    """Each sentence as it stands, and its hash."""
    found = []
    for match in _SENTENCE.finditer(text[:_MOST_CHARACTERS]):
        words = tokens_of(match[0])
        if words:
            found.append((match[0].strip(), _sentence_hash(words)))
    return found


def _sentence_hash(words: list[str]) -> int:
    return crc32(" ".join(words).encode("utf-8", "surrogatepass"))


def packed_numbers(values: Sequence[int]) -> Hashes:
    return np.array(values, dtype="<u4")


def unpacked(raw: bytes, offset: int, count: int) -> Hashes:
    return np.frombuffer(raw, dtype="<u4", count=count, offset=offset)


_M1, _M2, _STEP = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(0x9E3779B97F4A7C15)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """splitmix64's finaliser (Steele, Lea and Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * _M1
    values = (values ^ (values >> np.uint64(27))) * _M2
    return values ^ (values >> np.uint64(31))


def _runs(numbers: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.uint64]:
    """A hash of each run of `length` numbers; of all of them together if there are fewer."""
    if not len(numbers):
        return numbers
    length = min(length, len(numbers))
    count = len(numbers) - length + 1
    hashed = np.zeros(count, dtype=np.uint64)
    for place in range(length):
        hashed = _mixed((hashed + _STEP) ^ numbers[place : place + count])
    return hashed


def _runs_of_rows(rows: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    hashed = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.T:
        hashed = _mixed((hashed + _STEP) ^ column)
    return hashed
