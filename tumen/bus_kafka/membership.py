"""Taking part in a consumer group, in a thread of its own.

kafka-python 3.0.12 takes notice of a finished join only if somebody is inside ``poll()`` at that moment: a member that polls between two
batches begins the join again, and two such members can keep each other joining for ever.  So one thread does nothing but poll.
"""

import threading
import time
from typing import Any

import structlog

from tumen.bus_kafka.clients import Clients, Dropped, KafkaError

log = structlog.get_logger(__name__)

_POLL_MS = 200
_WAIT_SECONDS = 0.5


class Membership:
    """A member of a group that divides the partitions of one topic.  It reads nothing; the group's offsets are read through it."""

    def __init__(self, clients: Clients, group_id: str, topic: str) -> None:
        self._group_id = group_id
        self._seconds = clients.settings.request_timeout
        self._patience = clients.settings.max_poll_interval
        self._dropped = Dropped()
        self._member = clients.member(group_id)
        try:
            self._member.subscribe([topic], listener=self._dropped)
            # a member that leads the division before it knows the topic divides nothing, and may leave it at that
            self._member.partitions_for_topic(topic)
        except BaseException:
            self._member.close(autocommit=False)
            raise
        self._asked = time.monotonic()
        self._ending = threading.Event()
        #: why it takes part no more: a bug of the client
        self.broke: Exception | None = None
        self._thread = threading.Thread(target=self._serve, name=f"kafka-member-{group_id}", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ending.is_set():
            if time.monotonic() - self._asked > self._patience:  # who works here hangs: the group goes on without it
                self._ending.wait(_WAIT_SECONDS)
                continue
            try:
                self._member.poll(_POLL_MS)
                points = self._member.assignment()
                if points:
                    self._member.pause(*points)
            except (KafkaError, OSError) as error:
                log.warning("membership", group=self._group_id, reason=f"{type(error).__name__}: {error}"[:200])
                self._ending.wait(_WAIT_SECONDS)
            except Exception as error:  # noqa: BLE001 - handed to whoever asks what it holds, who replaces it
                self.broke = error
                return

    def held(self) -> set[int]:
        """The partitions that are this member's now."""
        self._asked = time.monotonic()
        return {tp.partition for tp in self._member.assignment()}

    def dropped(self) -> set[int]:
        """Those that were taken from it since the last call, whether it has got them back or not."""
        return self._dropped.take()

    def metadata(self) -> Any | None:
        """What a transaction shows to be let through, or None while it is no member."""
        found = self._member.group_metadata()
        return found if found.generation_id >= 0 else None

    def committed(self, tp: Any) -> Any | None:
        """The group's `OffsetAndMetadata`.  Raises what kafka raises while a transaction is open on it."""
        return self._member.committed(tp, metadata=True, timeout_ms=int(self._seconds * 1000))

    def close(self, seconds: float) -> None:
        """Leave the group; a named instance stays in it until its session ends."""
        self._ending.set()
        self._thread.join(seconds)
        try:
            self._member.close(autocommit=False, timeout_ms=int(seconds * 1000))
        except (KafkaError, TimeoutError, OSError, RuntimeError) as error:  # the session ends by itself
            log.warning("kafka_close", group=self._group_id, reason=f"{type(error).__name__}: {error}"[:200])
