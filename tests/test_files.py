"""Files: what is read of them, what is refused and why, and the producer, which reads each file once whatever happens."""

import io
import json
import os
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import files
from producers._articles import LARGEST, fit
from producers.files import SPEC, Config, read_path
from tumen.bus_embedded import EmbeddedBus
from tumen.codec import decode
from tumen.messages import Item
from tumen.runner import Node, make_runner, settle
from tumen.settings import Settings
from tumen.testing import Clock, Counts, Killed, killed_at
from tumen.topics import ITEMS

NOW = datetime(2024, 9, 14, 12, tzinfo=UTC)
ARTICLE = "Il ponte sul fiume\n\nI lavori del ponte sul fiume riprendono in primavera, dice il comune.\n"
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Voci</title><link>https://voci.example/</link><language>it-IT</language>
<item><title>Il ponte riapre</title><link>https://voci.example/ponte</link><guid>p1</guid><description>Domani mattina.</description>
<pubDate>Fri, 13 Sep 2024 08:00:00 +0200</pubDate></item>
<item><title>Il mercato chiude</title><link>https://voci.example/mercato</link><guid>p2</guid><description>Per lavori.</description></item>
</channel></rss>"""
PAGE = "<!doctype html><html><head><title>Il ponte</title></head><body><p>Il ponte sul fiume riapre domani.</p></body></html>"


def take(path: Path | str, stdin: bytes = b"") -> tuple[list[Item], list[str]]:
    return read_path(str(path), io.BytesIO(stdin), NOW)


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(*values: Any) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


# --- reading ------------------------------------------------------------------------------------------------------------------------


def test_a_text_file_is_one_article(tmp_path: Path) -> None:
    (item,), wrong = take(put(tmp_path, "ponte.txt", ARTICLE))
    assert wrong == []
    assert (item.source, item.site, item.body, item.body_type, item.title) == ("ponte.txt", tmp_path.name, ARTICLE, "text", None)
    assert item.published is None


def test_an_article_is_its_bytes_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (one,), _ = take(put(tmp_path, "a.txt", ARTICLE))
    (other,), _ = take(put(tmp_path / "deep", "b.txt", ARTICLE))
    (edited,), _ = take(put(tmp_path, "c.txt", ARTICLE + "Fine.\n"))
    assert one.article_id == other.article_id != edited.article_id
    assert (one.id, one.source) != (edited.id, other.source)


@pytest.mark.parametrize(("name", "content"), [("p.html", PAGE), ("p.htm", PAGE), ("saved.txt", PAGE), ("noname", PAGE)])
def test_a_page_is_html(tmp_path: Path, name: str, content: str) -> None:
    (item,), wrong = take(put(tmp_path, name, content))
    assert (item.body_type, item.body, wrong) == ("html", PAGE, [])


@pytest.mark.parametrize("name", ["voci.xml", "voci.rss", "voci"])
def test_a_feed_is_its_entries(tmp_path: Path, name: str) -> None:
    (first, second), wrong = take(put(tmp_path, name, FEED))
    assert wrong == []
    assert (first.title, first.url, first.site, first.guid) == ("Il ponte riapre", "https://voci.example/ponte", "voci.example", "p1")
    assert (first.published, first.published_at) == ("2024-09-13", datetime(2024, 9, 13, 6, tzinfo=UTC))
    assert (first.language_hint, first.body_type, first.source) == ("it", "fragment", name)
    assert (second.published, second.published_at) == (None, None)


def test_the_day_is_the_writers_own(tmp_path: Path) -> None:
    late = FEED.replace("Fri, 13 Sep 2024 08:00:00 +0200", "Sat, 14 Sep 2024 01:00:00 +0900")
    (item, _), _ = take(put(tmp_path, "voci.xml", late))
    assert (item.published, item.published_at) == ("2024-09-14", datetime(2024, 9, 13, 16, tzinfo=UTC))


def test_lines_of_json(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        "set.jsonl",
        lines(
            {
                "id": "a",
                "url": "https://uno.example/x?utm_source=y",
                "title": "Il <b>ponte</b>",
                "text": ARTICLE,
                "published": "2024-09-13",
                "lang": "it",
            },
            {"id": 7, "html": PAGE, "label": "core"},
            {"text": ARTICLE},
            {"id": "t", "title": "Il ponte riapre domani mattina", "text": ""},
        )
        + "\n",
    )
    (a, b, c, d), wrong = take(path)
    assert wrong == []
    assert (a.title, a.site, a.published, a.language_hint, a.guid, a.source) == (
        "Il ponte",
        "uno.example",
        "2024-09-13",
        "it",
        "a",
        "set.jsonl",
    )
    assert (b.body_type, b.guid, c.guid, c.body_type) == ("html", "7", None, "text")
    assert (d.title, d.body) == ("Il ponte riapre domani mattina", "")
    assert len({item.article_id for item in (a, b, c, d)}) == 4


def test_lines_are_told_apart_by_id_and_edited_ones_are_the_same_article(tmp_path: Path) -> None:
    (one, two), _ = take(put(tmp_path, "set.jsonl", lines({"id": "1", "text": ARTICLE}, {"id": "2", "text": ARTICLE})))
    (again,), _ = take(put(tmp_path, "set.jsonl", lines({"id": "1", "text": ARTICLE + "Fine."})))
    assert one.article_id != two.article_id
    assert again.article_id == one.article_id
    assert again.id != one.id


def test_wrong_lines_are_named_by_their_number_and_the_rest_is_taken(tmp_path: Path) -> None:
    bad = [
        b"not json",
        b'{"id": "b"}',
        b"[1, 2]",
        b'{"text": 5}',
        b'{"text": "abc\xff"}',
        b'{"text": ' + b"[" * 100_000,
        b'{"text": "..."}',
        b'{"id": ' + b"9" * 5_000 + b', "text": "x"}',
    ]
    good = json.dumps({"text": ARTICLE}).encode()
    path = put(tmp_path, "set.jsonl", b"\n".join([good, b"", *bad, good]))
    items, wrong = take(path)
    assert len(items) == 2
    assert [line.split(": ")[0] for line in wrong] == [f"{path}:{number}" for number in range(3, 3 + len(bad))]
    assert all(len(line) < len(str(path)) + 200 and "\n" not in line for line in wrong)


def test_a_flood_of_wrong_lines_is_a_few_complaints(tmp_path: Path) -> None:
    items, wrong = take(put(tmp_path, "set.jsonl", "nonsense\n" * 5_000 + lines({"text": ARTICLE})))
    assert len(items) == 1
    assert len(wrong) == 21
    assert "4980 more" in wrong[-1]


def test_stdin_is_what_it_looks_like() -> None:
    assert take("-", ARTICLE.encode())[0][0].body_type == "text"
    assert take("-", PAGE.encode())[0][0].body_type == "html"
    assert len(take("-", FEED.encode())[0]) == 2
    assert len(take("-", lines({"text": ARTICLE}, {"text": ARTICLE + "x"}).encode())[0]) == 2
    assert take("-", b"") == ([], ["stdin: empty, expected an article"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.txt", b"", "empty"),
        ("blank.txt", b"\xef\xbb\xbf \n\n", "empty"),
        ("empty.jsonl", b"", "empty"),
        ("blank.jsonl", b"\n\n\n", "empty"),
        ("zeros.txt", bytes(5_000), "binary"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "binary"),
        ("picture.jsonl", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "binary"),
        ("huge.txt", b"parola " * 7_000_000, "too large"),
        ("huge.html", b"<p>parola</p>" * 4_000_000, "too large"),
        ("huge.jsonl", b"parola " * 7_000_000, ":1: a line of more than 20 MB"),
        ("page.xml", b"<html><body>no feed</body></html>", "no feed"),
        ("text.xml", b"no feed at all, only words", "no feed"),
        ("none.xml", b"<rss version='2.0'><channel><title>x</title></channel></rss>", "a feed without entries"),
        ("figures.txt", b"12.5 33.1 44\n" * 50, "no article"),
        ("short.txt", b"ok\n", "no article"),
        ("bare.html", b"<html><head><script>var x = 'a long line of script';</script></head><body></body></html>", "no article"),
    ],
)
def test_what_is_no_article_is_named_in_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = put(tmp_path, name, content)
    items, (line,) = take(path)
    assert items == []
    assert line.startswith(str(path))
    assert said in line
    assert "\n" not in line


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    locked = put(tmp_path, "locked.txt", ARTICLE)
    locked.chmod(0)
    for path, said in (
        (tmp_path / "missing.txt", "no such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "no regular file"),
        (Path("/dev/zero"), "no regular file"),
        (tmp_path / ("x" * 300), "cannot be opened"),
        ("a\0b", "cannot be opened"),
        ("a\nb", "a\\nb: no such file"),
    ):
        items, (line,) = take(path)
        assert items == []
        assert said in line
        assert "\n" not in line
    if os.geteuid() != 0:
        assert "Permission denied" in take(locked)[1][0]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Министр приехал утром и сразу поехал на завод, где его ждали рабочие. Потом он говорил с журналистами о планах. " * 4, "cp1251"),
        ("Министр приехал утром и сразу поехал на завод, где его ждали рабочие. Потом он говорил с журналистами о планах. " * 4, "koi8-r"),
        ("Il ponte è già aperto, perché la città lo voleva così: più traffico, più caffè. " * 4, "cp1252"),
        ("Die Brücke öffnet morgen früh, sagte die Bürgermeisterin, die Straße bleibt größtenteils gesperrt. " * 4, "cp1252"),
        ("Most będzie zamknięty, powiedział burmistrz, a ścieżka nad rzeką również. Żółta łódź czeka. " * 4, "cp1250"),
        ("Starosta řekl, že příští týden začne oprava mostu přes řeku, a poděkoval dělníkům. " * 4, "cp1250"),
        ("다리는 내일 다시 열린다고 시청이 밝혔다. 공사는 봄에 다시 시작된다. " * 6, "cp949"),
        ("橋は明日ふたたび開通すると市が発表した。工事は春に再開される。" * 6, "shift_jis"),
        ("Il ponte è già aperto, perché la città lo voleva. ", "utf-16"),
        ("Il ponte è già aperto, perché la città lo voleva. ", "utf-16-le"),
        ("Il ponte è già aperto, perché la città lo voleva. ", "utf-8-sig"),
    ],
)
def test_encodings(tmp_path: Path, text: str, encoding: str) -> None:
    (item,), wrong = take(put(tmp_path, "x.txt", text.encode(encoding)))
    assert wrong == []
    assert item.body == text


def test_controls_and_lone_surrogates_do_not_get_in(tmp_path: Path) -> None:
    raw = '{"id": "\\ud800x", "title": "Il\\u0000 ponte\\u202e", "text": "Il ponte\\u0000 riapre \\ud800 domani"}\n'
    (item,), wrong = take(put(tmp_path, "x.jsonl", raw))
    assert wrong == []
    assert item.title == "Il ponte"
    assert item.body == "Il ponte riapre \ufffd domani"
    item.model_dump_json()


def test_a_body_too_large_for_the_bus_is_cut_and_says_so() -> None:
    noise = "".join(random.Random(1).choices([chr(code) for code in range(0x4E00, 0x9000)], k=2_000_000))
    body, cut = fit(noise)
    assert cut
    assert noise.startswith(body)
    assert fit("parola " * 1_000_000) == ("parola " * 1_000_000, False)


@given(st.binary(max_size=400), st.sampled_from(["x.txt", "x.html", "x.xml", "x.jsonl", "x"]))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    items, wrong = take(put(tmp_path_factory.getbasetemp(), name, data))
    assert items or wrong
    for item in items:
        assert Item.model_validate_json(item.model_dump_json()) == item


# --- the producer -------------------------------------------------------------------------------------------------------------------


def node(*paths: Path, batch: int = 3) -> Node:
    settings = Settings(files=paths)
    return Node("files", (), SPEC.writes, SPEC.reasons, files.Files(settings, Config(every=60, batch=batch)))


def run(bus_file: Path, made: Node, clock: Clock, counts: Counts | None = None) -> None:
    """What is due now is done; the next look is a minute away."""
    with EmbeddedBus(bus_file) as bus:
        runner = make_runner(made, bus, counts or Counts(), clock.clocks, batch=10, max_lag=10_000)
        try:
            settle([runner])
        finally:
            runner.close()


def given_out(bus_file: Path) -> list[Item]:
    with EmbeddedBus(bus_file) as bus:
        return [decode(ITEMS, record.value) for record in bus.read(ITEMS.name, 0, 10_000)]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "deep").mkdir(parents=True)
    put(folder, "a.txt", ARTICLE)
    put(folder / "deep", "b.xml", FEED)
    put(folder, "c.jsonl", lines(*({"id": str(number), "text": f"{ARTICLE} {number}"} for number in range(10))))
    put(folder, "photo.jpg", b"\xff\xd8")
    put(folder, ".hidden.txt", ARTICLE)
    return folder


def test_each_file_once(inbox: Path, tmp_path: Path) -> None:
    bus_file, clock, counts = tmp_path / "bus.db", Clock(), Counts()
    run(bus_file, node(inbox), clock, counts)
    first = given_out(bus_file)
    assert len(first) == 1 + 2 + 10
    assert all(item.backlog for item in first)
    assert counts.drops == []
    clock.advance(3_600)
    os.utime(inbox / "a.txt")
    run(bus_file, node(inbox), clock)
    assert given_out(bus_file) == first


def test_what_changes_is_read_again_and_only_what_is_new_comes_out(inbox: Path, tmp_path: Path) -> None:
    bus_file, clock = tmp_path / "bus.db", Clock()
    run(bus_file, node(inbox), clock)
    before = len(given_out(bus_file))
    put(inbox, "a.txt", ARTICLE + "Nuovo.\n")
    put(inbox / "deep", "b.xml", FEED.replace("Per lavori.", "Per lavori, dice il comune."))
    with (inbox / "c.jsonl").open("a", encoding="utf-8") as file:
        file.write(lines({"id": "new", "text": ARTICLE}))
    clock.advance(61)
    run(bus_file, node(inbox), clock)
    fresh = given_out(bus_file)[before:]
    assert sorted(item.source for item in fresh) == ["a.txt", "b.xml", "c.jsonl"]
    assert [item.guid for item in fresh if item.source == "c.jsonl"] == ["new"]
    put(inbox, "c.jsonl", lines({"id": "0", "text": ARTICLE + " altro"}, {"id": "1", "text": f"{ARTICLE} 1"}))
    clock.advance(61)
    run(bus_file, node(inbox), clock)
    assert [item.guid for item in given_out(bus_file)[before + 3 :]] == ["0", "1"]


def test_a_line_still_being_written_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    bus_file, clock, counts = tmp_path / "bus.db", Clock(), Counts()
    whole = lines({"id": "1", "text": ARTICLE}, {"id": "2", "text": ARTICLE}, {"id": "3", "text": ARTICLE})
    path = put(tmp_path, "live.jsonl", whole[:-40])
    run(bus_file, node(path), clock, counts)
    assert [item.guid for item in given_out(bus_file)] == ["1", "2"]
    assert counts.drops == [("files", "bad_line")]
    put(tmp_path, "live.jsonl", whole)
    clock.advance(61)
    run(bus_file, node(path), clock)
    assert [item.guid for item in given_out(bus_file)] == ["1", "2", "3"]


def test_bad_files_are_counted_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    bus_file, clock, counts = tmp_path / "bus.db", Clock(), Counts()
    bad = [put(tmp_path, "zeros.txt", bytes(100)), put(tmp_path, "page.xml", "<html/>"), tmp_path / "missing.txt"]
    good = put(tmp_path, "good.txt", ARTICLE)
    for _ in range(3):
        run(bus_file, node(*bad, good), clock, counts)
        clock.advance(61)
    assert sorted(counts.drops) == [("files", "binary"), ("files", "missing"), ("files", "not_a_feed")]
    assert len(given_out(bus_file)) == 1
    put(tmp_path, "missing.txt", ARTICLE + "Eccolo.")
    put(tmp_path, "zeros.txt", ARTICLE + "Riparato.")
    run(bus_file, node(*bad, good), clock, counts)
    assert len(given_out(bus_file)) == 3


def test_a_clock_put_back_does_not_stop_the_looks(tmp_path: Path) -> None:
    bus_file, path = tmp_path / "bus.db", put(tmp_path, "a.txt", ARTICLE)
    clock = Clock(datetime(2030, 1, 1, tzinfo=UTC))
    run(bus_file, node(path), clock)
    put(tmp_path, "a.txt", ARTICLE + "Nuovo.")
    run(bus_file, node(path), Clock(NOW))
    assert len(given_out(bus_file)) == 2


def test_killed_at_every_statement_nothing_is_lost_or_repeated(inbox: Path, tmp_path: Path) -> None:
    calm, killed = tmp_path / "calm.db", tmp_path / "killed.db"
    run(calm, node(inbox), Clock())
    statement = 0
    while True:
        statement += 1
        try:
            with killed_at(statement):
                run(killed, node(inbox), Clock())
            break
        except Killed:
            continue
    assert statement > 20
    assert sorted(item.id for item in given_out(killed)) == sorted(item.id for item in given_out(calm))


def test_the_limit_is_what_the_message_says() -> None:
    assert LARGEST == 20_000_000
