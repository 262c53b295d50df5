"""The topology: the shipped one is sound, and what is wrong in another is said, all at once."""

from pathlib import Path

import pytest

from tumen.errors import ConfigError
from tumen.pipeline import graph_json, graph_text, load_topology

GOOD_NODE = '[[node]]\nname = "ticker"\nmodule = "tumen.ticker"\n'


def topology_file(folder: Path, text: str) -> Path:
    path = folder / "pipeline.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_topology_is_sound() -> None:
    topology = load_topology()
    assert {"feeds", "screen", "clean", "dedupe", "translate", "tag", "stories", "archive"} <= {node.name for node in topology.nodes}
    assert ("screen", "candidates", "clean") in set(topology.edges())
    assert "screen" in graph_text(topology)
    assert graph_json(topology)["edges"]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("[stage]\n", "stage: unknown table"),
        ('[[node]]\nname = "Bad Name"\nmodule = "tumen.ticker"\n', "name = 'Bad Name'"),
        ('[[node]]\nname = "x"\nmodule = "tumen.nowhere"\n', "No module named 'tumen.nowhere'"),
        ('[[node]]\nname = "x"\nmodule = "tumen.ids"\n', "lacks SPEC, Config, build"),
        (GOOD_NODE + "config = { pace = 3 }\n", "pace = 3"),
        (GOOD_NODE + GOOD_NODE, "node ticker: named twice"),
        ('[[node]]\nname = "screen"\nmodule = "processors.screen"\n', "topic items: nobody writes it"),
        ('[[node]]\nname = "screen"\nmodule = "processors.screen"\n', "topic candidates: nobody reads it"),
        ("[[node\n", "pipeline.toml: "),
    ],
)
def test_a_wrong_topology_is_refused(tmp_path: Path, text: str, finding: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_topology(topology_file(tmp_path, text))
    assert any(finding in line for line in error.value.findings), error.value.findings


def test_a_cycle_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, reads, writes in (("ring_one", "ITEMS", "CANDIDATES"), ("ring_two", "CANDIDATES", "ITEMS")):
        (tmp_path / f"{name}.py").write_text(
            f"from tumen.messages import Frozen\nfrom tumen.stage import StageSpec\nfrom tumen.topics import CANDIDATES, ITEMS\n"
            f"SPEC = StageSpec(reads=({reads},), writes=({writes},))\nclass Config(Frozen): ...\ndef build(config, kit): ...\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "".join(f'[[node]]\nname = "{name}"\nmodule = "{name}"\n' for name in ("ring_one", "ring_two"))
    with pytest.raises(ConfigError, match="a cycle: ring_one -> ring_two -> ring_one"):
        load_topology(topology_file(tmp_path, text))
