"""What is orch's own in an inventory: taints, address ranges, and what belongs to the fleet alone."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from orch.errors import InputError
from orch.inventory.fleet import Fleet, build_fleet
from orch.located import parse_located
from orch.model.addresses import AddressRanges
from orch.model.node import Taint, parse_taint


def fleet(text: str) -> Fleet:
    return build_fleet([parse_located(text, "i.yml")], Path("/fleet"))


TAINT = "expected a taint like KEY=VALUE:NoSchedule or KEY:NoExecute, not "
RANGE = "expected an IPv4 range of 256 addresses or more, like 10.64.0.0/12"


def with_ours(ours: str, host: str = "") -> Fleet:
    return fleet(f"all:\n  vars:\n    orch: {{{ours}}}\n  hosts:\n    w1: {{{host}}}\n")


def refused(text: str) -> str:
    with pytest.raises(InputError) as caught:
        fleet(text)
    return str(caught.value)


def refused_ours(ours: str, host: str = "") -> str:
    with pytest.raises(InputError) as caught:
        with_ours(ours, host)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "taints"),
    [
        ("[]", ()),
        ("", ()),
        ("['gpu=a100:NoSchedule']", (Taint("gpu", "NoSchedule", "a100"),)),
        ("['gpu:NoExecute']", (Taint("gpu", "NoExecute"),)),
        ("['example.com/gpu=:NoExecute']", (Taint("example.com/gpu", "NoExecute"),)),
        ("[{key: gpu, value: 5, effect: NoSchedule}]", (Taint("gpu", "NoSchedule", "5"),)),
        ("[{key: gpu, effect: NoExecute}]", (Taint("gpu", "NoExecute"),)),
        ("['b:NoExecute', 'a:NoExecute']", (Taint("a", "NoExecute"), Taint("b", "NoExecute"))),
        ("['a:NoExecute', 'a:NoSchedule']", (Taint("a", "NoExecute"), Taint("a", "NoSchedule"))),
    ],
)
def test_taints_are_read_in_either_form_and_sorted(written: str, taints: tuple[Taint, ...]) -> None:
    assert with_ours(f"taints: {written}").hosts[0].node.taints == taints


@pytest.mark.parametrize("text", ["gpu=a100:NoSchedule", "gpu:NoExecute", "example.com/x=y.z:NoExecute"])
def test_a_taint_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_taint(text)) == text


@pytest.mark.parametrize("text", ["", "gpu", "gpu:Never", ":NoExecute", "=x:NoExecute", "a b:NoExecute", "a=b=c:x"])
def test_what_is_no_taint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{TAINT}{re.escape(repr(text))}$"):
        parse_taint(text)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("x", ": expected a list, not 'x'"),
        ("[x]", f"[0]: {TAINT}'x'"),
        ("[{key: x, effect: Never}]", f"[0]: {TAINT}'x=:Never'"),
        ("[{key: x}]", "[0]: a taint needs effect; expected {key: …, value: …, effect: NoSchedule or NoExecute}"),
        ("[{effect: x}]", "[0]: a taint needs key; expected {key: …, value: …, effect: NoSchedule or NoExecute}"),
        ("[{name: x}]", "[0].name: unknown key; known here: effect, key, value"),
        (
            "['a=1:NoExecute', 'a=2:NoExecute']",
            "[1]: a=2:NoExecute stands beside a=1:NoExecute; one taint of a key and effect is enough",
        ),
    ],
)  # fmt: skip
def test_wrong_taints_are_refused_with_their_place(written: str, message: str) -> None:
    assert refused_ours(f"taints: {written}") == f"i.yml:3: all.vars.orch.taints{message}"


def test_a_nearer_list_of_taints_replaces_a_farther_one() -> None:
    found = with_ours("taints: ['a:NoExecute']", "orch: {taints: ['b:NoExecute']}")

    assert found.hosts[0].node.taints == (Taint("b", "NoExecute"),)


def test_address_ranges_have_defaults_and_can_be_set() -> None:
    assert with_ours("").ranges == AddressRanges(IPv4Network("10.64.0.0/12"), IPv4Network("10.112.0.0/16"))
    assert with_ours("container_range: 10.0.0.0/9, service_range: 10.200.0.0/16").ranges == AddressRanges(
        IPv4Network("10.0.0.0/9"), IPv4Network("10.200.0.0/16")
    )


@pytest.mark.parametrize("key", ["container_range", "service_range"])
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("10.0.0.1/8", f"{RANGE}: 10.0.0.1/8 has host bits set"),
        ("x", f"{RANGE}: "),
        ("'fd00::/8'", f"{RANGE}: "),
        ("10.0.0.0/25", f"{RANGE}, not '10.0.0.0/25'"),
    ],
)  # fmt: skip
def test_a_wrong_range_is_refused_with_its_place(key: str, written: str, why: str) -> None:
    assert refused_ours(f"{key}: {written}").startswith(f"i.yml:3: all.vars.orch.{key}: {why}")


@pytest.mark.parametrize(
    ("ours", "message"),
    [
        ("container_range: 10.112.5.0/24", "container_range: 10.112.5.0/24 overlaps with service_range, 10.112.0.0/16"),
        ("service_range: 10.64.0.0/16", "service_range: 10.64.0.0/16 overlaps with container_range, 10.64.0.0/12"),
    ],
)
def test_ranges_that_overlap_are_refused(ours: str, message: str) -> None:
    assert refused_ours(ours) == f"i.yml:3: all.vars.orch.{message}"


@pytest.mark.parametrize(
    ("address", "key", "network"),
    [("10.64.0.1", "container_range", "10.64.0.0/12"), ("10.112.255.255", "service_range", "10.112.0.0/16")],
)
def test_a_host_inside_of_orchs_own_ranges_is_refused(address: str, key: str, network: str) -> None:
    assert refused_ours("", f"ansible_host: {address}") == (
        f"i.yml:5: all.hosts.w1: its address {address} is in orch's {key}, {network}; "
        f"set {key} under orch in the vars of all to one that nobody else uses"
    )


@pytest.mark.parametrize("address", ["10.80.0.0", "10.63.255.255", "2001:db8::1", "w1.example.com"])
def test_a_host_outside_of_them_is_welcome(address: str) -> None:
    assert with_ours("", f"ansible_host: '{address}'").hosts[0].login.address == address


@pytest.mark.parametrize("key", ["cluster: prod", "container_range: 10.0.0.0/16", "service_range: 10.0.0.0/16"])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("all: {{hosts: {{w1: {{orch: {{{key}}}}}}}}}", "all.hosts.w1.orch"),
        ("web: {{hosts: {{w1: }}, vars: {{orch: {{{key}}}}}}}", "web.vars.orch"),
        ("all: {{hosts: {{w1: }}}}\nweb: {{vars: {{orch: {{{key}}}}}}}", "web.vars.orch"),
    ],
)
def test_what_is_of_the_whole_fleet_stands_in_all_alone(text: str, place: str, key: str) -> None:
    said = refused(text.format(key=key))

    assert said.endswith(
        f": {place}.{key.partition(':')[0]}: is of the whole fleet, so it belongs into the vars of the group all"
    )


def test_an_unknown_key_is_refused_though_no_host_has_it() -> None:
    assert refused("all: {hosts: {w1: }}\nweb: {vars: {orch: {lables: {}}}}").startswith(
        "i.yml:2: web.vars.orch.lables: unknown key; known here: capacity, cluster, container_range, labels, netns"
    )


def test_two_hosts_that_are_this_machine_are_refused() -> None:
    text = "all:\n  hosts:\n    a: {ansible_connection: local}\n    b: {ansible_connection: local}\n"

    assert refused(text) == "i.yml:4: all.hosts.b: is this machine, as is a (i.yml:3)"


def test_one_address_behind_two_jump_hosts_is_two_hosts() -> None:
    text = "all: {hosts: {a: {ansible_host: x}, b: {ansible_host: x, ansible_ssh_common_args: -J j}}}"

    assert [h.login.proxy_jump for h in fleet(text).hosts] == ["", "j"]
