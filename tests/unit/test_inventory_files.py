"""Inventories as files and folders: which are read, what stands beside them, what counts over what."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.errors import InputError
from orch.inventory.fleet import Inventory, read_fleet, read_inventory
from orch.inventory.problems import Problems

GROUPED = "all: {children: {prod: {children: {web: }}}}\nweb: {hosts: {w1: , w2: }}\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def inventory(*sources: Path) -> Inventory:
    return read_inventory(sources, Problems())


def value(read: Inventory, name: str = "x", host: str = "w1") -> object:
    return read.templates.variables[host][name].plain()


def refused(*sources: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_fleet(sources)
    return str(caught.value)


LEVELS = [
    ("all: {vars: {x: inventory's all}}", None),
    ("web: {hosts: {w1: }, vars: {x: inventory's web}}", None),
    ("group_vars/all.yml", "x: all.yml"),
    ("group_vars/prod.yml", "x: prod.yml"),
    ("group_vars/web.yml", "x: web.yml"),
    ("more: {hosts: {w1: {x: inventory's host}}}", None),
    ("host_vars/w1.yml", "x: w1.yml"),
]


@pytest.mark.parametrize("upto", range(1, len(LEVELS) + 1))
def test_each_level_counts_over_those_before_it(tmp_path: Path, upto: int) -> None:
    levels = LEVELS[:upto]
    files = {"group_vars/.keep": "", **{name: text for name, text in levels if text is not None}}
    for number, (text, beside) in enumerate(levels):
        if beside is None:
            files[f"i{number}.yml"] = text
    write(tmp_path, {**files, "hosts.yml": GROUPED})

    wanted = levels[-1][1] or levels[-1][0].partition("x: ")[2].rstrip("}")
    assert value(inventory(tmp_path)) == wanted.removeprefix("x: ")


def test_a_groups_file_counts_over_all_that_inventories_say_of_groups(tmp_path: Path) -> None:
    write(tmp_path, {"i.yml": GROUPED + "web2: {hosts: {w1: }, vars: {x: deep}}", "group_vars/all": "x: beside"})

    assert value(inventory(tmp_path / "i.yml")) == "beside"


def test_on_one_level_the_higher_priority_wins_over_the_later_name(tmp_path: Path) -> None:
    text = "a: {hosts: {w1: }, vars: {x: a, ansible_group_priority: 2}}\nb: {hosts: {w1: }, vars: {x: b}}\n"
    write(tmp_path, {"i.yml": text})

    assert value(inventory(tmp_path / "i.yml")) == "a"
    assert "ansible_group_priority" not in inventory(tmp_path / "i.yml").templates.variables["w1"]


def test_a_priority_is_a_number(tmp_path: Path) -> None:
    write(tmp_path, {"i.yml": "a: {hosts: {w1: }, vars: {ansible_group_priority: high}}"})

    assert refused(tmp_path / "i.yml") == (
        f"{tmp_path}/i.yml:1: a.vars.ansible_group_priority: expected a whole number from 0, not 'high'"
    )


@pytest.mark.parametrize("name", ["web", "web.yml", "web.yaml", "web.json", "web/only.yml", "web/deeper/file"])
def test_a_groups_variables_stand_in_a_file_or_a_folder(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"i.yml": GROUPED, f"group_vars/{name}": '{"x": 1}', "group_vars/unknown.yml": "{"})

    assert value(inventory(tmp_path / "i.yml"), host="w2") == 1


@pytest.mark.parametrize("name", ["w1", "w1.yml", "w1.yaml", "w1.json", "w1/only.json"])
def test_a_hosts_variables_stand_in_a_file_or_a_folder(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"i.yml": GROUPED, f"host_vars/{name}": '{"x": 1}'})
    read = inventory(tmp_path / "i.yml")

    assert value(read) == 1
    assert "x" not in read.templates.variables["w2"]


def test_files_of_a_folder_count_in_the_order_of_their_names(tmp_path: Path) -> None:
    files = {"b.yml": "x: b\ny: b", "a.yml": "x: a\nz: a", ".c.yml": "w: c", "d~": "x: d", "e.txt": "x: e"}
    write(tmp_path, {"i.yml": GROUPED, **{f"group_vars/all/{name}": text for name, text in files.items()}})
    read = inventory(tmp_path / "i.yml")

    assert [value(read, name) for name in "xyz"] == ["b", "b", "a"]
    assert "w" not in read.templates.variables["w1"]


def test_a_host_named_like_a_file_has_that_file(tmp_path: Path) -> None:
    write(tmp_path, {"i.yml": "all: {hosts: {db.yml: , db: }}", "host_vars/db.yml": "x: 1"})
    read = inventory(tmp_path / "i.yml")

    assert value(read, host="db.yml") == 1
    assert "x" not in read.templates.variables["db"]


def test_two_homes_for_one_groups_variables_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"i.yml": GROUPED, "group_vars/web.yml": "x: 1", "group_vars/web/a.yml": "x: 2"})

    assert refused(tmp_path / "i.yml") == (
        f"{tmp_path}/group_vars/web.yml: stands beside web, of which Ansible reads one; join them"
    )


def test_what_is_ours_is_merged_over_files_too(tmp_path: Path) -> None:
    files = {
        "i.yml": "all: {hosts: {w1: {orch: {labels: {a: host, b: host}}}}}",
        "group_vars/all.yml": "orch: {labels: {a: all, c: all}, cluster: prod}",
        "host_vars/w1.yml": "orch: {labels: {b: file}}",
    }
    fleet = read_fleet([write(tmp_path, files) / "i.yml"])

    assert (fleet.cluster, fleet.hosts[0].node.labels) == ("prod", {"a": "host", "b": "file", "c": "all"})


def test_all_inventories_of_a_folder_are_read_in_order(tmp_path: Path) -> None:
    files = {
        "b.yml": "all: {hosts: {w2: }, vars: {x: b}}",
        "a": "all: {hosts: {w1: }, vars: {x: a}}",
        "c/d.yaml": "all: {hosts: {w3: }}",
    }
    junk = [
        "hosts.ini",
        "x.cfg",
        "y~",
        "z.orig",
        "old.bak",
        "run.retry",
        "m.pyc",
        ".hidden",
        "host_vars/a",
        "readme.md",
    ]
    read = inventory(write(tmp_path, {**files, **dict.fromkeys(junk, "{")}))

    assert list(read.tree.places) == ["w1", "w2", "w3"]
    assert value(read) == "b"


def test_a_folder_without_inventories_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"group_vars/all.yml": "x: 1"})

    assert refused(tmp_path) == f"{tmp_path}: has no inventory in it; expected files like hosts.yml"


def test_later_sources_win_also_with_what_stands_beside_them(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"i.yml": GROUPED, "group_vars/web.yml": "x: one\ny: one"})
    two = write(tmp_path / "two", {"i.yml": "{}", "group_vars/prod.yml": "x: two"})

    assert value(inventory(one, two / "i.yml")) == "two"
    assert value(inventory(two, one)) == "one"
    assert value(inventory(one, two), "y") == "one"


def test_what_stands_beside_any_source_for_a_group_counts_over_all_that_is_said_of_all(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"i.yml": GROUPED, "group_vars/web.yml": "x: one"})
    two = write(tmp_path / "two", {"i.yml": "{}", "group_vars/all.yml": "x: two"})

    assert value(inventory(one, two)) == "one"


def test_a_folder_that_comes_twice_counts_at_its_last_place(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"i.yml": GROUPED, "group_vars/all.yml": "x: one"})
    two = write(tmp_path / "two", {"i.yml": "{}", "group_vars/all.yml": "x: two"})

    assert value(inventory(one, two, one / "i.yml")) == "one"


def test_values_know_the_file_and_line_they_come_from(tmp_path: Path) -> None:
    write(tmp_path, {"i.yml": GROUPED, "group_vars/web.yml": "\n\nx: 1"})
    found = inventory(tmp_path / "i.yml").templates.variables["w1"]["x"]

    assert (found.file, found.line, found.path) == (f"{tmp_path}/group_vars/web.yml", 3, "x")


@pytest.mark.parametrize(
    ("text", "line"),
    [("# hosts\n[web]\nw1\nw2\n", 2), ("w1 ansible_host=10.0.0.1\n", 1), ("\n[web:vars]\nx=1\n", 2), ("[web]\n", 1)],
)
def test_an_inventory_in_inis_format_says_how_to_convert_it(tmp_path: Path, text: str, line: int) -> None:
    path = write(tmp_path, {"hosts": text}) / "hosts"

    assert refused(path) == (
        f"{path}:{line}: is in Ansible's INI format, and orch reads YAML; "
        f"convert it with `ansible-inventory -i {path} --list -y --export`"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#!/bin/sh\necho {}\n", "1: is a program, and orch runs none for its inventory; convert it with"),
        ("plugin: amazon.aws.aws_ec2\n", "1: plugin: is a plugin's settings, and orch has no plugins; convert it with"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", "1: is encrypted with ansible-vault, which orch does not decrypt;"),
    ],
)
def test_what_else_ansible_takes_for_an_inventory_is_refused_by_name(tmp_path: Path, text: str, why: str) -> None:
    path = write(tmp_path, {"i.yml": text}) / "i.yml"

    assert refused(path).startswith(f"{path}:{why}")


def test_broken_yaml_that_is_no_ini_says_what_is_broken(tmp_path: Path) -> None:
    path = write(tmp_path, {"i.yml": "all:\n  hosts: [a\n"}) / "i.yml"

    assert refused(path) == f"{path}:3: expected ',' or ']', but got '<stream end>'"


@pytest.mark.parametrize(
    ("text", "why"),
    [("- x\n", ":1: expected a mapping, not a list"), ("x: 1\nx: 2\n", ":2: x: stands twice, first on line 1")],
)
def test_a_wrong_file_of_variables_is_refused_with_its_place(tmp_path: Path, text: str, why: str) -> None:
    write(tmp_path, {"i.yml": GROUPED, "group_vars/web.yml": text})

    assert refused(tmp_path / "i.yml") == f"{tmp_path}/group_vars/web.yml{why}"


def test_an_encrypted_file_of_variables_is_passed_over_and_remembered(tmp_path: Path) -> None:
    files = {
        "i.yml": GROUPED,
        "group_vars/all/vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n61\n",
        "group_vars/all/x": "x: 1",
    }
    read = inventory(write(tmp_path, files) / "i.yml")

    assert (value(read), read.unread) == (1, (f"{tmp_path}/group_vars/all/vault.yml",))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ungrouped: {children: {web: }}", "ungrouped has the hosts that are in no group, and no groups; put this one"),
        ("web: {children: {ungrouped: }}", "ungrouped has the hosts that are in no group, so it is in none but all"),
    ],
)
def test_ungrouped_has_no_place_among_other_groups(tmp_path: Path, text: str, why: str) -> None:
    assert why in refused(write(tmp_path, {"i.yml": text}) / "i.yml")


def test_ungrouped_are_the_hosts_of_no_other_group(tmp_path: Path) -> None:
    text = "ungrouped: {hosts: {a: , b: }, vars: {x: 1}}\nweb: {hosts: {b: }}\nall: {hosts: {c: }}\n"
    read = inventory(write(tmp_path, {"i.yml": text}) / "i.yml")

    assert read.members["ungrouped"] == ["a", "c"]
    assert value(read, host="c") == 1
    assert "x" not in read.templates.variables["b"]


def test_relative_paths_start_at_the_folder_that_is_the_source(tmp_path: Path) -> None:
    write(tmp_path, {"i.yml": "all: {hosts: {w1: {ansible_private_key_file: id}}}"})

    assert read_fleet([tmp_path]).hosts[0].login.key_file == f"{tmp_path}/id"
