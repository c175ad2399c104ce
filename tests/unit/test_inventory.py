"""The fleet's files: groups, precedence, what is ours, how hosts are reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orch.errors import InputError, UsageError
from orch.inventory.fleet import Fleet, Inventory, build_fleet, read_fleet
from orch.inventory.groups import Tree
from orch.inventory.hosts import Host
from orch.inventory.login import Login
from orch.inventory.sources import Layers
from orch.inventory.variables import Variables
from orch.located import parse_located
from orch.model.node import NodeSpec
from orch.model.resources import Resources

FOLDER = Path("/fleet")


def fleet(*texts: str) -> Fleet:
    documents = [parse_located(text, f"{'abc'[index]}.yml") for index, text in enumerate(texts)]
    return build_fleet(documents, FOLDER)


def variables(text: str, host: str = "w1") -> Variables:
    tree = Tree()
    tree.add_file(parse_located(text, "a.yml"))
    return Inventory(tree, Layers(), FOLDER, "a.yml", {}).templates.variables[host]


def user_of(text: str, host: str = "w1") -> str:
    return next(h.login.user for h in fleet(text).hosts if h.name == host)


def names(hosts: list[Host]) -> list[str]:
    return [h.name for h in hosts]


def test_a_host_needs_no_more_than_a_name() -> None:
    found = fleet("all:\n  hosts:\n    w1:\n")

    assert found == Fleet(
        "default",
        (Host("w1", Login("w1"), NodeSpec("w1", "w1"), "a.yml:3"),),
        {"all": ["w1"], "ungrouped": ["w1"]},
        "a.yml",
    )


def test_hosts_keep_the_order_of_the_files() -> None:
    found = fleet("b: {hosts: {'z[1:2]': , a: }}", "a: {hosts: {m: , a: }}")

    assert names(list(found.hosts)) == ["z1", "z2", "a", "m"]
    assert found.source == "a.yml, b.yml"


def test_a_group_has_the_hosts_of_its_children() -> None:
    text = "prod: {children: {web: {hosts: {w1: , w2: }}, db: }}\ndb: {hosts: {d1: }}\nalone: {hosts: {x: }}\n"

    assert fleet(text).groups == {
        "all": ["w1", "w2", "d1", "x"],
        "alone": ["x"],
        "db": ["d1"],
        "prod": ["w1", "w2", "d1"],
        "ungrouped": [],
        "web": ["w1", "w2"],
    }


def test_a_group_written_in_two_places_is_one_group() -> None:
    found = fleet("web: {hosts: {w1: }, vars: {ansible_user: a}}", "web: {hosts: {w2: }, vars: {ansible_port: 9}}")

    assert found.groups["web"] == ["w1", "w2"]
    assert [(h.login.user, h.login.port) for h in found.hosts] == [("a", 9), ("a", 9)]


def test_a_range_gives_its_variables_to_every_host() -> None:
    found = fleet("all: {hosts: {'w[08:10]': {ansible_user: u}}}")

    assert [(h.name, h.login.user, h.place) for h in found.hosts] == [
        ("w08", "u", "a.yml:1"),
        ("w09", "u", "a.yml:1"),
        ("w10", "u", "a.yml:1"),
    ]


def test_nearer_wins_over_farther() -> None:
    everyone = "all: {vars: {ansible_user: of_all}}\n"
    parent = "prod: {children: {web: }, vars: {ansible_user: of_parent}}\n"
    child = "web: {hosts: {w1: }, vars: {ansible_user: of_child}}\n"
    host = "more: {hosts: {w1: {ansible_user: of_host}}}\n"

    assert user_of(everyone + "web: {hosts: {w1: }}") == "of_all"
    assert user_of(everyone + parent + "web: {hosts: {w1: }}") == "of_parent"
    assert user_of(child + parent + everyone) == "of_child"
    assert user_of(host + child + parent + everyone) == "of_host"


def test_on_one_level_the_later_name_wins() -> None:
    assert user_of("b: {hosts: {w1: }, vars: {ansible_user: b}}\na: {hosts: {w1: }, vars: {ansible_user: a}}") == "b"


def test_a_group_is_as_deep_as_its_longest_way_from_the_root() -> None:
    text = """
    a: {hosts: {w1: }, vars: {ansible_user: deep}}
    top: {children: {a: , middle: }}
    middle: {children: {a: }, vars: {ansible_user: middle}}
    """

    assert user_of(text) == "deep"


def test_children_of_all_are_one_level_below_it() -> None:
    child = "all: {children: {web: {hosts: {w1: }, vars: {ansible_user: web}}}}\n"

    assert user_of(child + "x: {hosts: {w1: }, vars: {ansible_user: x}}") == "x"


def test_a_later_file_wins_over_an_earlier_one() -> None:
    found = fleet("all: {hosts: {w1: {ansible_user: one, ansible_port: 1}}}", "all: {hosts: {w1: {ansible_user: two}}}")

    assert (found.hosts[0].login.user, found.hosts[0].login.port, found.hosts[0].place) == ("two", 1, "a.yml:1")


def test_of_two_places_for_one_host_the_later_one_counts() -> None:
    hosts, children = "hosts: {w1: {ansible_user: a}}", "children: {web: {hosts: {w1: {ansible_user: b}}}}"

    assert user_of(f"all: {{{hosts}, {children}}}") == "b"
    assert user_of(f"all: {{{children}, {hosts}}}") == "a"


def test_what_is_ours_is_merged_key_by_key_over_all_levels() -> None:
    text = """
    all: {vars: {orch: {cluster: prod, labels: {zone: a, disk: hdd}, reserved: {cpus: 1, memory: 1g}}}}
    web: {hosts: {w1: {orch: {labels: {disk: ssd}, schedulable: false}}}, vars: {orch: {reserved: {cpus: 2}}}}
    """
    node = fleet(text).hosts[0].node

    assert fleet(text).cluster == "prod"
    assert node.labels == {"disk": "ssd", "zone": "a"}
    assert node.reserved == Resources(2000, 1 << 30)
    assert node.schedulable is False


def test_every_other_variable_is_replaced_whole() -> None:
    assert variables("all: {vars: {x: {a: 1, b: 2}}, hosts: {w1: {x: {a: 3}}}}")["x"].plain() == {"a": 3}


def test_a_node_says_its_part_in_the_cluster() -> None:
    text = """
    all:
      hosts:
        w1:
          ansible_host: 10.0.0.1
          orch: {capacity: {cpus: 4, memory: 8g}, reserved: {memory: 512m}, labels: {rack/row: 3, gpu: true}}
    """

    assert fleet(text).hosts[0].node == NodeSpec(
        "w1",
        "10.0.0.1",
        {"gpu": "true", "rack/row": "3"},
        True,
        Resources(4000, 8 << 30),
        Resources(0, 512 << 20),
    )


def test_variables_that_are_not_orchs_are_left_alone() -> None:
    assert fleet("all: {hosts: {w1: {http_port: 80, motd: '{{ x }}', deep: {a: [1]}}}}").hosts[0].login == Login("w1")


@pytest.mark.parametrize(
    ("pattern", "hosts"), [("web", ["w1", "w2"]), ("all,!w1", ["w2", "d1"]), ("d1,w1", ["w1", "d1"])]
)
def test_a_pattern_selects_in_the_order_of_the_files(pattern: str, hosts: list[str]) -> None:
    assert names(fleet("web: {hosts: {w1: , w2: }}\ndb: {hosts: {d1: }}").select(pattern)) == hosts


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("wbe", "no host or group is called 'wbe' in a.yml; did you mean 'web'?"),
        ("w2", "no host or group is called 'w2' in a.yml"),
        ("web[1]", "'web[1]' begins beyond the end; hosts there: 1, counted from 0 in a.yml"),
        ("web,,w1", "host pattern 'web,,w1' has an empty part"),
        ("x*", "the pattern 'x*' matches no host in a.yml"),
        ("all,!all", "the pattern 'all,!all' matches no host in a.yml"),
    ],
)
def test_a_pattern_that_selects_nothing_is_an_error(pattern: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        fleet("web: {hosts: {w1: }}").select(pattern)


def test_files_are_read_and_merged_and_paths_start_at_the_first(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    first, second = tmp_path / "one" / "a.yml", tmp_path / "b.yml"
    first.write_text("all: {hosts: {w1: }}")
    second.write_text("all: {vars: {ansible_ssh_private_key_file: key}}")

    found = read_fleet([first, second])

    assert found.hosts[0].login.key_file == str(tmp_path / "one" / "key")
    assert found.source == f"{first}, {second}"


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    message = f"{tmp_path}/no.yml: there is no such inventory; -i PATH or ORCH_INVENTORY names another"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_fleet([tmp_path / "no.yml"])
