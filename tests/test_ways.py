"""Whence and whither in particles: one that begins like another is read whole."""

import pytest

from processors.tag.claims import _ways
from processors.tag.reading import Reader
from tumen.settings import ROOT
from tumen.watch import load_watch

READER = Reader(load_watch(ROOT / "watches" / "russia-dprk"), ("ko", "ja", "en"))


@pytest.mark.parametrize(
    ("language", "text", "ways"),
    [
        ("ko", "포탄이 러시아에 도착했다.", ("to russia",)),
        ("ko", "밀가루가 러시아에서 도착했다.", ("from russia",)),
        ("ko", "포탄이 북한에서 러시아로 갔다.", ("to russia", "from dprk")),
        ("ko", "북한은 러시아로부터 원유를 받았다.", ("from russia",)),
        ("ja", "砲弾が北朝鮮からロシアへ運ばれた。", ("to russia", "from dprk")),
        ("en", "Shells went from North Korea to Russia.", ("to russia", "from dprk")),
    ],
)
def test_whence_and_whither(language: str, text: str, ways: tuple[str, ...]) -> None:
    names = ("to russia", "to dprk", "from russia", "from dprk")
    (sent,) = READER.read("", text, language, None).sents
    assert tuple(name for name, found in zip(names, _ways(sent, language), strict=False) if found) == ways
