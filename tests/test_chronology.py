"""An article without a date is dated by the meeting on public record that it reports, unless it came in as news of these days."""

from datetime import UTC, datetime

import pytest

import processors.tag as tag
from tests.test_tag import KIT, message, run
from tumen.messages import Tagged, Translated

TITLE = "Lavrov incontra Kim Jong Un"
TEXT = "Il ministro degli Esteri russo Sergei Lavrov ha incontrato sabato a Wonsan il leader nordcoreano Kim Jong Un."


def seen(source: str, day: datetime, flags: tuple[str, ...] = ()) -> Translated:
    one = message(TITLE, TEXT, "it")
    article = one.unique.article.model_copy(update={"source": source, "flags": flags})
    return one.model_copy(update={"seen_at": day, "unique": one.unique.model_copy(update={"article": article})})


def when(one: Translated) -> set[str | None]:
    tagged = run(tag.build(tag.Config(), KIT), one)
    assert isinstance(tagged, Tagged)
    assert tagged.mentions
    return {mention.when.date for mention in tagged.mentions if mention.when}


@pytest.mark.parametrize(
    ("source", "day", "flags", "dated"),
    [
        ("old.txt", datetime(2026, 11, 2, tzinfo=UTC), (), True),
        ("https://example.org/rss", datetime(2025, 7, 13, tzinfo=UTC), (), True),
        ("https://example.org/rss", datetime(2026, 11, 2, tzinfo=UTC), (), False),
        ("https://example.org/rss", datetime(2026, 11, 2, tzinfo=UTC), ("backlog",), True),
    ],
)
def test_the_same_two_meet_again(source: str, day: datetime, flags: tuple[str, ...], dated: bool) -> None:
    assert ("2025-07-12" in when(seen(source, day, flags))) is dated
