"""Records as they lie on the brokers.

A message is JSON with a CloudEvents envelope in its headers.  A dead letter is the *original* record, key and bytes untouched, with what
went wrong in headers ``__tumen.errors.*``: any Kafka tool can put it back.  Inside Tumen it is a `DeadLetter` again.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from tumen.bus import Output, Record
from tumen.bus_kafka.clients import Names, Sending
from tumen.topics import DEAD

_ERRORS = "__tumen.errors."
_NUMBERS = ("partition", "offset", "attempts")
_FIELDS = ("id", "seen_at", "trace", "realm", "stage", "topic", "kind", "exception", "message", "failed_at", *_NUMBERS)


def key_text(key: bytes | None) -> str:
    """A key as text.  One that is not UTF-8 was not written by Tumen; it is shown with its bytes escaped."""
    return (key or b"").decode("utf-8", "backslashreplace")


def raw_text(key: bytes) -> str:
    """Any bytes as a key that `sending` gives back as they were."""
    return key.decode("utf-8", "surrogateescape")


def sending(output: Output, names: Names, writer: str, raw_keys: Mapping[tuple[str, int, int], bytes | None]) -> Sending:
    """The record of an output.  `raw_keys`: the keys as they lie on the broker, of the records that are being handled."""
    if output.topic == DEAD.name:
        return _dead(output, names, raw_keys)
    headers = [(name, value.encode()) for name, value in output.headers]
    if headers:
        headers.append(("ce_source", f"/{writer}".encode()))
    return Sending(names.topic(output.topic), output.key.encode("utf-8", "surrogateescape"), output.value, tuple(headers))


def _dead(output: Output, names: Names, raw_keys: Mapping[tuple[str, int, int], bytes | None]) -> Sending:
    letter = json.loads(output.value)
    at = (letter["topic"], letter["partition"], letter["offset"])
    # on the wire it is Kafka's own offset, as every other tool shows it; -1 where the letter is of no record (a sink's row)
    fields = {**letter, "offset": letter["offset"] - 1}
    headers = tuple((_ERRORS + name, str(fields[name]).encode()) for name in _FIELDS)
    return Sending(names.topic(DEAD.name), raw_keys.get(at, output.key.encode()), base64.b64decode(letter["value"]), headers)


def record(raw: Any, topic: str) -> Record:
    """A consumer's record as Tumen's."""
    value = raw.value or b""
    if topic == DEAD.name:
        value = _letter(raw) or value
    return Record(topic, raw.offset + 1, key_text(raw.key), value, raw.timestamp / 1000, raw.partition)


def _letter(raw: Any) -> bytes | None:
    """The `DeadLetter` of a record, or None if it is somebody else's: then it is shown as it is."""
    headers = {
        name.removeprefix(_ERRORS): (value or b"").decode("utf-8", "replace") for name, value in raw.headers if name.startswith(_ERRORS)
    }
    if not all(name in headers for name in _FIELDS):
        return None
    fields: dict[str, Any] = {name: headers[name] for name in _FIELDS}
    try:
        fields.update({name: int(headers[name]) for name in _NUMBERS})
    except ValueError:
        return None
    fields["offset"] += 1
    if raw_text(raw.key or b"") != key_text(raw.key):
        fields["raw_key"] = base64.b64encode(raw.key).decode("ascii")
    value = base64.b64encode(raw.value or b"").decode("ascii")
    return json.dumps({"schema": DEAD.model.model_fields["schema_"].default, **fields, "key": key_text(raw.key), "value": value}).encode()
