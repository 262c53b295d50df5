"""stories: tagged articles -> stories and alerts.  Mentions of one event, in any language, are one story; only a material change
speaks again.

`matching` says whether two articles report one event, `policy` what is worth telling; `memory` keeps and finds stories; `stage` joins them.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from processors.stories.memory import Memory
from processors.stories.policy import Rules
from processors.stories.signature import Names, plain
from processors.stories.stage import REASONS, handle
from tumen.messages import Tagged
from tumen.stage import Kit, Out, Stage, StageSpec
from tumen.state import State
from tumen.topics import ALERTS, STORIES, TAGGED

if TYPE_CHECKING:
    from tumen.watch import Watch

__all__ = ["SPEC", "Config", "Names", "build", "make_stage", "names_of"]

SPEC = StageSpec(reads=(TAGGED,), writes=(STORIES, ALERTS), reasons=REASONS, ticks=True)


class Config(BaseModel):
    """`keep_days`, `max_stories`: a story that nothing has joined for so long, or that is the longest quiet of too many, is forgotten.

    `deep_score`, `origins`, `a_day`: see `policy.Rules`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_days: float = Field(default=45, gt=0)
    max_stories: int = Field(default=5000, ge=1)
    deep_score: float = Field(default=0.9, ge=0, le=1)
    origins: tuple[int, ...] = (3, 10)
    a_day: int = Field(default=4, ge=1)


def build(config: Config, kit: Kit) -> Stage[Tagged]:
    return make_stage(config, names_of(kit.watch))


def names_of(watch: "Watch") -> Names:
    """Those who hold the highest office of a side meet everybody; a state or a region contradicts no city in it."""
    heads = {office.id for office in watch.offices.values() if office.role == "head-of-state"}
    return Names(
        leaders=frozenset(e.qid or plain(e.name) for e in watch.entities if any(t.office in heads and not t.until for t in e.tenures)),
        broad=frozenset(e.name.casefold() for e in watch.entities if e.kind == "state" or e.broad),
        speakers=lambda text, language: _speakers(watch, text, language),
    )


def _speakers(watch: "Watch", text: str, language: str | None) -> Iterator[str]:
    for hit in watch.find(text, language):
        if hit.kind != "weak":
            yield hit.entity.qid or plain(hit.entity.name)
            if hit.entity.side:
                yield hit.entity.side


def make_stage(config: Config, names: Names) -> Stage[Tagged]:
    """The stage; it needs nothing but its settings and a few names."""
    rules = Rules(deep_score=config.deep_score, origins=config.origins, a_day=config.a_day)

    def process(message: Tagged, state: State) -> Iterable[Out]:
        memory = Memory(state)
        outs = list(handle(message, memory, rules, names))
        memory.trim(config.max_stories)
        return outs

    def on_tick(now: datetime, state: State) -> Iterable[Out]:
        Memory(state).expire(now - timedelta(days=config.keep_days))
        return ()

    return Stage(process, on_tick)
