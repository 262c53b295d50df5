"""Cleaning: milliseconds an article of plain text, and web pages beside trafilatura alone on the same pages in the same run.

The pages are the measuring material's where it is (../shared), else the golden pages of the tests, made longer.
"""

import gzip
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import trafilatura

from processors.clean.article import Means, clean_item
from processors.clean.meta import Agencies
from tumen.messages import Item
from tumen.text.language import Languages

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "clean"
PAGES = ROOT.parent / "shared" / "corpora" / "pages" / "fundus"
COUNT = 60
SIZE = 4_000
NOW = datetime(2024, 9, 14, tzinfo=UTC)

Kind = Literal["text", "html"]


class Row(NamedTuple):
    """A line of the benchmark's table; `ratio` is what was reached and what must be, or None where nothing must."""

    what: str
    measured: str
    aim: str
    ratio: tuple[float, float] | None = None


def rows() -> Iterator[Row]:
    means = Means(Languages(("it", "en", "ru", "uk", "fr", "de", "es", "pl", "ko", "ja", "zh")), Agencies({"TASS": ["ТАСС"], "KCNA": []}))
    texts = [path.read_text(encoding="utf-8") for path in sorted(GOLDEN.glob("*.txt"))]
    text = max((_of_size(text) for text in texts), key=len)
    seconds = _best(lambda: clean_item(_item(text, "text"), means), rounds=200)
    yield Row(f"clean, plain text of {len(text):,} characters", f"{seconds * 1e3:.2f} ms", "1 ms")
    pages = _pages()
    for page in pages[:3]:
        clean_item(_item(page, "html"), means)  # models and caches are loaded with the first pages of a process
        trafilatura.extract(page, include_comments=False)
    ours, alone = _in_turn(
        pages, lambda page: clean_item(_item(page, "html"), means), lambda page: trafilatura.extract(page, include_comments=False)
    )
    measured = f"{ours / len(pages) * 1e3:.1f} ms, trafilatura alone {alone / len(pages) * 1e3:.1f} ms"
    yield Row(f"clean, {len(pages)} web pages, a page", measured, "<= 1.25x trafilatura alone", (alone / ours, 1 / 1.25))


def _of_size(text: str) -> str:
    """The page with its article's middle told again until it is long enough."""
    lines = text.split("\n")
    middle = [line for line in lines if len(line) > 80]
    number = 0
    while sum(map(len, lines)) < SIZE:
        number += 1
        lines.insert(len(lines) // 2, f"{number}: {middle[number % len(middle)]}")
    return "\n".join(lines)


def _pages() -> Sequence[str]:
    found = sorted(PAGES.rglob("*.html.gz"))
    if found:
        return [gzip.decompress(path.read_bytes()).decode("utf-8", "replace") for path in found[:: max(1, len(found) // COUNT)][:COUNT]]
    page = next(iter(GOLDEN.glob("*.html"))).read_text(encoding="utf-8")
    return [
        page.replace(
            "</article>", "".join(f"<p>Note {n}-{m}: the inspectors wrote this down as well.</p>" for m in range(n)) + "</article>"
        )
        for n in range(COUNT)
    ]


def _item(body: str, kind: Kind) -> Item:
    return Item(id="i", seen_at=NOW, trace="t", article_id="a", source="s", site="bench.example", body=body, body_type=kind)


def _best(function: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begun)
    return best


def _in_turn(pages: Sequence[str], *functions: Callable[[str], object]) -> list[float]:
    """Seconds of processor time that each function takes for all pages, page by page in turn, so that a busy machine hits them alike."""
    spent = [0.0] * len(functions)
    for page in pages:
        for number, function in enumerate(functions):
            begun = time.process_time()
            function(page)
            spent[number] += time.process_time() - begun
    return spent


def main() -> int:
    failed = False
    for row in rows():
        held = row.ratio is None or row.ratio[0] >= row.ratio[1]
        failed = failed or not held
        sys.stdout.write(f"{row.what}: {row.measured} (aim {row.aim}){'' if held else '  NOT HELD'}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
