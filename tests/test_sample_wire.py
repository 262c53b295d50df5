"""The sample wire: what it serves, when, and that it says the same again after a restart."""

import http.client
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from producers.feeds import Answer, Poll, ask
from tumen.errors import ConfigError
from tumen.sample_wire import EXPECTED_STORIES, SampleWire, load_script, with_dates
from tumen.settings import ROOT, HttpSettings

SAMPLES = ROOT / "samples"
EPOCH = datetime(2025, 3, 31, 0, 10, tzinfo=UTC)


class Play:
    """A wire whose time the test sets: `at` seconds after the epoch."""

    def __init__(self, folder: Path = SAMPLES, speed: float = 1.0, port: int = 0) -> None:
        self.at = 0.0
        self.wire = SampleWire(folder, self.now, speed=speed, epoch=EPOCH, port=port)

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.at)

    def poll(self, name: str, last: Answer | None = None) -> Answer:
        url = next(feed.url for feed in self.wire.feeds() if feed.url.endswith(f"/{name}.xml"))
        known = Poll(url=url, etag=last.etag, modified=last.modified, body=last.body) if last else Poll(url=url)
        answer = ask(known, HttpSettings(allow_private=(self.wire.allow_private,)), 1000)
        assert answer.outcome != "failed", answer.message
        return answer

    def all(self) -> dict[str, Answer]:
        return {outlet: self.poll(outlet) for outlet in self.wire.script.outlets}


@contextmanager
def playing(folder: Path = SAMPLES, speed: float = 1.0, port: int = 0) -> Iterator[Play]:
    play = Play(folder, speed, port)
    play.wire.start()
    try:
        yield play
    finally:
        play.wire.stop()


def titles(answer: Answer) -> list[str | None]:
    assert answer.feed is not None
    return [entry.title for entry in answer.feed.entries]


def test_every_feed_is_one_that_the_feed_reader_takes_whole() -> None:
    with playing() as play:
        play.at = play.wire.script.length
        answers = play.all()
    for outlet, answer in answers.items():
        assert answer.feed is not None
        assert answer.feed.flaw is None, outlet
        assert answer.feed.language == play.wire.script.outlets[outlet].language
        for entry in answer.feed.entries:
            assert entry.guid
            assert entry.link
            assert entry.title
            assert not re.search(r"\{(day|date|on):|\$\w", entry.title + entry.body), "what is filled in was filled in"
            assert entry.body_type == ("fragment" if play.wire.script.outlets[outlet].serves == "summary" else "html")
    entries = sum(len(answer.feed.entries) for answer in answers.values() if answer.feed)
    assert entries == sum(article.role != "edit" for article in play.wire.script.articles)


def test_entries_appear_as_time_passes_and_the_first_are_there_at_once() -> None:
    with playing() as play:
        counts = []
        for second in range(0, 61, 3):
            play.at = second
            counts.append(sum(len(titles(answer)) for answer in play.all().values()))
    assert counts == sorted(counts)
    assert 1 <= counts[0] <= 5
    assert len(set(counts)) > 10
    assert counts[-1] == sum(article.role != "edit" for article in play.wire.script.articles)


def test_speed_is_how_much_faster_it_goes() -> None:
    with playing(speed=1) as slow, playing(speed=20) as fast:
        slow.at, fast.at = 40.0, 2.0
        assert [titles(a) for a in slow.all().values()] == [titles(a) for a in fast.all().values()]


def test_no_date_lies_ahead_and_all_are_recent() -> None:
    with playing() as play:
        play.at = play.wire.script.length
        for answer in play.all().values():
            assert answer.feed is not None
            for entry in answer.feed.entries:
                assert entry.at is not None
                assert EPOCH - timedelta(hours=24) <= entry.at <= EPOCH


def test_conditional_requests_are_answered_by_304_until_something_is_new() -> None:
    with playing() as play:
        first = play.poll("gazzetta")
        assert first.outcome == "fetched"
        again = play.poll("gazzetta", first)
        assert (again.outcome, again.full) == ("unchanged", False)
        play.at = 50
        assert play.poll("gazzetta", first).outcome == "fetched"
        connection = http.client.HTTPConnection("127.0.0.1", int(play.wire.allow_private.split(":")[1]), timeout=5)
        connection.request("GET", "/gazzetta.xml", headers={"If-None-Match": play.poll("gazzetta").etag or ""})
        response = connection.getresponse()
        assert (response.status, response.read()) == (304, b"")
        connection.request("GET", "/nothing")
        assert connection.getresponse().status == 404
        connection.close()


