"""The always-on pipeline over the sample wire, as a user runs it: calm, killed at random moments, and told to stop."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import apsw
import pytest

from tumen.bus import Bus
from tumen.bus_embedded import EmbeddedBus
from tumen.codec import decode
from tumen.messages import Alert
from tumen.sample_wire import EXPECTED_STORIES, load_script
from tumen.topics import ALERTS, STORIES

ROOT = Path(__file__).resolve().parents[1]
SPEED = "20"


def start(data: Path, *more: str, stdout: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
    environment = {**os.environ, "TUMEN_METRICS_PORT": "0"}
    return subprocess.Popen(
        [sys.executable, "-m", "tumen", "run", "--samples", "--data", str(data), "--speed", SPEED, *more],
        cwd=ROOT,
        env=environment,
        stdout=stdout,
        stderr=subprocess.PIPE if stdout == subprocess.PIPE else subprocess.DEVNULL,
        text=True,
    )


def published(data: Path) -> list[Alert]:
    """Every alert on the bus, in order."""
    with EmbeddedBus(data / "bus.db") as bus:
        return [decode(ALERTS, record.value) for record in bus.read(ALERTS.name, 0, 10**6)]


def archived(data: Path) -> list[str]:
    db = apsw.Connection(str(data / "archive.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [str(row[0]) for row in db.execute("SELECT id FROM alerts")]
    finally:
        db.close()


def finish(data: Path) -> None:
    process = start(data, "--until-quiet", stdout=subprocess.PIPE)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors


def check_archive(data: Path) -> None:
    """Every alert exactly once: on the bus, and in the archive."""
    ids = [alert.id for alert in published(data)]
    assert ids
    assert max(Counter(ids).values()) == 1
    assert sorted(archived(data)) == sorted(ids)


def kill_at_random(data: Path, rounds: int, seed: int) -> None:
    moments = random.Random(seed)
    for _ in range(rounds):
        process = start(data)
        time.sleep(moments.uniform(0.8, 4.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    finish(data)
    check_archive(data)


def what_is_wrong(bus: Bus) -> list[str]:
    """What the bus holds against what the sample wire tells: its stories, their events, their alerts, and nothing else."""
    script = load_script()
    slugs = {script.url(article): article.slug for article in script.articles if article.role != "edit"}
    stories = {story.id: story for story in (decode(STORIES, record.value) for record in bus.read(STORIES.name, 0, 10**6))}
    stories = {story.id: story for story in stories.values() if story.articles}
    story_of = {slugs[article.url or ""]: story.id for story in stories.values() for article in story.articles}
    alerts = [decode(ALERTS, record.value) for record in bus.read(ALERTS.name, 0, 10**6)]
    wrong = []
    for expected in EXPECTED_STORIES.values():
        where = {slug: story_of.get(slug) for slug in expected.articles}
        ids = set(where.values())
        if len(ids) != 1 or None in ids:
            wrong.append(f"{expected.name}: expected one story, its articles are in {where}")
            continue
        (story_id,) = ids
        story = stories[story_id or ""]
        strangers = {slug for slug, its in story_of.items() if its == story_id} - set(expected.articles)
        if strangers:
            wrong.append(f"{expected.name}: strangers in it: {strangers}")
        if story.event != expected.events[0]:
            wrong.append(f"{expected.name}: event {story.event}, expected {expected.events[0]}: {story.event_line}")
        told = Counter(alert.change for alert in alerts if alert.story == story_id)
        wrong.extend(f"{expected.name}: {kind} told {told[kind]} times: {dict(told)}" for kind in expected.alerts if told[kind] != 1)
        wrong.extend(f"{expected.name}: {kind} told, unexpected" for kind in set(told) - {*expected.alerts, *expected.may})
    silent = {article.slug for article in script.articles if article.role == "none"}
    wrong.extend(f"{slug}: became news: {stories[story_of[slug]].event_line}" for slug in silent & set(story_of))
    wrong.extend(f"alert from {alert.title!r}, which tells nothing" for alert in alerts if slugs[alert.url or ""] in silent)
    wrong.extend(f"{alert.id}: realm {alert.realm}" for alert in alerts if alert.realm != "sample")
    return wrong


def test_the_sample_wire_gives_what_it_should(tmp_path: Path) -> None:
    """Each story that the wire tells comes out as one story, with its event and its alerts; what tells none raises no alert.

    It plays slowly enough for a claim to be read before what answers it.
    """
    process = start(tmp_path, "--until-quiet", "--speed", "1", stdout=subprocess.PIPE)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    check_archive(tmp_path)
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        wrong = what_is_wrong(bus)
    assert not wrong, "\n".join(wrong)


def test_killed_ten_times_every_alert_is_archived_once(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 10, seed=1)


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_torture_killed_fifty_times_every_alert_is_archived_once(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 50, seed=2)


def test_alerts_within_seconds_metrics_served_and_an_orderly_end(tmp_path: Path) -> None:
    process = start(tmp_path, stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (tmp_path / "archive.db").is_file():
            time.sleep(0.1)
        while time.monotonic() < deadline and not archived(tmp_path):
            time.sleep(0.1)
        assert archived(tmp_path)
        assert process.stderr is not None
        greeting = "".join(process.stderr.readline() for _ in range(3))
        address = re.search(r"http://127\.0\.0\.1:\d+/metrics", greeting)
        assert address, greeting
        with urllib.request.urlopen(address[0], timeout=5) as answer:
            metrics = answer.read().decode()
        assert re.search(r'tumen_\w+_total\{.*stage="tag".*\} [1-9]', metrics)
        second = start(tmp_path, stdout=subprocess.PIPE)
        _, complaint = second.communicate(timeout=60)
        assert second.returncode == 2
        assert re.search(r"another Tumen", complaint)
        assert "Traceback" not in complaint
    finally:
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "SAMPLE" in output.upper()


def test_a_corrupt_bus_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bus.db").write_bytes(b"not a database" * 1000)
    process = start(tmp_path, stdout=subprocess.PIPE)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "corrupt" in errors
    assert "Traceback" not in errors
    assert (tmp_path / "bus.db").read_bytes() == b"not a database" * 1000


def test_alerts_list_reads_the_archive(tmp_path: Path) -> None:
    finish(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "tumen", "alerts", "list", "--json", "--limit", "100", "--data", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["id"] for row in rows} == set(archived(tmp_path))
    assert {row["realm"] for row in rows} == {"sample"}
