"""clean: a candidate's item -> its article.  Plain text, HTML and feed fragments; title, lead, text, byline, date, language, origin.

Every decision leaves its reason in the article's `why`.  Nothing here remembers anything: the same item gives the same article.
"""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field

from processors.clean.article import REASONS, Means, clean_item
from processors.clean.meta import Agencies
from tumen.messages import Candidate
from tumen.stage import Drop, Emit, Kit, Out, Stage, StageSpec
from tumen.state import State
from tumen.text.language import Languages
from tumen.topics import ARTICLES, CANDIDATES

__all__ = ["SPEC", "Config", "Means", "build", "clean_item"]

SPEC = StageSpec(reads=(CANDIDATES,), writes=(ARTICLES,), reasons=REASONS)


class Config(BaseModel):
    """`max_chars`: an article's text is cut there, and flagged "truncated"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_chars: int = Field(default=100_000, ge=1000)


def build(config: Config, kit: Kit) -> Stage[Candidate]:
    """The stage.  The language model loads with the first article."""
    agencies: Mapping[str, Iterable[str]] = kit.watch.agencies()
    means = Means(Languages(kit.languages), Agencies(agencies), config.max_chars)

    def process(message: Candidate, state: State) -> Iterable[Out]:  # noqa: ARG001 - this stage remembers nothing
        result = clean_item(message.item, means, why=message.why)
        yield result if isinstance(result, Drop) else Emit(ARTICLES, result)

    return Stage(process)