def test_played_again_from_the_same_epoch_it_says_the_same_from_the_same_address() -> None:
    with playing() as play:
        play.at = 30
        before = play.all()
        port = int(play.wire.allow_private.split(":")[1])
        feeds = play.wire.feeds()
    with playing(port=port) as again:
        again.at = 30
        assert again.wire.feeds() == feeds
        assert again.all() == before


def test_a_taken_port_is_an_os_error() -> None:
    with playing() as play:
        port = int(play.wire.allow_private.split(":")[1])
        second = Play(port=port)
        with pytest.raises(OSError, match="in use"):
            second.wire.start()
        second.wire.stop()


def test_a_corrected_article_takes_the_place_of_what_it_corrects() -> None:
    with playing() as play:
        play.at = 30
        before = play.poll("ledger").feed
        play.at = 50
        after = play.poll("ledger").feed
    assert before is not None
    assert after is not None
    changed = [(old, new) for old in before.entries for new in after.entries if old.guid == new.guid and old.body != new.body]
    assert len(changed) == 1
    old, new = changed[0]
    assert old.link == new.link
    assert "one million" in (old.title or "")
    assert "Correction" in new.body
    assert len({entry.guid for entry in after.entries}) == len(after.entries)


def test_it_is_done_when_all_has_appeared_and_every_feed_was_read_since() -> None:
    with playing() as play:
        end = EPOCH + timedelta(seconds=play.wire.script.length)
        play.at = play.wire.script.length - 1
        play.all()
        assert not play.wire.done(end)
        play.at = play.wire.script.length
        for outlet in play.wire.script.outlets:
            assert not play.wire.done(end)
            play.poll(outlet)
        assert play.wire.done(end)
        assert not play.wire.done(end - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("it", "30 marzo, 30 marzo 2025, domenica; 1 aprile"),
        ("en", "March 30, March 30, 2025, on Sunday; April 1"),
        ("ru", "30 марта, 30 марта 2025 года, в воскресенье; 1 апреля"),
    ],
)
def test_dates_are_counted_from_the_epoch_and_written_as_the_language_does(language: str, expected: str) -> None:
    assert with_dates("{day:-1}, {date:-1}, {on:-1}; {day:1}", language, EPOCH) == expected


def test_what_the_wire_tells() -> None:
    """Italian first; copies, a denial, a confirmation, a correction, an event recalled, and what is none of ours."""
    script = load_script()
    articles = {article.slug: article for article in script.articles}
    by_language = {
        language: [a for a in articles.values() if script.outlets[a.outlet].language == language] for language in ("it", "en", "ru")
    }
    assert len(by_language["it"]) > len(by_language["en"]) > 5
    assert len(by_language["ru"]) > 5
    roles = [article.role for article in articles.values()]
    assert roles.count("copy") >= 2
    assert roles.count("edit") >= 1
    assert roles.count("none") >= 6
    assert any(article.recalls for article in articles.values())
    assert set(EXPECTED_STORIES) == set(script.stories)
    for story in EXPECTED_STORIES.values():
        told = [articles[slug] for slug in story.articles]
        assert len({script.outlets[article.outlet].language for article in told}) >= 2, story.name
        assert story.alerts[0] == "new"
    kinds = {kind for story in EXPECTED_STORIES.values() for kind in story.alerts}
    assert {"new", "denial", "confirmation"} <= kinds
    assert len({story.events[0] for story in EXPECTED_STORIES.values()}) >= 8


def test_a_copy_is_a_copy() -> None:
    """Most paragraphs word for word, under another title."""
    script = load_script()
    for copy in (article for article in script.articles if article.role == "copy"):
        sources = [a for a in script.articles if a.story == copy.story and a.role == "news" and a.appears < copy.appears]
        paragraphs = set(copy.text.split("\n\n"))
        assert any(len(paragraphs & set(source.text.split("\n\n"))) >= 2 and source.title != copy.title for source in sources)


def test_a_wrong_script_is_refused_with_every_finding(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    shutil.copytree(SAMPLES, folder)
    (folder / "pages" / "harbour.html").unlink()
    first, second, third, *_ = sorted((folder / "articles").glob("*.txt"))
    first.write_text('outlet = "nobody"\ntitle = "T"\npublished = 1\nappears = 0\nrole = "news"\nstory = "no-such"\n+++\nText.\n')
    second.write_text("no front matter\n")
    third.write_text(
        'outlet = "harbour"\ntitle = "T"\npublished = 1\nappears = 0\nrole = "edit"\nedits = "nothing"\nstory = 3\n+++\nText.\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_script(folder)
    told = str(caught.value)
    for part in ("outlet = 'nobody'", "'no-such'", second.name, f"{third.name} 1: story = 3", "harbour"):
        assert part in told, told
    assert len(caught.value.findings) >= 5


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"wire\.toml"):
        load_script(tmp_path)
