"""Who says it in Korean, Japanese and Chinese, where word order tells; a name inside what is said is no speaker."""

import pytest

from processors.tag.claims import voice_of
from processors.tag.reading import Reader
from tumen.settings import ROOT
from tumen.watch import load_watch

WATCH = load_watch(ROOT / "watches" / "russia-dprk")
READER = Reader(WATCH, ("ko", "ja", "zh"))


def said(language: str, text: str) -> str | None:
    reading = READER.read("", text, language, None)
    assert len(reading.sents) == 1
    source = voice_of(reading, 0)
    return reading.sents[0].text[source.start : source.end] if source else None


@pytest.mark.parametrize(
    ("text", "speaker"),
    [
        # the topic of the sentence, however many names stand between it and its verb
        ("한국 국방부는 북한이 러시아에 포탄을 더 실어 보냈다고 밝혔다.", "한국 국방부"),
        ("백악관은 평양이 우크라이나 전선에 병력을 보낸 데 대해 러시아가 침묵한다고 지적했다.", "백악관"),
        ("마리아 자하로바 대변인은 서울이 러시아와 북한의 협력을 왜곡한다고 비판했다.", "마리아 자하로바 대변인"),
        ("그는 러시아 당국이 북한 노동자를 다시 받아들일 것이라고 말했다.", "그"),
        # after what is said
        ("북한군이 러시아 서부에 도착했다고 우크라이나 국방부가 밝혔다.", "우크라이나 국방부"),
        ("“탄약은 모두 북한에서 왔다”고 홍길수 연구위원은 설명했다.", "홍길수 연구위원"),
        # according to
        ("일본 외무성에 따르면 북한은 러시아에 미사일을 넘겼다.", "일본 외무성"),
        ("러시아 통계로는 올해 북한인 삼백 명이 입국했다.", "러시아 통계"),
        # an office that no list knows
        ("원산시 관광국장은 러시아 손님이 두 배로 늘었다고 자랑하며 말했다.", "원산시 관광국장"),
        ("항만 신문에 따르면 러시아 배가 나진에 들어왔다.", "항만 신문"),
        ("북한이 러시아에 병력을 더 보낸다는 것이 군 당국의 판단이다.", "군 당국"),
        # nobody: a passive is no one's word
        ("북한이 러시아에서 위성 기술을 받았다는 의혹이 제기됐다.", None),
        ("러시아로 간 북한 선박이 석유를 실은 것으로 보인다.", None),
    ],
)
def test_korean(text: str, speaker: str | None) -> None:
    assert said("ko", text) == speaker


@pytest.mark.parametrize(
    ("text", "speaker"),
    [
        ("韓国国防省は、北朝鮮がロシアに砲弾を送ったと発表した。", "韓国国防省"),
        ("ペスコフ報道官は平壌への新しい直行便について米国の制裁に当たらないと述べた。", "ペスコフ報道官"),
        ("北朝鮮の部隊がロシア西部に着いたと、ウクライナ国防省が明らかにした。", "ウクライナ国防省"),
        ("ロシアメディアによりますと、北朝鮮の労働者がモスクワに到着しました。", "ロシアメディア"),
        ("外務省によれば、ロシアは北朝鮮に石油を渡した。", "外務省"),
        ("専門家の間では、ロシアが北朝鮮に技術を渡したとの見方が出ている。", "専門家"),
        ("朝鮮中央通信は、プーチン大統領が金正恩総書記に祝電を送ったと伝えた。", "朝鮮中央通信"),
        ("北朝鮮側はロシアへの武器の売却を否定しています。", "北朝鮮側"),
        ("ロシアが北朝鮮に衛星の技術を渡したとみられている。", None),
        ("モスクワが平壌への送金路になると懸念されている。", None),
    ],
)
def test_japanese(text: str, speaker: str | None) -> None:
    assert said("ja", text) == speaker


@pytest.mark.parametrize(
    ("text", "speaker"),
    [
        ("据韩联社报道，朝鲜向俄罗斯运送了更多炮弹。", "韩联社"),
        ("韩国国防部称，朝鲜士兵已抵达俄罗斯西部。", "韩国国防部"),
        ("国情院指出，普京会见金正恩时表态支持朝方研制卫星。", "国情院"),
        ("俄羅斯外交部發言人表示，平壤從未向莫斯科出售武器。", "俄羅斯外交部發言人"),
        ("平壤方面一直不承认向莫斯科供应武器。", "平壤方面"),
        ("朝鲜士兵已抵达俄罗斯，乌克兰国防部证实。", "乌克兰国防部"),
        ("佩斯科夫5日对记者说，金正恩访问俄罗斯的日期尚未确定。", "佩斯科夫"),
        ("他说，平壤希望从莫斯科得到战斗机。", "他"),
        ("俄罗斯大使接受采访时回顾两国关系，认为朝鲜会继续派兵。", "俄罗斯大使"),
        ("其中两名工人回忆，他们乘火车从平壤到俄罗斯远东。", "两名工人"),
        ("朝鲜工人分乘三列火车抵达海参崴。", None),
        ("就在他表态前一天，朝鲜外相动身前往俄罗斯访问。", None),
    ],
)
def test_chinese(text: str, speaker: str | None) -> None:
    assert said("zh", text) == speaker
