"""Dedupe against a memory of many articles: milliseconds and bytes an article, flat as it fills; precision and recall on made pairs.

    python -m bench.dedupe [ARTICLES]      default 100,000; 1,000,000 takes ten minutes and 6 GB of disk

The memory is filled with articles of random numbers (what is remembered of a text is numbers), in the bus's own file; then real texts are
read against it through the stage, each on an overlay as the runner does it.
"""

import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.copies import NOW, found, one
from processors.dedupe.memory import Record, Stored, Verdict
from processors.dedupe.sketch import BANDS
from tests.dedupe_pairs import article, topic
from tumen.bus import Group
from tumen.bus_embedded import EmbeddedBus
from tumen.ids import digest
from tumen.messages import Article
from tumen.state import Overlay

ANCHORS, SHINGLES, SENTENCES = 20, 400, 20
_CHUNK = 100_000


def fill(group: Group, count: int) -> None:
    """Remember `count` articles of about 400 words, key by key in order, as a file that has been compacted would lie."""
    rng = np.random.default_rng(1)
    pointers = rng.integers(1 << 40, size=(count, BANDS + ANCHORS), dtype=np.uint64)
    record = Record(id="", item="", title=digest("title"), same="", url="", outlet="carta.example", verdict=Verdict(), seen_at=NOW)

    def number(at: int) -> bytes:
        return (at + 1).to_bytes(4, "little")

    def column(values: npt.NDArray[np.uint64], prefix: str) -> Iterator[tuple[str, bytes]]:
        order = np.argsort(values, kind="stable")
        return ((f"{prefix}{int(values[at]):010x}", number(int(at))) for at in order)

    def records() -> Iterator[tuple[str, bytes]]:
        for at in range(count):
            names = {
                "id": digest("id", str(at)),
                "item": digest("item", str(at)),
                "same": digest("s", str(at)),
                "url": digest("u", str(at)),
            }
            yield f"art/{at + 1:010}", record.model_copy(update=names).model_dump_json(exclude_defaults=True).encode()

    def sketches() -> Iterator[tuple[str, bytes]]:
        for at in range(count):
            words = rng.integers(1 << 32, size=SENTENCES + SHINGLES, dtype=np.uint32)
            own = Stored(words[:SENTENCES], words[SENTENCES:], pointers[at, :BANDS], pointers[at, BANDS:])
            yield f"ske/{at + 1:010}", own.packed()

    def claims(claim: str, letter: str) -> Iterator[tuple[str, bytes]]:
        return iter(sorted((f"{claim}/{digest(letter, str(at))}", number(at)) for at in range(count)))

    put(group, column(pointers[:, BANDS:].reshape(-1), "a/"), lambda at: number(at // ANCHORS))
    put(group, records())
    for band in range(BANDS):
        put(group, column(pointers[:, band], f"b/{band:x}"))
    put(group, claims("id", "i"))
    meta = f'{{"next":{count + 1},"oldest":1,"newest":"{NOW.isoformat()}"}}'
    put(group, iter([("meta", meta.encode())]))
    put(group, sketches())
    put(group, claims("text", "s"))
    put(group, claims("url", "u"))


def put(group: Group, rows: Iterable[tuple[str, bytes]], value: Callable[[int], bytes] | None = None) -> None:
    writes: dict[str, bytes | None] = {}
    for key, raw in rows:
        writes[key] = raw if value is None else value(int.from_bytes(raw, "little") - 1)
        if len(writes) >= _CHUNK:
            group.commit({}, [], writes)
            writes = {}
    group.commit({}, [], writes)


def articles(count: int, seed: int) -> list[Article]:
    """Texts of 4 kB, one in three a copy of an earlier one."""
    rng, about, found = random.Random(seed), topic("latin", 2), []  # noqa: S311 - texts, no secrets
    texts: list[str] = []
    for number in range(count):
        if number % 3 == 2:
            text = rng.choice(texts)[: rng.randint(1500, 4000)]
        else:
            text = " ".join(article(about, "", rng, 40).body for _ in range(2))[:4000]
            texts.append(text)
        name = f"new{seed}-{number}"
        seen_at, url = NOW + timedelta(seconds=number), f"https://carta.example/{name}"
        found.append(Article(id=name, item_id=name, seen_at=seen_at, trace=name, source=name, site=name, url=url, title=name, text=text))
    return found


def timed(group: Group, count: int, most: int, seed: int) -> tuple[float, float, float, int]:
    """Milliseconds an article in `process`, median of the wall's clock and of the processor's, and for the commit; copies found."""
    times, cpu, commits, copies = [], [], 0.0, 0
    batch = Overlay(group.state)
    todo = articles(count, seed)
    for number, this in enumerate(todo, 1):
        fork = batch.fork()
        begun, busy = time.perf_counter(), time.thread_time()
        unique = one(this, fork, most)
        cpu.append((time.thread_time() - busy) * 1e3)
        times.append((time.perf_counter() - begun) * 1e3)
        batch.absorb(fork)
        copies += unique.copy_of is not None
        if number % 100 == 0:
            begun = time.perf_counter()
            group.commit({}, [], batch.writes)
            commits += time.perf_counter() - begun
            batch = Overlay(group.state)
    return statistics.median(times), statistics.median(cpu), commits / count * 1e3, copies


def main() -> int:
    count = int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else 100_000
    made = found()
    print(f"made pairs: {made}", flush=True)
    medians = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in (1_000, count):
            path = Path(folder) / f"{size}.db"
            with EmbeddedBus(path) as bus:
                group = bus.join("dedupe", ())
                begun = time.perf_counter()
                fill(group, size)
                filled = time.perf_counter() - begun
                bytes_each = sum(file.stat().st_size for file in Path(folder).glob(f"{size}.db*")) / size
                timed(group, 100, size * 2, 8)
                for kind, most in (("filling", size * 2), ("forgetting", size)):
                    median, cpu, commit, copies = timed(group, 600, most, 9 if kind == "filling" else 10)
                    medians[size, kind] = cpu
                    print(
                        f"{size:>9,} remembered, {kind:<10}: {median:.2f} ms an article (processor {cpu:.2f}), commit {commit:.2f}, "
                        f"{copies} copies of 200; {bytes_each / 1024:.1f} kB on disk an article; filled in {filled:.0f} s",
                        flush=True,
                    )
                group.close()
    print(f"memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")
    held = all(medians[count, kind] < 3 * medians[1_000, kind] for kind in ("filling", "forgetting"))
    print(f"flat (less than 3 times the time at 1,000): {'held' if held else 'NOT HELD'}")
    return 0 if held and made.held else 1


if __name__ == "__main__":
    sys.exit(main())
