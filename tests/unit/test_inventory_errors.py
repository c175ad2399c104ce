"""Every kind of malformed inventory, with the place that its error names."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.errors import InputError
from orch.inventory.fleet import build_fleet
from orch.located import parse_located


def refused(text: str) -> str:
    with pytest.raises(InputError) as caught:
        build_fleet([parse_located(text, "i.yml")], Path("/fleet"))
    return str(caught.value)


def refused_host(variables: str) -> str:
    """The error for one variable on line 4, without the part that is the same for all."""
    message = refused(f"all:\n  hosts:\n    w1:\n      {variables}\n")
    assert message.startswith("i.yml:4: all.hosts.w1.")
    return message.removeprefix("i.yml:4: all.hosts.w1.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "i.yml: names no hosts; expected all: hosts: NAME: …"),
        ("all:\n", "i.yml: names no hosts; expected all: hosts: NAME: …"),
        ("web: {hosts: {}}", "i.yml: names no hosts; expected all: hosts: NAME: …"),
        ("- w1\n", "i.yml:1: expected a mapping, not a list"),
        ("w1", "i.yml:1: expected a mapping, not 'w1'"),
        ("all: [w1]", "i.yml:1: all: expected a mapping, not a list"),
        ("all:\n  host:\n    w1:\n", "i.yml:2: all.host: unknown key; known here: children, hosts, vars"),
        ("all:\n  hosts:\n  - w1\n", "i.yml:2: all.hosts: expected a mapping, not a list"),
        ("all:\n  hosts: w1\n", "i.yml:2: all.hosts: expected a mapping, not 'w1'"),
        ("all:\n  hosts:\n    w1: 10.0.0.1\n", "i.yml:3: all.hosts.w1: expected a mapping, not '10.0.0.1'"),
        ("all:\n  vars: [1]\n", "i.yml:2: all.vars: expected a mapping, not a list"),
        ("all:\n  children: [web]\n", "i.yml:2: all.children: expected a mapping, not a list"),
        (
            "web:\n  children:\n    all:\n",
            "i.yml:3: web.children.all: the group all contains every other and is in none",
        ),
        (
            "all:\n  hosts:\n    w[3:1]:\n",
            "i.yml:3: all.hosts.w[3:1]: the range [3:1] runs backwards",
        ),
        (
            "all:\n  hosts:\n    w 1:\n",
            "i.yml:3: all.hosts.w 1: expected a host name or a range like web[01:20], not 'w 1'",
        ),
        ("all:\n  hosts:\n    w1:\n    w1:\n", "i.yml:4: all.hosts.w1: stands twice, first on line 3"),
    ],
)
def test_what_is_no_inventory_is_refused_with_its_place(text: str, message: str) -> None:
    assert refused(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  children:\n    a:\n", "i.yml:3: a.children.a: the group contains itself: a → a"),
        (
            "a:\n  children:\n    b:\nb:\n  children:\n    c:\nc:\n  children:\n    a:\n",
            "i.yml:9: c.children.a: the group contains itself: a → b → c → a",
        ),
        (
            "top:\n  children:\n    b:\nb:\n  children:\n    c:\n      children:\n        b:\n",
            "i.yml:8: b.children.c.children.b: the group contains itself: b → c → b",
        ),
    ],
)
def test_a_group_inside_itself_is_refused_with_the_way_round(text: str, message: str) -> None:
    assert refused(text) == message


def test_a_long_chain_of_groups_is_at_worst_refused() -> None:
    chain = "".join(f"g{n}:\n  children:\n    g{n + 1}:\n" for n in range(2000))
    tail = "g2000:\n  hosts:\n    w1:\n      ansible_port: 0\n"

    assert refused(chain + tail).startswith("i.yml:")


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        (
            "    a: {ansible_host: x}\n    b: {ansible_host: x}\n",
            "i.yml:4: all.hosts.b: has the address x:22 of a (i.yml:3)",
        ),
        ("    a:\n    b: {ansible_host: a}\n", "i.yml:4: all.hosts.b: has the address a:22 of a (i.yml:3)"),
        (
            "    w[1:2]: {ansible_host: x, ansible_port: 9}\n",
            "i.yml:3: all.hosts.w[1:2]: has the address x:9 of w1 (i.yml:3)",
        ),
    ],
)
def test_two_hosts_on_one_address_are_refused(hosts: str, message: str) -> None:
    assert refused(f"all:\n  hosts:\n{hosts}") == message


@pytest.mark.parametrize("own", ["{ansible_host: x, ansible_port: 23}", "{ansible_host: x, orch: {netns: other}}"])
def test_two_hosts_behind_one_address_are_two_by_port_or_by_network(own: str) -> None:
    text = f"all: {{hosts: {{a: {{ansible_host: x}}, b: {own}}}}}"
    found = build_fleet([parse_located(text, "i.yml")], Path("/fleet"))

    assert [h.login.address for h in found.hosts] == ["x", "x"]


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("orch: 5", "orch: expected a mapping, not 5"),
        (
            "orch: {label: x}",
            "orch.label: unknown key; known here: "
            "capacity, cluster, container_range, labels, netns, reserved, schedulable, service_range, taints",
        ),
        ("orch: {labels: [a]}", "orch.labels: expected a mapping, not a list"),
        ("orch: {labels: {a b: c}}", "orch.labels.a b: a label's name is made of letters, digits and . _ / - inside"),
        ("orch: {labels: {-a: c}}", "orch.labels.-a: a label's name is made of letters, digits and . _ / - inside"),
        ("orch: {labels: {a: [c]}}", "orch.labels.a: expected a string, not a list"),
        ("orch: {labels: {a: }}", "orch.labels.a: expected a string, not nothing"),
        ("orch: {schedulable: 'never'}", "orch.schedulable: expected true or false, not 'never'"),
        ("orch: {capacity: 4}", "orch.capacity: expected a mapping, not 4"),
        ("orch: {capacity: {cpu: 4}}", "orch.capacity.cpu: unknown key; known here: cpus, memory"),
        ("orch: {capacity: {cpus: x}}", "orch.capacity.cpus: expected a number of cores like 0.5 or 2, not 'x'"),
        ("orch: {reserved: {memory: x}}", "orch.reserved.memory: expected a size like 512m or 1.5g, not 'x'"),
        ("orch: {netns: a/b}", "orch.netns: expected the name of a network namespace, not 'a/b'"),
        ("orch: {netns: ''}", "orch.netns: expected the name of a network namespace, not ''"),
    ],
)
def test_what_is_wrong_in_ours_is_refused_with_its_place(variable: str, message: str) -> None:
    assert refused_host(variable) == message


@pytest.mark.parametrize(
    ("name", "said"), [("Prod", "'Prod'"), ("a_b", "'a_b'"), ("-a", "'-a'"), ("a-", "'a-'"), ("[a]", "a list")]
)
def test_a_cluster_needs_a_usable_name(name: str, said: str) -> None:
    text = f"all:\n  hosts: {{w1: }}\n  vars:\n    orch:\n      cluster: {name}\n"
    what = "a name of a-z, 0-9 and -, 63 at most" if said != "a list" else "a string"

    assert refused(text) == f"i.yml:5: all.vars.orch.cluster: expected {what}, not {said}"


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("ansible_port: 0", "ansible_port: expected a whole number from 1, not 0"),
        ("ansible_port: 65536", "ansible_port: expected a port up to 65535, not 65536"),
        ("ansible_port: ssh", "ansible_port: expected a whole number from 1, not 'ssh'"),
        ("ansible_ssh_port: 99999", "ansible_ssh_port: expected a port up to 65535, not 99999"),
        ("ansible_host: [a]", "ansible_host: expected a string, not a list"),
        (
            "ansible_connection: docker",
            "ansible_connection: expected ssh or local, the connections there are, not 'docker'",
        ),
        ("ansible_become: maybe", "ansible_become: expected true or false, not 'maybe'"),
        (
            "ansible_ssh_extra_args: '-L 1:x:2'",
            "ansible_ssh_extra_args: '-L' is not understood; known: "
            "-J, -i, -l, -p, -F and -o with ProxyJump, UserKnownHostsFile, IdentityFile, User or Port",
        ),
        ("ansible_ssh_args: -o", "ansible_ssh_args: '-o' lacks its value"),
        ('ansible_ssh_common_args: "-o \'x"', "ansible_ssh_common_args: No closing quotation"),
    ],
)
def test_a_wrong_connection_variable_is_refused_with_its_place(variable: str, message: str) -> None:
    assert refused_host(variable) == message


def test_only_sudo_is_a_method_to_become() -> None:
    text = "all:\n  hosts:\n    w1:\n  vars:\n    ansible_become: true\n    ansible_become_method: su\n"

    assert refused(text) == "i.yml:6: all.vars.ansible_become_method: expected sudo, the only method there is, not 'su'"


@pytest.mark.parametrize(
    "variable",
    [
        "ansible_ssh_private_key_file: ~nobody-here/key",
        "ansible_ssh_common_args: -o UserKnownHostsFile=~nobody-here/known",
    ],
)
def test_the_home_of_nobody_is_refused_with_its_place(variable: str) -> None:
    assert refused_host(variable).startswith(f"{variable.partition(':')[0]}: ")
