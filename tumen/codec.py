"""Messages to bytes and back.

An older version of a schema is upcast by pure functions; a newer one pauses the input and says so, because during a rolling upgrade the
dead letters would fill with records that the next process can read.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from tumen.bus import Output
from tumen.envelope import envelope
from tumen.errors import Reject, Unavailable
from tumen.messages import Message
from tumen.stage import Emit
from tumen.topics import Topic

M = TypeVar("M", bound=Message)
Upcast = Callable[[dict[str, Any]], dict[str, Any]]


def _as_it_is(tree: dict[str, Any]) -> dict[str, Any]:
    """A version that only added keys: the older one says nothing of them."""
    return tree


#: "item/1" -> the function that makes an "item/2" of it.  An added key is a new version too: an older process refuses a key that it does
#: not know, and is to wait rather than to fill the dead letters.
UPCASTS: Mapping[str, Upcast] = {
    "tagged/1": _as_it_is,  # tagged/2: a mention's `plover`, `msmt` and `speaker`, a quantity's `thing`
    "story/1": _as_it_is,  # story/2: the same
}


class Undecodable(Reject):
    """The bytes are not a message of the topic's model."""


class NewerSchema(Unavailable):
    """Written by a newer Tumen: wait for the upgrade."""


def encode(emit: Emit[Any]) -> Output:
    """The record of an output.  Raises `TypeError` when the message is not of the topic's model: a mis-wired node."""
    topic, message = emit.topic, emit.message
    if type(message) is not topic.model:
        raise TypeError(f"topic {topic.name} takes {topic.model.__name__}, got {type(message).__name__}")
    return Output(topic.name, topic.key(message), message.model_dump_json(by_alias=True).encode(), envelope(message))


def decode(topic: Topic[M], value: bytes, upcasts: Mapping[str, Upcast] = UPCASTS) -> M:
    """The message in a record's bytes.  Raises `Undecodable` and `NewerSchema`."""
    try:
        return topic.model.model_validate_json(value)
    except ValidationError as error:
        finding = error.errors(include_url=False, include_input=False)[0]
        reason = f"{'.'.join(map(str, finding['loc']))}: {finding['msg']}"
    tree = _upcast(topic.model, value, upcasts)
    if tree is None:
        raise Undecodable(f"not a {topic.model.__name__}: {reason}")
    try:
        return topic.model.model_validate(tree)
    except ValidationError as error:
        raise Undecodable(f"not a {topic.model.__name__} after upcasting: {error.error_count()} findings") from None


def _upcast(model: type[Message], value: bytes, upcasts: Mapping[str, Upcast]) -> dict[str, Any] | None:
    """The value as the model's own version, or None if it is none of its versions.  Raises `NewerSchema`."""
    try:
        tree = json.loads(value)
    except ValueError:
        return None
    found = re.fullmatch(r"([a-z]+)/(\d+)", str(tree.get("schema"))) if isinstance(tree, dict) else None
    own_name, own_version = str(model.model_fields["schema_"].default).split("/")
    if not found or found[1] != own_name:
        return None
    if int(found[2]) > int(own_version):
        raise NewerSchema(f"schema {found[0]} is newer than this Tumen knows ({own_name}/{own_version}): upgrade this process")
    if int(found[2]) == int(own_version):
        return None
    for version in range(int(found[2]), int(own_version)):
        step = upcasts.get(f"{own_name}/{version}")
        if step is None:
            return None
        tree = {**step(tree), "schema": f"{own_name}/{version + 1}"}
    return dict(tree)
