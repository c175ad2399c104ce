"""What is orch's own in an inventory: the variable `orch`, of a host or group and of the fleet as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Network
from typing import TypeVar

from orch.inventory.problems import Problems
from orch.inventory.variables import OURS, Variables
from orch.located import Located, read_resources
from orch.model.addresses import AddressRanges
from orch.model.node import NodeSpec, Taint, parse_taint
from orch.model.resources import Resources

T = TypeVar("T")
Render = Callable[[Located], Located]
FLEET_KEYS = ("cluster", "container_range", "service_range")
HOST_KEYS = ("capacity", "labels", "netns", "reserved", "schedulable", "taints")
DEFAULT_CLUSTER = "default"
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?")
_CLUSTER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NETNS = re.compile(r"[A-Za-z0-9_.-]+")
_LONGEST_PREFIX = 24  # 256 addresses: less is no range but a slip.


def check_written(places: Iterable[tuple[str, Variables]], problems: Problems) -> None:
    """Refuses keys that do not exist, and those of the fleet outside of the group `all`. `places`: group, variables."""
    for group, variables in places:
        if OURS in variables:
            problems.attempt(partial(_check_keys, variables[OURS], of_fleet=group == "all"), None)


def _check_keys(ours: Located, *, of_fleet: bool) -> None:
    entries = ours.mapping(known=(*FLEET_KEYS, *HOST_KEYS))
    for key in FLEET_KEYS:
        if key in entries and not of_fleet:
            entries[key].fail("is of the whole fleet, so it belongs into the vars of the group all")


class Ours:
    """Reads the variable `orch`, rendering what it reads. An absent key has its default."""

    def __init__(self, variables: Variables, render: Render, problems: Problems) -> None:
        self._entries = problems.entries(variables[OURS]) if OURS in variables else {}
        self._render, self._problems = render, problems

    def _read(self, key: str, convert: Callable[[Located], T], default: T) -> T:
        written = self._entries.get(key)
        return default if written is None else self._problems.attempt(lambda: convert(self._render(written)), default)

    def node(self, name: str, address: str) -> NodeSpec:
        return NodeSpec(
            name,
            address,
            labels=self._read("labels", _labels, {}),
            schedulable=self._read("schedulable", Located.boolean, True),
            capacity=self._read("capacity", read_resources, Resources()),
            reserved=self._read("reserved", read_resources, Resources()),
            taints=self._read("taints", _taints, ()),
        )

    def netns(self) -> str:
        return self._read("netns", lambda v: _matching(v, _NETNS, "the name of a network namespace"), "")

    def cluster(self) -> str:
        form = "a name of a-z, 0-9 and -, 63 at most"
        return self._read("cluster", lambda v: _matching(v, _CLUSTER, form), DEFAULT_CLUSTER)

    def ranges(self) -> AddressRanges:
        default = AddressRanges()
        ranges = AddressRanges(
            self._read("container_range", _network, default.containers),
            self._read("service_range", _network, default.services),
        )
        if ranges.containers.overlaps(ranges.services):
            self._problems.attempt(partial(self._refuse_overlap, ranges), None)
        return ranges

    def _refuse_overlap(self, ranges: AddressRanges) -> None:
        # The defaults do not overlap, so one of the two is written.
        if written := self._entries.get("service_range"):
            written.fail(f"{ranges.services} overlaps with container_range, {ranges.containers}")
        self._entries["container_range"].fail(f"{ranges.containers} overlaps with service_range, {ranges.services}")


def _matching(entry: Located, form: re.Pattern[str], expected: str) -> str:
    text = entry.string()
    if form.fullmatch(text) is None:
        entry.expected(expected)
    return text


def _labels(entry: Located) -> dict[str, str]:
    labels = {}
    for key, value in sorted(entry.mapping().items()):
        if _LABEL.fullmatch(key) is None:
            value.fail("a label's name is made of letters, digits and . _ / - inside")
        labels[key] = value.string()
    return labels


def _taints(entry: Located) -> tuple[Taint, ...]:
    """Sorted. Of one key and effect there can be one taint only."""
    found: dict[tuple[str, str], Taint] = {}
    for place in entry.items() if entry.value is not None else []:
        taint = _taint(place)
        if (taint.key, taint.effect) in found:
            place.fail(
                f"{taint} stands beside {found[taint.key, taint.effect]}; one taint of a key and effect is enough"
            )
        found[taint.key, taint.effect] = taint
    return tuple(sorted(found.values()))


def _taint(place: Located) -> Taint:
    if not isinstance(place.value, dict):
        return place.parsed(parse_taint)
    entries = place.mapping(known=("effect", "key", "value"))
    for key in ("key", "effect"):
        if key not in entries:
            place.fail(f"a taint needs {key}; expected {{key: …, value: …, effect: NoSchedule or NoExecute}}")
    value = entries["value"].string() if "value" in entries else ""
    text = f"{entries['key'].string()}={value}:{entries['effect'].string()}"
    return place.with_value(text).parsed(parse_taint)


def _network(entry: Located) -> IPv4Network:
    form = "an IPv4 range of 256 addresses or more, like 10.64.0.0/12"
    text = entry.string()
    try:
        network = IPv4Network(text)
    except ValueError as error:
        entry.fail(f"expected {form}: {error}")
    if network.prefixlen > _LONGEST_PREFIX:
        entry.expected(form)
    return network
