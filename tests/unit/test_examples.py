"""What this repository shows its users can be used."""

from __future__ import annotations

from pathlib import Path

import yaml

from orch.inventory.fleet import read_fleet
from orch.stackfile.compose import read_stack

ROOT = Path(__file__).parents[2]


def test_the_example_inventory_is_a_fleet() -> None:
    fleet = read_fleet([ROOT / "inventory.yml"])
    assert fleet.cluster == "prod"
    assert [h.name for h in fleet.select("web")] == ["web01.example.com", "web02.example.com", "web03.example.com"]
    assert {h.node.labels["tier"] for h in fleet.select("db")} == {"db"}


def test_the_example_stack_has_two_services_and_six_replicas() -> None:
    stack = read_stack([ROOT / "examples/hello/compose.yml"], name=None, variables={}).spec
    assert [(s.name, s.replicas) for s in stack.services] == [("cache", 3), ("web", 3)]


def test_the_readmes_inventory_and_stack_can_be_read(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    inventory, stack = tmp_path / "inventory.yml", tmp_path / "compose.yml"
    inventory.write_text(_block(text, "       all:\n"))
    stack.write_text(_block(text, "       name: shop\n"))
    assert len(read_fleet([inventory]).hosts) == 3
    assert read_stack([stack], name=None, variables={}).spec.services[0].replicas == 4


def test_playbooks_are_lists_of_plays() -> None:
    for path in (ROOT / "playbooks").glob("*.yml"):
        plays = yaml.safe_load(path.read_text())
        assert [sorted(p) for p in plays] == [["become", "hosts", "name", "tasks", "vars"]], path


def _block(text: str, first: str) -> str:
    """The block that begins with the line `first` and ends with an empty one, without its indent."""
    indent = first[: len(first) - len(first.lstrip())]
    lines = text[text.index(first) :].splitlines(keepends=True)
    kept = []
    for line in lines:
        if not line.strip():
            break
        kept.append(line.removeprefix(indent))
    return "".join(kept)
