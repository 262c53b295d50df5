"""A stage group on Kafka: which shares it holds, what it reads, how it commits.

Exactly one process holds a share at a time, and three things see to it: the group's assignment, the producer id of the share (taking it
fences whoever had it), and the group's generation, checked by the broker in every transaction.

How far a share has come lies in its state topic, in one record a commit beside what it remembers: one partition, so both or neither.  The
group's offsets are written in the same transaction, for whoever looks at lags with other tools, but nothing is decided by them: they
expire when a topic is quiet for a week, and a broker that is killed between answering a commit and marking its partitions may leave them
undecided until the next commit (seen with Kafka 4.3: `__transaction_state` says complete, `__consumer_offsets` has no marker).
"""

import itertools
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import apsw
import structlog

from tumen.bus import Moved, Offsets, Output, Record
from tumen.bus_kafka.clients import (
    Clients,
    KafkaError,
    Names,
    OffsetAndMetadata,
    Sending,
    TopicPartition,
    Transactor,
    offsets_after,
    unavailable,
)
from tumen.bus_kafka.forgotten import Forgotten, finish
from tumen.bus_kafka.membership import Membership
from tumen.bus_kafka.share import COMMIT_KEY, Attempt, Share, commit_number
from tumen.bus_kafka.store import Store
from tumen.bus_kafka.wire import record, sending
from tumen.errors import Unavailable

log = structlog.get_logger(__name__)

_HOLD_SECONDS = 30.0
_UPKEEP_SECONDS = 0.05
_DATA_SECONDS = 0.3
_MORE_MS = 20
_QUIET_COMMIT_SECONDS = 2.0
_RESTORE_POLL_MS = 200
_RESTORE_RECORDS = 5000
_CLOSE_SECONDS = 2.0
_holds = itertools.count(1)


class Home(Protocol):
    """What a group asks of its bus."""

    clients: Clients
    names: Names

    def known_end(self, topic: str, partition: int) -> int:
        """The offset after the last record that this process has written there, 0 if none."""
        ...

    def forgotten(self, transactional_id: str, state: Any) -> list[Forgotten]:
        """What a broker has left open of the last transaction of a share, whose state partition is `state`."""
        ...

    def written_ends(self, points: Sequence[Any]) -> dict[Any, int]:
        """The ends of these partitions, what is not committed included."""
        ...

    def wrote(self, ends: Mapping[Any, int]) -> None: ...

    def lost(self, group: str, topic: str, count: int) -> None: ...

    def left(self, group: "KafkaGroup") -> None: ...


