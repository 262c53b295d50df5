"""What ``tumen alerts`` needs: the alerts in the archive, and a test of the sinks that speak to people."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import apsw

from tumen.codec import decode
from tumen.errors import ConfigError, Reject, Unavailable
from tumen.ids import alert_id, digest
from tumen.logs import scrub
from tumen.messages import Actor, Alert, EventType, Evidence
from tumen.pipeline import Topology
from tumen.stage import Attempt, Kit, Sink, SinkSpec
from tumen.telling import STANCES, plain
from tumen.topics import ALERTS


@dataclass(frozen=True)
class AlertRow:
    """One alert of the archive, and when it was put there (ISO 8601)."""

    alert: Alert
    archived_at: str

    def as_json(self) -> dict[str, Any]:
        """The whole message, with `archived_at`."""
        return {**self.alert.model_dump(mode="json", by_alias=True), "archived_at": self.archived_at}

    def line(self) -> str:
        """One line for a person."""
        alert = self.alert
        realm = "" if alert.realm == "live" else f"[{alert.realm.upper()}] "
        return f"{alert.seen_at:%Y-%m-%d %H:%M}  {realm}{plain(alert.event_line)}  ({alert.change}, {STANCES[alert.stance]})"


def list_alerts(
    archive: Path, *, limit: int, since: str | None = None, event: str | None = None, realm: str | None = None
) -> Iterator[AlertRow]:
    """The newest alerts, newest first.  Raises `ConfigError` for a filter that cannot be meant, and where there is no archive."""
    findings = list(_wrong_filters(since, event))
    if not findings and not archive.is_file():
        findings.append(f"{archive}: no archive there yet; expected the data folder of a pipeline that has run")
    if findings:
        raise ConfigError(*findings)
    sql = """
        SELECT message, archived_at FROM alerts
        WHERE (:since IS NULL OR seen_at >= :since) AND (:event IS NULL OR event = :event) AND (:realm IS NULL OR realm = :realm)
        ORDER BY seen_at DESC, archived_at DESC, id LIMIT :limit
    """
    try:
        db = apsw.Connection(str(archive), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            db.set_busy_timeout(5_000)
            rows = db.execute(sql, {"since": since, "event": event, "realm": realm, "limit": limit}).fetchall()
        finally:
            db.close()
    except apsw.Error as error:
        raise ConfigError(f"{archive}: expected an archive of Tumen's ({error})") from None
    for message, archived_at in rows:
        yield AlertRow(decode(ALERTS, str(message).encode()), str(archived_at))


def _wrong_filters(since: str | None, event: str | None) -> Iterable[str]:
    if since is not None:
        try:
            date.fromisoformat(since)
        except ValueError:
            yield f"--since = {since!r}: expected a date like 2024-09-13"
    if event is not None and event not in list(EventType):
        yield f"--event = {event!r}: expected one of {', '.join(EventType)}"


def send_test(topology: Topology, kit: Kit, now: datetime) -> list[tuple[str, str]]:
    """Deliver one alert, marked as a test, to every sink that speaks to people: (sink, "delivered" | "off" | what went wrong).

    Raises `ConfigError` if a sink cannot be built.
    """
    alert = _test_alert(now)
    return [
        (node.name, _send(node.module.build(node.config, kit), alert, now))
        for node in topology.nodes
        if isinstance(node.spec, SinkSpec) and node.spec.people and ALERTS in node.spec.reads
    ]


def _send(sink: Sink, alert: Alert, now: datetime) -> str:
    try:
        reason = sink.wanted(alert, now)
        if reason is None:
            sink.deliver(alert, Attempt())
        return reason or "delivered"
    except (Unavailable, Reject) as error:
        return scrub(str(error))
    finally:
        sink.close()


def _test_alert(now: datetime) -> Alert:
    """In the live realm, because it is the way of live alerts that is to be tested; everything in it says what it is."""
    story = digest("test", now.isoformat())
    sentence = "Questa è una prova: nessuna notizia."
    return Alert(
        id=alert_id(story, "new"),
        seen_at=now,
        trace=story,
        story=story,
        change="new",
        change_text="A test of Tumen's alerts: if you can read this, they reach you.",
        event=EventType.DIPLOMACY,
        event_line="TEST · Russia and DPRK · this is not news",
        direction="none",
        stance="asserted",
        says="Tumen",
        title="Prova di Tumen",
        title_english="Test of Tumen",
        language="it",
        evidence=(
            Evidence.model_validate(
                {"in": "text", "text": sentence, "start": 0, "end": len(sentence), "translation": "This is a test: no news."}
            ),
        ),
        actors=(Actor(name="Russia", qid="Q159", side="russia"), Actor(name="DPRK", qid="Q423", side="dprk")),
        source="Tumen",
        published_at=now,
        flags=("test",),
    )
