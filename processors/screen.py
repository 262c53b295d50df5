"""screen: is an item worth reading?  The cheap question, asked of everything: does it name both sides, or the DPRK and what may stand for
Russia beside it (Kursk, a minister's surname, Ukraine)?

This stage is for recall: it must let the relationship through however it is put, and may let a good deal through besides; `tag` decides.
An item that names the DPRK alone in a mere fragment wants its page ("one_sided"); whoever fetches pages takes those.
"""

import html
import re
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from tumen.messages import Candidate, Item, Why
from tumen.stage import Drop, Emit, Kit, Out, Stage, StageSpec
from tumen.state import State
from tumen.topics import CANDIDATES, ITEMS
from tumen.watch import Hit, Watch

ONE_SIDED = "one_sided"  # a fragment that names the DPRK alone: its page may say more
DPRK_ALONE = "dprk_alone"  # a whole article that does
NEITHER = "neither"  # the DPRK is not named
EMPTY = "empty"  # nothing to search

SPEC = StageSpec(reads=(ITEMS,), writes=(CANDIDATES,), reasons=(ONE_SIDED, DPRK_ALONE, NEITHER, EMPTY))

# what is never closed hides the rest, as it does in a browser; no alternative is tried twice over the same text
_UNSEEN = re.compile(r"<(script|style|noscript|svg)\b(?:.*?</\1\s*>|.*)|<!--(?:.*?-->|.*)|<[^<>]*>", re.DOTALL | re.IGNORECASE)


class Config(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def build(config: Config, kit: Kit) -> Stage[Item]:  # noqa: ARG001 - every node is built alike
    """The stage.  The watch is asked in all its languages at once, whichever are configured: an item's language is not known yet."""
    watch = kit.watch

    def process(message: Item, state: State) -> Iterable[Out]:  # noqa: ARG001 - this stage remembers nothing
        found = verdict(message, watch)
        if isinstance(found, Drop):
            yield found
        else:
            candidate = Candidate(
                id=message.id, seen_at=message.seen_at, trace=message.trace, realm=message.realm, item=message, why=(found,)
            )
            yield Emit(CANDIDATES, candidate)

    return Stage(process)


def verdict(item: Item, watch: Watch) -> Why | Drop:
    """Why the item is let through, or why it is not; the cue is the name that was seen, if any."""
    text = searched(item)
    if not text.strip():
        return Drop(EMPTY)
    if not watch.may_name(text, "dprk"):  # nearly all of the world's news
        return Drop(NEITHER)
    named: dict[str, Hit] = {}  # by side: by a name of its own
    hinted: dict[str, Hit] = {}  # by side: by what may stand for it
    for hit in watch.find(text):
        if hit.kind == "pair" or hit.entity.both:
            return Why(stage="screen", rule="pair", cue=hit.alias)
        entity = hit.entity
        side = entity.side or ("russia" if entity.stand_in else None)
        if side is not None:
            known = hinted if hit.kind == "weak" or entity.side is None or entity.kind == "place" else named
            known.setdefault(side, hit)
    dprk, russia = named.get("dprk"), named.get("russia")
    if dprk and russia:
        return _why("both_sides", russia, dprk)
    if dprk and "russia" in hinted:
        return _why("stand_in", hinted["russia"], dprk)
    if russia and "dprk" in hinted:
        return _why("weak_name", russia, hinted["dprk"])
    if dprk:
        return Drop(ONE_SIDED if item.body_type == "fragment" else DPRK_ALONE, dprk.alias)
    return Drop(NEITHER, russia.alias if russia else "")


def searched(item: Item) -> str:
    """The words of an item, title first: HTML without tags and entities, and without a parser's cost."""
    body = item.body
    if "<" in body and item.body_type != "text":
        body = _UNSEEN.sub(" ", body)
    title = item.title or ""
    text = f"{title}\n{body}"
    return html.unescape(text) if "&" in text and item.body_type != "text" else text


def _why(rule: str, russia: Hit, dprk: Hit) -> Why:
    return Why(stage="screen", rule=rule, cue=f"{russia.alias} + {dprk.alias}")
