"""A feed's summary without what the publisher hangs on it: "read also", link lines, share buttons, copyright.

A headline under "read also" that names a country would be news that its article never told.  Only lines beside running text go; a summary
that is nothing but a link, or a line without an end, is all that there is and stays.
"""

from collections.abc import Sequence

from processors.clean.features import ends_sentence
from processors.clean.furniture import KINDS, Cues, furniture

LEAST = 40  # characters of a sentence that makes the lines beside it something else
LINKED = 0.8  # share of a line that is link from which it is one
WHOLE, PART, ANNOUNCED = 0.6, 0.2, 0.3  # shares of a line that are cues: it is furniture by itself; if it begins with them; as a heading
LABEL = 40  # characters within which a heading's colon stands

_HANGING = frozenset({"share", "newsletter", "comment", "copyright", "syndicated", "related", "credit", "nav"})
_RELATED = KINDS.index("related")


def own_lines(pieces: Sequence[tuple[str, float]]) -> tuple[list[str], list[str]]:
    """The summary's own lines, and what hung on it.  `pieces`: its lines, and which share of each is link (0..1)."""
    if not any(len(line) >= LEAST and linked < LINKED and ends_sentence(line) for line, linked in pieces):
        return [line for line, _ in pieces], []
    own: list[str] = []
    hanging: list[str] = []
    announced = False
    for line, linked in pieces:
        cues = furniture().cues(line.casefold().replace("’", "'"))
        sentence = ends_sentence(line)
        if _announces(line, cues, sentence=sentence, linked=linked):
            announced = True
            hanging.append(line)
        elif _is_hanging(cues, sentence=sentence) or (not sentence and (linked >= LINKED or announced)):
            hanging.append(line)
        else:
            announced = False
            own.append(line)
    return own, hanging


def _announces(line: str, cues: Cues, *, sentence: bool, linked: float) -> bool:
    """It begins with "read also" or the like, and is no sentence that merely begins so."""
    if "related" not in cues.opening:
        return False
    return not sentence or ":" in line[:LABEL] or linked >= 0.5 or cues.covered[_RELATED] >= ANNOUNCED


def _is_hanging(cues: Cues, *, sentence: bool) -> bool:
    return cues.total >= WHOLE or (not sentence and cues.total > PART and not _HANGING.isdisjoint(cues.opening))
