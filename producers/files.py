"""Files: articles that are on this machine already (backfill), and the reader behind ``tumen analyze``.

As a producer it looks at `files` of tumen.toml now and then (a folder's readable files, recursively) and reads each file once, and again
if its bytes change: of a .jsonl that has only grown, the new lines.  How far it has come is committed with the items, so a crash repeats
a read and never an item.
"""

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from producers._articles import LARGEST, SUFFIXES, Kind, Reason, Unreadable, Where, items_of, kind_of, line_item
from producers._encoding import looks_binary
from tumen.ids import digest
from tumen.messages import Frozen, Item
from tumen.settings import Settings
from tumen.stage import Drop, Emit, Job, Kit, Out, ProducerSpec
from tumen.state import State, Table
from tumen.topics import ITEMS

log = structlog.get_logger(__name__)

REASONS: tuple[Reason | Literal["over_cap"], ...] = (
    "missing",
    "unreadable",
    "empty",
    "binary",
    "encoding",
    "too_large",
    "not_a_feed",
    "unparsable",
    "no_article",
    "bad_line",
    "over_cap",
)
SPEC = ProducerSpec(writes=(ITEMS,), reasons=REASONS, workers=2)

_MOST_FILES = 50_000
_MOST_JOBS = 20
_MOST_COMPLAINTS = 20
_HEAD = 4_096
_BATCH_BYTES = 4_000_000
_MOST_TOLD = 5_000


class Config(BaseModel):
    """`every`: seconds between two looks at the files.  `batch`: lines of .jsonl in one commit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: int = Field(default=60, ge=1)
    batch: int = Field(default=200, ge=1)


# --- reading ------------------------------------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """One line of a .jsonl: its number, its item or what is wrong with it, and the bytes read up to its end."""

    number: int
    item: Item | None
    error: Unreadable | None
    end: int
    ended: bool


def read_path(path: str, stdin: BinaryIO, seen_at: datetime) -> tuple[list[Item], list[str]]:
    """The items of one input ("-" is `stdin`), in order, and a line for each part of it that could not be read, beginning with its name.

    Never raises for what an input is or holds.
    """
    shown = "stdin" if path == "-" else _printable(path)
    try:
        if path == "-":
            return _read_stream(io.BufferedReader(_Raw(stdin)), Where("-", "-", seen_at), shown)
        with _opened(Path(path)) as file:
            return _read_stream(file, _where(Path(path), seen_at), shown)
    except Unreadable as error:
        return [], [f"{shown}: {error}"]
    except OSError as error:
        return [], [f"{shown}: cannot be read ({_why(error)})"]


def _read_stream(file: io.BufferedReader, where: Where, shown: str) -> tuple[list[Item], list[str]]:
    head = file.peek(_HEAD)[:_HEAD]
    kind = kind_of(where.name, head)
    if kind != "jsonl":
        return items_of(kind, _bounded(file), where), []
    _check_head(head)
    items, complaints, wrong = [], [], 0
    for taken in _lines(file, where):
        if taken.item is not None:
            items.append(taken.item)
        elif taken.error is not None:
            wrong += 1
            if wrong <= _MOST_COMPLAINTS:
                complaints.append(f"{shown}:{taken.number}: {taken.error}")
    if wrong > _MOST_COMPLAINTS:
        complaints.append(f"{shown}: {wrong - _MOST_COMPLAINTS} more lines that could not be read")
    if not items and not complaints:
        raise Unreadable("empty", "empty, expected lines of JSON")
    return items, complaints


def _lines(file: BinaryIO, where: Where, number: int = 0, offset: int = 0) -> Iterator[Taken]:
    """The lines from where `file` stands: line `number` + 1, byte `offset`.  Blank ones give neither item nor error."""
    while line := file.readline(LARGEST + 1):
        number, offset = number + 1, offset + len(line)
        ended, large = line.endswith(b"\n"), len(line) > LARGEST
        while large and line and not line.endswith(b"\n"):
            line = file.readline(LARGEST)
            offset, ended = offset + len(line), line.endswith(b"\n")
        item, error = None, None
        try:
            if large:
                raise Unreadable("too_large", f"a line of more than {LARGEST // 1_000_000} MB")
            item = line_item(line, where) if line.strip() else None
        except Unreadable as found:
            error = found
        yield Taken(number, item, error, offset, ended)


def _opened(path: Path) -> io.BufferedReader:
    """A regular file, open to be read.  Raises `Unreadable`."""
    try:
        # a pipe or a device is never opened to wait for: without O_NONBLOCK opening a named pipe hangs until somebody writes
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Unreadable("missing", "no such file") from None
    except (OSError, ValueError) as error:
        raise Unreadable("unreadable", f"cannot be opened ({_why(error)})") from None
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return open(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise Unreadable("unreadable", "is a folder: name the files in it")
    raise Unreadable("unreadable", "is no regular file: pipe it in as -")


def _bounded(file: BinaryIO) -> bytes:
    """The whole of a file.  Raises `Unreadable` where that is more than an article can be."""
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Unreadable("too_large", f"more than {LARGEST // 1_000_000} MB, too large for one article or feed")
    return data


def _check_head(head: bytes) -> None:
    if not head:
        raise Unreadable("empty", "empty, expected lines of JSON")
    if looks_binary(head):
        raise Unreadable("binary", "binary, expected lines of JSON")


class _Raw(io.RawIOBase):
    """A stream that only reads, as a raw one, so that it can be buffered here and looked into before it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int] | bytearray") -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _where(path: Path, seen_at: datetime) -> Where:
    return Where(path.name, path.absolute().parent.name, seen_at)