class KafkaGroup:
    """See `tumen.bus.Group`.

    `inputs`: how many partitions each topic it reads has.  `count`: how many shares there are: 1, then its holder reads every partition, or
    as many as each input has partitions, then share n reads partition n of each.
    """

    def __init__(self, home: Home, name: str, inputs: Mapping[str, int], count: int) -> None:
        self.name = name
        self._home, self._inputs, self._count = home, dict(inputs), count
        self._clients, self._names = home.clients, home.names
        self.max_bytes: int | None = self._clients.settings.max_message_bytes
        self._shares: dict[int, Share] = {}
        self._not_before: dict[int, float] = {}
        self._turn = 0
        self._next_upkeep = 0.0
        self._next_quiet_commit = 0.0
        self._busy = False
        self._reader = self._clients.reader()
        try:
            self._member = Membership(self._clients, self._names.group(name), self._names.state(name))
        except BaseException:
            self._reader.close()
            raise

    # --- holding -----------------------------------------------------------------------------------------------------------------

    def shares(self) -> Mapping[int, int]:
        with self._away("taking part in the group"):
            self._upkeep()
        return {index: share.hold for index, share in self._shares.items()}

    def share_of(self, record: Record) -> int:
        return 0 if self._count == 1 else record.partition

    def state_of(self, share: int) -> Store:
        return self._shares[share].store

    @property
    def state(self) -> Store:
        return self._held(None).store

    def _held(self, share: int | None) -> Share:
        """A share that is held; `None`: the lowest, waiting for it if there is none yet.  Raises `Moved` when there is none."""
        deadline = time.monotonic() + _HOLD_SECONDS
        while True:
            with self._away("taking part in the group"):
                self._upkeep()
            if share is None and self._shares:
                return self._shares[min(self._shares)]
            if share is not None and share in self._shares:
                return self._shares[share]
            if share is not None or time.monotonic() > deadline:
                raise Moved(f"{self.name}: another process holds {'this group' if share is None else f'share {share}'} now")
            time.sleep(_UPKEEP_SECONDS)

    @contextmanager
    def _away(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (KafkaError, TimeoutError, OSError) as error:
            raise unavailable(error, f"{self.name}: {doing}") from error

    def _upkeep(self) -> None:
        """Follow the assignment: close what was taken from us, settle what is not settled, open what we were given."""
        now = time.monotonic()
        if now < self._next_upkeep:
            return
        if self._member.broke is not None:
            self._take_part_anew()
        dropped, assigned = self._member.dropped(), self._member.held()
        for index in [index for index in self._shares if index in dropped or index not in assigned]:
            self._close_share(index, "moved")
        for share in list(self._shares.values()):
            if share.attempt is not None and self._settle(share):
                share.hold = next(_holds)  # what was in hand when the answer was lost is done: nobody may do it again
            if share.stale:
                self._close_share(share.index, "stale")
        wanted = sorted(index for index in assigned - set(self._shares) if self._not_before.get(index, 0.0) <= now)
        if wanted:
            self._open(wanted)
        self._next_upkeep = time.monotonic() + _UPKEEP_SECONDS

    def _take_part_anew(self) -> None:
        """A client that broke is replaced, whatever it was: what it held is opened again from the brokers."""
        log.error("member_broke", stage=self.name, reason=f"{type(self._member.broke).__name__}: {self._member.broke}"[:300])
        for index in list(self._shares):
            self._close_share(index, "member_broke")
        self._member.close(_CLOSE_SECONDS)
        self._member = Membership(self._clients, self._names.group(self.name), self._names.state(self.name))

    def _close_share(self, index: int, why: str) -> None:
        share = self._shares.pop(index)
        share.close(_CLOSE_SECONDS)
        self._assign()
        log.info("share_given_up", stage=self.name, share=index, reason=why)

    def _assign(self) -> None:
        if not self._inputs:
            return
        self._reader.assign([self._at(place) for share in self._shares.values() for place in share.handled])

    def _at(self, place: tuple[str, int]) -> Any:
        return TopicPartition(self._names.topic(place[0]), place[1])

    def _places(self, index: int) -> list[tuple[str, int]]:
        if self._count > 1:
            return [(topic, index) for topic in self._inputs]
        return [(topic, partition) for topic, count in self._inputs.items() for partition in range(count)]

    # --- opening a share -----------------------------------------------------------------------------------------------------------

    def _open(self, indexes: Sequence[int]) -> None:
        """Fence the last holder, then read where it stopped and what it remembered: in this order nothing can change meanwhile."""
        opened: list[Share] = []
        try:
            for index in indexes:
                opened.append(Share(index, next(_holds), self._transactor(index), Store()))
            begun = time.monotonic()
            count = self._restore(opened)
            for share in opened:
                self._locate(share)
        except BaseException:
            for share in opened:
                share.close(0.0)
            raise
        for share in opened:
            self._shares[share.index] = share
        self._assign()
        for share in opened:
            for place, offset in share.handled.items():
                self._reader.seek(self._at(place), offset)
        self._next_upkeep = time.monotonic() + _UPKEEP_SECONDS
        for share in opened:
            if not share.known:  # from now on it counts among the readers of its inputs, whatever it has handled
                self.commit(dict(share.handled), [], {}, share.index, share.hold)
        log.info("shares_taken", stage=self.name, shares=list(indexes), state_records=count, seconds=round(time.monotonic() - begun, 2))

    def _transactor(self, index: int) -> Transactor:
        """A new producer of a share, which ends what the last one left open, and what a broker has forgotten to end."""
        transactional_id = self._names.transaction(self.name, index)
        forgotten = self._home.forgotten(transactional_id, TopicPartition(self._names.state(self.name), index))
        transactor = Transactor(self._clients, transactional_id)
        try:
            finish(self._clients, forgotten)
            # once more: the broker may have gone, and forgotten, while the producer was opened
            finish(self._clients, self._home.forgotten(transactional_id, TopicPartition(self._names.state(self.name), index)))
        except BaseException:
            transactor.discard()
            raise
        return transactor

    def _locate(self, share: Share) -> None:
        """Where each input goes on: where its last commit stopped, or, where that is no longer there, at the oldest record, loudly."""
        places = self._places(share.index)
        points = [self._at(place) for place in places]
        if points:
            first = self._reader.beginning_offsets(points, timeout_ms=self._timeout_ms)
            last = self._reader.end_offsets(points, timeout_ms=self._timeout_ms)
        share.known = share.number > 0 and all(place in share.handled for place in places)
        found = share.handled
        share.handled = {}
        for place, tp in zip(places, points, strict=True):
            offset = found.get(place, first[tp])
            if offset < first[tp]:
                self._home.lost(self.name, place[0], first[tp] - offset)
                offset = first[tp]
            elif offset > last[tp]:
                log.error("topic_was_made_anew", stage=self.name, topic=place[0], partition=place[1], committed=offset, end=last[tp])
                offset = first[tp]
            share.handled[place] = share.read_to[place] = offset
            share.waiting[place] = deque()

    @property
    def _timeout_ms(self) -> int:
        return int(self._clients.settings.request_timeout * 1000)

    def _restore(self, shares: Sequence[Share]) -> int:
        """The states as their topic has them, and where their last commits stopped.  Gives the number of records."""
        count = 0
        for share, records in self._state_records(shares):
            count += len(records)
            share.take([(raw.key.decode("utf-8", "backslashreplace"), raw.value) for raw in records])
            share.commit_at = max([share.commit_at, *(raw.offset for raw in records if raw.key == COMMIT_KEY.encode())])
        return count

    def _state_records(self, shares: Sequence[Share]) -> Iterator[tuple[Share, Sequence[Any]]]:
        """What lies in their state topic after `state_end`, which moves to its end: whoever wrote there before has been fenced.

        Raises `TimeoutError` when a transaction stays open there: what it wrote can be neither taken nor left.
        """
        points = {self._state_at(share): share for share in shares}
        reader = self._clients.reader()
        try:
            reader.assign(list(points))
            first = reader.beginning_offsets(list(points), timeout_ms=self._timeout_ms)
            last = self._decided_ends(reader, points)
            for tp, share in points.items():
                reader.seek(tp, max(first[tp], share.state_end))
            progress = time.monotonic()
            left = {tp for tp, share in points.items() if max(first[tp], share.state_end) < last[tp]}
            while left:
                for tp, records in reader.poll(_RESTORE_POLL_MS, max_records=_RESTORE_RECORDS).items():
                    yield points[tp], records
                    progress = time.monotonic()
                left = {tp for tp in left if (reader.position(tp, timeout_ms=self._timeout_ms) or 0) < last[tp]}
                if time.monotonic() - progress > self._clients.settings.request_timeout:
                    raise TimeoutError(f"the state of {self.name} could not be read to its end")
            for tp, share in points.items():
                share.state_end = last[tp]
        finally:
            reader.close(timeout_ms=1000)

    def _decided_ends(self, reader: Any, points: Mapping[Any, Share]) -> dict[Any, int]:
        """The ends of the state partitions, once no transaction is open there."""
        deadline = time.monotonic() + self._clients.settings.request_timeout
        while True:
            last: dict[Any, int] = reader.end_offsets(list(points), timeout_ms=self._timeout_ms)
            if self._home.written_ends(list(points)) == last:
                return last
            if time.monotonic() > deadline:
                raise TimeoutError(f"a transaction stays open in the state of {self.name}")
            time.sleep(_UPKEEP_SECONDS)

    # --- reading -------------------------------------------------------------------------------------------------------------------

    def fetch(self, topics: Sequence[str], limit: int) -> list[Record]:
        """Waits a moment for records that are known to be there, so that what this process wrote is seen at once."""
        with self._away("reading"):
            self._upkeep()
            if self._inputs and self._shares and sum(share.count() for share in self._shares.values()) < limit:
                self._poll(limit)
            found = self._next(set(topics), limit)
            if not found and self._inputs:
                self._note_quiet()
        return found

    def _poll(self, limit: int) -> None:
        deadline = time.monotonic() + _DATA_SECONDS
        while True:
            behind = self._behind()
            try:
                polled = self._reader.poll(_MORE_MS if behind or self._busy else 0, max_records=limit)
            except KafkaError as error:
                if type(error).__name__ != "OffsetOutOfRangeError":
                    raise
                log.error("position_out_of_range", stage=self.name, reason=str(error)[:200])
                for share in self._shares.values():
                    share.stale = True  # opened anew, which says what was lost
                self._next_upkeep = 0.0
                return
            for tp, records in polled.items():
                self._take(tp, records)
            self._busy = bool(polled)
            if polled or not behind or time.monotonic() > deadline:
                return

    def _take(self, tp: Any, records: Sequence[Any]) -> None:
        topic = tp.topic.removeprefix(self._names.base)
        place = (topic, tp.partition)
        share = self._shares[0 if self._count == 1 else tp.partition]
        share.waiting[place].extend((record(raw, topic), raw.key) for raw in records)
        share.read_to[place] = records[-1].offset + 1

    def _behind(self) -> bool:
        return any(self._home.known_end(*place) > read_to for share in self._shares.values() for place, read_to in share.read_to.items())

    def _next(self, topics: set[str], limit: int) -> list[Record]:
        """From the shares in turn, so that a long one does not hold up the others."""
        order = sorted(self._shares)
        self._turn += 1
        for number in range(len(order)):
            found = self._shares[order[(self._turn + number) % len(order)]].head(topics, limit)
            if found:
                return found
        return []

    def _note_quiet(self) -> None:
        """What lies behind the last record (ends of transactions, aborted records) is handled too, else it would be lag for ever."""
        now = time.monotonic()
        if now < self._next_quiet_commit:
            return
        self._next_quiet_commit = now + _QUIET_COMMIT_SECONDS
        for share in list(self._shares.values()):
            if share.count():
                continue
            passed = {}
            for place, handled in share.handled.items():
                position = self._reader.position(self._at(place), timeout_ms=self._timeout_ms)
                if position is not None and position > handled + 1:  # one more is the end of the last transaction: counted as read anyway
                    passed[place] = position
            if passed:
                self.commit(passed, [], {}, share.index, share.hold)

    def position(self, topic: str, partition: int = 0) -> int:
        for share in self._shares.values() or [self._held(None)]:
            if (topic, partition) in share.handled:
                return share.handled[topic, partition]
        with self._away("reading an offset"):
            found = self._member.committed(self._at((topic, partition)))
            return 0 if found is None else int(found.offset)

    def handled(self) -> dict[tuple[str, int], int]:
        """What this process holds and how far it has come.  May be called from any thread."""
        return {place: offset for share in list(self._shares.values()) for place, offset in list(share.handled.items())}

    def lag(self, topic: str) -> int:
        """Too high by the ends of transactions that lie between records, never too low by a record of a transaction."""
        held = self._held(None)
        with self._away("reading an end"):
            places = [place for share in (self._shares.values() or [held]) for place in share.handled if place[0] == topic]
            ends = self._reader.end_offsets([self._at(place) for place in places], timeout_ms=self._timeout_ms)
            return sum(lag_of(ends[self._at(place)], self.position(*place)) for place in places)

    # --- committing ------------------------------------------------------------------------------------------------------------------

    def commit(
        self,
        offsets: Offsets,
        outputs: Sequence[Output],
        writes: Mapping[str, bytes | None],
        share: int | None = None,
        hold: int | None = None,
    ) -> None:
        """See `tumen.bus.Group.commit`.  A commit whose answer is lost is settled here, or, while the brokers are away, before all else."""
        chosen = self._held(share)
        if hold is not None and chosen.hold != hold:
            raise Moved(f"{self.name}: share {chosen.index} was away meanwhile")
        member = self._member.metadata()
        if member is None:
            self._next_upkeep = 0.0
            raise Moved(f"{self.name}: it has left its group and joins it again")
        forward = {place: max(offset, chosen.handled.get(place, 0)) for place, offset in offsets.items()}
        forward = {**chosen.handled, **forward}
        attempt = Attempt(chosen.number + 1, forward, dict(writes))
        try:
            ends = chosen.transactor.commit(self._records(chosen, outputs, attempt), self._offsets(chosen, attempt), member)
        except (KafkaError, TimeoutError, OSError) as error:
            chosen.attempt = attempt
            log.warning("commit_not_answered", stage=self.name, share=chosen.index, reason=f"{type(error).__name__}: {error}"[:300])
            with self._away("settling a commit whose outcome is not known"):
                happened = self._settle(chosen, fenced="Fenced" in f"{type(error).__name__} {error}")
            if not happened:
                soon = 0.0 if type(error).__name__ == "CommitFailedError" else None  # the group was divided anew; else back off
                raise Unavailable(f"Kafka: {self.name}: the commit did not happen ({type(error).__name__})", retry_after=soon) from error
            return
        self._home.wrote(ends)
        chosen.state_end = ends[self._state_at(chosen)]
        chosen.commit_at = chosen.state_end - 1
        self._apply(chosen, attempt)

    def _records(self, share: Share, outputs: Sequence[Output], attempt: Attempt) -> list[Sending]:
        writer = self._names.group(self.name)
        raw_keys = share.raw_keys() if any(output.topic == "dead" for output in outputs) else {}
        state = self._names.state(self.name)
        return [sending(output, self._names, writer, raw_keys) for output in outputs] + [
            Sending(state, key.encode(), value, (), share.index) for key, value in (*attempt.writes.items(), attempt.record())
        ]

    def _offsets(self, share: Share, attempt: Attempt) -> dict[Any, Any]:
        """All of the share's, so that none expires while the others move; and one for the state topic, so that even a commit of a stage
        without input is checked for the right holder."""
        return {
            **offsets_after(attempt.offsets, self._names),
            self._state_at(share): OffsetAndMetadata(share.state_end, str(attempt.number), -1),
        }

    def _state_at(self, share: Share) -> Any:
        return TopicPartition(self._names.state(self.name), share.index)

    def _apply(self, share: Share, attempt: Attempt) -> None:
        try:
            share.apply(attempt)
        except apsw.Error as error:  # the truth is on the broker: read it again
            log.error("local_state_failed", stage=self.name, share=share.index, reason=str(error))
            share.stale = True
            self._next_upkeep = 0.0

    def _settle(self, share: Share, *, fenced: bool = False) -> bool:
        """Find out whether the attempt happened: a new producer with the same id ends the old one's transaction, then the state tells.

        Gives whether it did.  Raises `Moved` if the share is not ours any more, and what kafka raises while that cannot be found out.
        """
        attempt = share.attempt
        assert attempt is not None
        self._next_upkeep = 0.0
        if fenced:  # somebody has taken the share: if the assignment still says that it is ours in a while, we take it back
            self._not_before[share.index] = time.monotonic() + 1.5 * min(3.0, self._clients.settings.session_timeout / 3)
            self._close_share(share.index, "fenced")
            raise Moved(f"{self.name}: another process has taken share {share.index}")
        share.transactor.discard()
        share.transactor = self._transactor(share.index)
        share.state_end = share.commit_at
        found = {0: 0}  # number of a transaction -> where its record lies
        for _, records in self._state_records([share]):
            found.update({commit_number(raw.value): raw.offset for raw in records if raw.key == COMMIT_KEY.encode()})
        number = max(found)
        if share.number not in found and number < attempt.number:
            # a broker forgot the commit before this one, and it was undone with this one: what it did is done again
            share.attempt, share.stale = None, True
            log.error("commit_undone", stage=self.name, share=share.index)
            raise Moved(f"{self.name}: the last commit of share {share.index} was undone by the brokers; its records are handled again")
        if number == attempt.number:
            share.attempt, share.commit_at = None, found[number]
            self._apply(share, attempt)
            log.warning("commit_settled", stage=self.name, share=share.index, happened=True)
            return True
        if number == attempt.number - 1:
            share.attempt = None
            log.warning("commit_settled", stage=self.name, share=share.index, happened=False)
            return False
        share.attempt, share.stale = None, True
        raise Moved(f"{self.name}: another process has worked on share {share.index} meanwhile")

    def close(self) -> None:
        for index in list(self._shares):
            self._shares.pop(index).close(_CLOSE_SECONDS)
        self._member.close(_CLOSE_SECONDS)
        try:
            self._reader.close(autocommit=False, timeout_ms=int(_CLOSE_SECONDS * 1000))
        except (KafkaError, TimeoutError, OSError, RuntimeError) as error:  # it held nothing
            log.debug("kafka_close", stage=self.name, reason=f"{type(error).__name__}: {error}"[:200])
        self._home.left(self)


def lag_of(end: int, handled: int) -> int:
    """Records between: the last place of a topic that is written in transactions is always the end of one."""
    return max(0, end - handled - 1)


__all__ = ["Home", "KafkaGroup", "lag_of"]
