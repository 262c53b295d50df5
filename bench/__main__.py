"""``make bench``: figures to report, ratios that must hold.

An absolute figure depends on the machine and is only printed; a ratio compares two things measured in the same run, and fails the benchmark
(exit status 1) when it is worse than its bound.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT.parent / "shared" / "seeds"
TUMEN = [sys.executable, "-m", "tumen"]
#: benchmarks of single rooms, each a module of its own that may be run alone: its arguments
ROOMS: dict[str, list[str]] = {"clean": [], "dedupe": ["20000"], "tag": [], "kafka": []}


def wall(arguments: list[str], rounds: int = 5) -> float:
    """Median seconds of a whole process."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        subprocess.run(arguments, cwd=ROOT, capture_output=True, check=True)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def per_call(function: Callable[[], object], seconds: float = 1.0) -> float:
    """Seconds a call takes, the best of a few rounds."""
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begun)
    return best


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no VmRSS for process {pid}")


def idle_memory() -> float:
    """MB of `tumen run` with nothing to read."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TUMEN_METRICS_PORT": "0", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [*TUMEN, "run", "--data", folder], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(8)
            return resident_mb(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def bus_ratio() -> tuple[float, float]:
    """Records a second through a real stage on the bus, and as a share of the same commits made by hand in bare SQL."""
    from bench.bus import through_runner, through_sql

    with tempfile.TemporaryDirectory() as folder:
        ours = through_runner(Path(folder) / "ours.db")
        bare = through_sql(Path(folder) / "bare.db")
    return ours, ours / bare


def main() -> int:
    table = Table("what", "measured", "aim", "ratio must be", "")
    failed = False

    def row(what: str, measured: str, aim: str, ratio: tuple[float, float] | None = None) -> None:
        nonlocal failed
        verdict = ""
        if ratio is not None:
            held = ratio[0] >= ratio[1]
            failed = failed or not held
            verdict = "held" if held else "NOT HELD"
        table.add_row(what, measured, aim, f"{ratio[0]:.2f} >= {ratio[1]:.2f}" if ratio else "", verdict)

    bare_python = wall([sys.executable, "-c", "import click"])
    help_seconds = wall([*TUMEN, "--help"])
    row("tumen --help", f"{help_seconds:.2f} s", "< 0.4 s", (bare_python / help_seconds, 0.2))
    if SEEDS.is_dir():
        seeds = [str(path) for path in sorted(SEEDS.glob("*.txt"))]
        imports = wall([sys.executable, "-c", "import spacy, trafilatura, feedparser, pydantic"], rounds=3)
        seconds = wall([*TUMEN, "analyze", "--json", "--engine", "none", *seeds], rounds=3)
        row("tumen analyze, five seeds, cold", f"{seconds:.2f} s", "< 3 s", (imports / seconds, 0.2))
    else:
        row("tumen analyze, five seeds, cold", "left out: ../shared is not here", "< 3 s")
    row("tumen run, idle", f"{idle_memory():.0f} MB", "< 200 MB")
    ours, share = bus_ratio()
    row("records a second through a stage", f"{ours:,.0f}", "", (share, 0.15))
    Console().print(table)
    for room, size in ROOMS.items():
        print(f"\n{room}", flush=True)
        failed = subprocess.run([sys.executable, "-m", f"bench.{room}", *size], cwd=ROOT, check=False).returncode != 0 or failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
