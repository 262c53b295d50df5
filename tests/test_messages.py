"""The contracts: their JSON Schemas are golden files, so that a change of contract shows in the diff (`make golden` writes them anew)."""

import json
import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.alertkit import story
from tumen.codec import NewerSchema, decode, encode
from tumen.messages import MESSAGES, EventType, Item, Message
from tumen.stage import Emit
from tumen.topics import STORIES, TOPICS

GOLDEN = Path(__file__).parent / "golden" / "schemas"


def name_of(model: type[Message]) -> str:
    return str(model.model_fields["schema_"].default).replace("/", "-")


@pytest.mark.parametrize("model", MESSAGES, ids=lambda model: model.__name__)
def test_schema_is_as_agreed(model: type[Message]) -> None:
    file = GOLDEN / f"{name_of(model)}.json"
    now = json.dumps(model.model_json_schema(by_alias=True), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("TUMEN_WRITE_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        file.write_text(now, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == now, f"{model.__name__} changed: if that is meant, run `make golden` and review the diff"


def test_every_topic_carries_a_listed_message_and_every_message_has_a_topic() -> None:
    assert {topic.model for topic in TOPICS.values()} == set(MESSAGES)


@pytest.mark.parametrize("model", MESSAGES, ids=lambda model: model.__name__)
def test_messages_are_frozen_and_strict(model: type[Message]) -> None:
    assert model.model_config["frozen"]
    assert model.model_config["extra"] == "forbid"
    assert re.fullmatch(r"[a-z]+/\d+", model.model_fields["schema_"].default)


def test_an_unknown_key_or_a_naive_time_is_refused() -> None:
    good = {
        "id": "1", "seen_at": "2024-09-13T10:00:00Z", "trace": "1", "article_id": "a", "source": "f", "site": "s", "body": "b",
        "body_type": "text",
    }  # fmt: skip
    assert Item.model_validate(good).schema_ == "item/1"
    for bad in ({"extra": 1}, {"seen_at": "2024-09-13T10:00:00"}, {"published": "13.9.2024"}, {"schema": "article/1"}, {"realm": "test"}):
        with pytest.raises(ValidationError):
            Item.model_validate(good | bad)


def test_the_list_of_events_is_closed() -> None:
    assert len(EventType) == 16


def test_a_story_of_the_version_before_is_read_and_one_of_the_next_is_waited_for() -> None:
    written = json.loads(encode(Emit(STORIES, story())).value)
    assert written["schema"] == "story/2"
    before = {**written, "schema": "story/1"}
    before["mentions"] = [{key: value for key, value in one.items() if key not in ("plover", "msmt")} for one in written["mentions"]]
    assert decode(STORIES, json.dumps(before).encode()) == story()
    with pytest.raises(NewerSchema):
        decode(STORIES, json.dumps({**written, "schema": "story/3"}).encode())