def _why(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__


def _printable(name: str) -> str:
    """A name on one line, whatever is in it."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)


# --- the producer -------------------------------------------------------------------------------------------------------------------


class RootState(Frozen):
    """One of `files`: when to look again, and what was wrong with it."""

    next_look: AwareDatetime
    reason: str | None = None


class FileState(Frozen):
    """How far a file has been read: `offset` bytes and `line` lines, whose digest is `read`.  `stamp`: its size and times then.

    `told`: of a feed, the ids of the items it gave, so that a changed one gives only what is new.
    """

    stamp: str = ""
    offset: int = 0
    line: int = 0
    read: str = ""
    told: tuple[str, ...] = ()
    reason: str | None = None


class Look(Frozen):
    """A job: which files are there under `root`, and what their stamps are."""

    root: str


class Seen(Frozen):
    """What a look found: (path, stamp).  `reason` and `message` when the root itself cannot be read."""

    files: tuple[tuple[str, str], ...] = ()
    left_out: int = 0
    reason: Reason | None = None
    message: str = ""


class Read(Frozen):
    """A job: read on from where `known` says, at most `batch` lines."""

    path: str
    known: FileState
    seen_at: AwareDatetime


class Given(Frozen):
    """What a read gave.  `more`: the file goes on.  `wrong`: what could not be read, reason and message."""

    state: FileState
    items: tuple[Item, ...] = ()
    more: bool = False
    wrong: tuple[tuple[Reason, str], ...] = ()


class Files:
    """The gateway: a job for each root whose time has come, and for each file that has something new."""

    def __init__(self, settings: Settings, config: Config) -> None:
        self._roots = tuple(str(path) for path in settings.files)
        self._realm = settings.realm
        self._config = config

    def accept(self, message: object, state: State) -> Iterable[Out]:
        return ()

    def due(self, state: State, now: datetime) -> Sequence[Job]:
        roots, files = Table(state, "root/", RootState), Table(state, "file/", FileState)
        every = timedelta(seconds=self._config.every)
        jobs = []
        for root in self._roots:
            known = roots.get(root)
            # a time far ahead was set by a clock that has since been put back
            if known is None or not now < known.next_look <= now + 2 * every:
                moment = known.next_look.timestamp() if known else 0
                jobs.append(_job(f"look-{moment:.0f}", root, Look(root=root)))
        for key, _ in state.scan("todo/", limit=_MOST_JOBS):
            path = key.removeprefix("todo/")
            known_file = files.get(path) or FileState()
            jobs.append(_job(f"read-{known_file.stamp}-{known_file.offset}", path, Read(path=path, known=known_file, seen_at=now)))
        return jobs

    def perform(self, job: Job) -> bytes:
        if job.id.startswith("look-"):
            return look(Look.model_validate_json(job.payload)).model_dump_json().encode()
        asked = Read.model_validate_json(job.payload)
        return read(asked, self._config.batch, self._realm).model_dump_json(by_alias=True).encode()

    def finish(self, job: Job, result: bytes, state: State, now: datetime) -> Iterable[Out]:
        if job.id.startswith("look-"):
            return self._looked(Look.model_validate_json(job.payload).root, Seen.model_validate_json(result), state, now)
        return self._read(Read.model_validate_json(job.payload).path, Given.model_validate_json(result), state)

    def _looked(self, root: str, seen: Seen, state: State, now: datetime) -> Iterable[Out]:
        roots, files = Table(state, "root/", RootState), Table(state, "file/", FileState)
        before = roots.get(root)
        roots.put(root, RootState(next_look=now + timedelta(seconds=self._config.every), reason=seen.reason))
        for path, stamp in seen.files:
            known = files.get(path)
            if known is None or known.stamp != stamp:
                state.put(f"todo/{path}", b"")
        if seen.reason is not None and (before is None or before.reason != seen.reason):
            log.warning("files_unreadable", files=root, reason=seen.reason, message=seen.message)
            return [Drop(seen.reason, seen.message)]
        return [Drop("over_cap", f"{seen.left_out} files beyond {_MOST_FILES}")] if seen.left_out else []

    def _read(self, path: str, given: Given, state: State) -> Iterable[Out]:
        Table(state, "file/", FileState).put(path, given.state)
        if not given.more:
            state.delete(f"todo/{path}")
        for reason, message in given.wrong[:_MOST_COMPLAINTS]:
            log.warning("file_unreadable", file=path, reason=reason, message=message)
        return [*(Emit(ITEMS, item) for item in given.items), *(Drop(reason, message) for reason, message in given.wrong)]


def build(config: Config, kit: Kit) -> Files:
    return Files(kit.settings, config)


def look(asked: Look) -> Seen:
    """The files of a root, by name, and their stamps; of a folder those whose name says that they can be read."""
    root = Path(asked.root)
    try:
        if not root.is_dir():
            return Seen(files=((asked.root, _stamp(root.stat())),))
        found = sorted(path for path in _walk(root) if path.suffix.lower() in SUFFIXES)
    except FileNotFoundError:
        return Seen(reason="missing", message="no such file or folder")
    except OSError as error:
        return Seen(reason="unreadable", message=_why(error))
    stamped = []
    for path in found[:_MOST_FILES]:
        try:
            stamped.append((str(path), _stamp(path.stat())))
        except OSError:
            continue  # gone since it was listed: the next look will tell
    return Seen(files=tuple(stamped), left_out=max(0, len(found) - _MOST_FILES))


def read(asked: Read, batch: int, realm: Literal["live", "sample"]) -> Given:
    """One batch of a file, from where it was left; from its beginning if what was read of it has changed."""
    path, known = Path(asked.path), asked.known
    where = _where(path, asked.seen_at)._replace(realm=realm, backlog=True)
    try:
        with _opened(path) as file:
            stamp = _stamp(os.fstat(file.fileno()))
            head = file.peek(_HEAD)[:_HEAD]
            kind = kind_of(path.name, head)
            if kind == "jsonl":
                _check_head(head)
                return _read_lines(file, known, stamp, where, batch)
            return _read_whole(kind, _bounded(file), known, stamp, where)
    except (Unreadable, OSError) as found:
        error = found if isinstance(found, Unreadable) else Unreadable("unreadable", f"cannot be read ({_why(found)})")
        # what may be mended without the file changing (rights, a disk that is away) is tried again at each look
        kept = "" if error.reason in ("unreadable", "missing") else stamp
        wrong = () if known.reason == error.reason and kept == known.stamp else ((error.reason, str(error)),)
        return Given(state=known.model_copy(update={"stamp": kept, "reason": error.reason}), wrong=wrong)


def _read_whole(kind: Kind, data: bytes, known: FileState, stamp: str, where: Where) -> Given:
    identity = digest(data)
    if identity == known.read:
        return Given(state=known.model_copy(update={"stamp": stamp}))
    items = items_of(kind, data, where)
    told = frozenset(known.told)
    fresh = tuple(item for item in items if item.id not in told)
    kept = tuple(item.id for item in items)[:_MOST_TOLD]
    return Given(state=FileState(stamp=stamp, offset=len(data), read=identity, told=kept), items=fresh)


def _read_lines(file: BinaryIO, known: FileState, stamp: str, where: Where, batch: int) -> Given:
    """The next lines.  Exact, at the price of reading again what was read: a changed byte anywhere in it starts the file anew."""
    running = hashlib.blake2b(digest_size=12)
    if known.offset and _digest_to(file, known.offset, running.update) and running.hexdigest() == known.read:
        offset, number = known.offset, known.line
    else:
        running = hashlib.blake2b(digest_size=12)
        offset, number = 0, 0
    file.seek(offset)
    items, wrong, begun = [], [], offset
    more, end = False, offset
    for taken in _lines(file, where, number, offset):
        if taken.error is not None:
            wrong.append((taken.error.reason, f"line {taken.number}: {taken.error}"))
            if not taken.ended:
                break  # the last line, not whole: perhaps still being written, so it is read again when the file changes
        elif taken.item is not None:
            items.append(taken.item)
        end, number = taken.end, taken.number
        if len(items) + len(wrong) >= batch or end - begun >= _BATCH_BYTES:
            more = True
            break
    file.seek(offset)
    _digest_to(file, end - offset, running.update)
    state = FileState(stamp=stamp, offset=end, line=number, read=running.hexdigest())
    return Given(state=state, items=tuple(items), more=more, wrong=tuple(wrong))


def _digest_to(file: BinaryIO, count: int, update: Callable[[bytes], object]) -> bool:
    """Whether the next `count` bytes were all there."""
    while count > 0:
        chunk = file.read(min(count, 1 << 20))
        if not chunk:
            return False
        update(chunk)
        count -= len(chunk)
    return True


def _walk(root: Path) -> Iterator[Path]:
    """The regular files below a folder; hidden ones and links to folders are left alone."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}"


def _job(name: str, lane: str, payload: Frozen) -> Job:
    return Job(f"{name}-{digest(lane)}", lane, payload.model_dump_json().encode())
