"""Declared hints for single sites, as data (`hints.toml`): for what no learning gets right.  Cleaning works without any.

[sites."news.example"]
article = ["story-text"]       # classes or ids: the article stands in the first element that has one of them
furniture = ["inline-teaser"]  # classes or ids of elements that never belong to an article
lines = ["^Our app: .*"]       # regular expressions of whole lines that never do
"""

import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from lxml.html import HtmlElement
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from processors.clean.lines import Reading
from tumen.errors import ConfigError

DATA = Path(__file__).with_name("hints.toml")


class SiteHints(BaseModel):
    """What is declared of one site.  A line's expression must match the whole line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    article: tuple[str, ...] = ()
    furniture: tuple[str, ...] = ()
    lines: tuple[re.Pattern[str], ...] = ()


class Hints(BaseModel):
    """Hints by site (`Item.site`).  Empty: no hints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sites: Mapping[str, SiteHints] = Field(default_factory=dict)

    def within(self, site: str, tree: HtmlElement) -> HtmlElement:
        """The tree as far as it is the article's: unchanged where nothing is declared, else a pruned copy."""
        hints = self.sites.get(site)
        if hints is None or not (hints.article or hints.furniture):
            return tree
        root = deepcopy(tree)
        for name in hints.furniture:
            for element in _named(root, name):
                if element is not root:
                    element.drop_tree()
        return next((element for name in hints.article for element in _named(root, name)), root)

    def without_lines(self, site: str, reading: Reading) -> Reading:
        """The reading without the lines that are declared furniture."""
        hints = self.sites.get(site)
        if hints is None or not hints.lines:
            return reading
        rules = {number: "hint" for number in reading.kept if any(line.fullmatch(reading.lines[number]) for line in hints.lines)}
        kept = tuple(number for number in reading.kept if number not in rules)
        return replace(reading, kept=kept, rules={**reading.rules, **rules})


def _named(root: HtmlElement, name: str) -> list[HtmlElement]:
    return [*root.find_class(name), *(element for element in root.iter() if element.get("id") == name)]


def load_hints(path: Path = DATA) -> Hints:
    """Raises `ConfigError` with a line for each thing that is wrong: file, key, reason."""
    try:
        return Hints.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(*(f"{path}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())) from error
