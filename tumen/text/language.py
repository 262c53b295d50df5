"""Which language a text is in: one of the configured ones, or None rather than a guess.

py3langid (a naive Bayes over byte n-grams) votes over a *panel*: the configured languages and those they are mistaken for, so that a
Ukrainian text is not Russian merely because Ukrainian was not asked for.  Scripts that only one language uses decide by themselves.
The model is loaded on first use and cut down to the panel.
"""

import re
from array import array
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier  # type: ignore[import-untyped]

LIMIT = 2000  # characters looked at
MIN_LETTERS = 10  # fewer say nothing, unless the script does
SURE = 0.3  # least share of the vote that a configured language needs: on 3,463 headlines, 1 in 2,263 of another language is taken for one
# ... or a lesser share, so many times that of any other: 7 abstentions fewer in 16, one more (an English one) taken
ALONE, AHEAD = 0.2, 1.5
CLOSE = 0.15  # ... when the feed says that it writes in this language

PANEL = tuple("it en ru uk be bg sr fr de es pt pl cs nl sv no da ro tr vi id ca kk zxx".split())  # noqa: SIM905 - a list of words
"""Languages that have a vote besides the configured ones; `zxx` stands for no language at all."""

_HANGUL = re.compile(r"[\uac00-\ud7af]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_NOISE = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|[@#]\w+")


class Languages:
    """Identifies the configured languages (ISO 639-1 codes).  Pure: the same text gives the same answer."""

    def __init__(self, configured: Iterable[str]) -> None:
        self.configured = tuple(configured)

    @cached_property
    def _identifier(self) -> "LanguageIdentifier":
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # its import costs memory that a node without texts need not pay

        whole = LanguageIdentifier.from_model_file(MODEL_FILE)
        whole.set_languages([code for code in {*self.configured, *PANEL} if code in whole.nb_classes])
        # A new identifier of the panel's columns alone, so that the rest of the table is freed; an array takes far less than a list.
        output = array("i", whole.tk_output)
        return LanguageIdentifier(
            whole.nb_ptc.copy(), whole.nb_pc.copy(), whole.nb_classes, whole.tk_nextmove, output, norm_probs=True, tk_row=whole.tk_row
        )

    def identify(self, text: str, hint: str | None = None) -> str | None:
        """The configured language that `text` is in, or None: too short, no language, or another one.

        `hint` is what the source is known to write in: it settles a close vote and never overrules a clear one.
        """
        sample = _NOISE.sub(" ", text[:LIMIT])
        letters = sum(map(str.isalpha, sample))
        if not letters:
            return None
        script = _by_script(sample, letters)
        if script is not None:
            return script if script in self.configured else None
        if letters < MIN_LETTERS:
            return None
        votes = dict(self._identifier.rank(sample))
        hinted = hint.split("-")[0].lower() if hint else None
        best = max(self.configured, key=lambda code: votes.get(code, 0.0), default=None)
        if best is None:
            return None
        if hinted in self.configured and votes.get(hinted, 0.0) >= CLOSE and votes[best] < 2 * SURE:
            return hinted
        share = votes.get(best, 0.0)
        alone = share >= ALONE and all(share >= AHEAD * vote for code, vote in votes.items() if code != best)
        return best if share >= SURE or alone else None


def _by_script(sample: str, letters: int) -> str | None:
    """Korean, Japanese or Chinese where their scripts make up a good part of the text; else None: the script does not tell."""
    hangul, kana, han = (len(pattern.findall(sample)) for pattern in (_HANGUL, _KANA, _HAN))
    if hangul + kana + han < 0.3 * letters:
        return None
    if hangul >= kana and hangul * 2 >= han:
        return "ko"
    return "ja" if kana * 12 >= han else "zh"
