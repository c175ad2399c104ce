"""What keeps a replica off a node. Each filter can check, and say how a node that it keeps off falls short.

They keep no state: all they know is the need, the node as it is now, and the fleet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from orch.model.node import Taint
from orch.model.placement import Constraint, Toleration
from orch.model.quantities import format_cpus, show_memory
from orch.scheduler.claim import Need
from orch.scheduler.node import Fleet, Node

_SHOWN = 3
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


class Miss(msgspec.Struct, frozen=True, order=True):
    """How far one node falls short of a need; the least `distance` is the nearest miss. `shown` is what the node has
    instead, or empty."""

    distance: int
    node: str
    shown: str = ""


class Crowd(msgspec.Struct, frozen=True):
    """`count` of `total` nodes; `name` when only that one came into question."""

    count: int
    total: int
    name: str = ""

    def nodes(self) -> str:
        if self.name:
            return self.name
        if self.total == 1:
            return "the only node"
        return f"all {self.total} nodes" if self.count == self.total else f"{self.count} of {self.total} nodes"

    def does(self, one: str, more: str) -> str:
        """`3 of 4 nodes lack`"""
        return f"{self.nodes()} {one if self.count == 1 else more}"


class Filter(msgspec.Struct, frozen=True):
    """`concerns`: whether it has anything to say of a need, so that most are skipped for most. `lasting`: what it looks
    at does not change while replicas are bound. `passes` is the check.
    Of a node that does not pass, `miss` tells in which way (nodes with one way are counted together) and how far it is
    from passing; `explain` puts that into words, given the nearest misses."""

    lasting: bool
    concerns: Callable[[Need], bool]
    passes: Callable[[Need, Node, Fleet], bool]
    miss: Callable[[Need, Node, Fleet], tuple[str, Miss]]
    explain: Callable[[Need, str, Crowd, Sequence[Miss], Fleet], str]


def unmet(constraints: Sequence[Constraint], attributes: Mapping[str, str]) -> Constraint | None:
    """The first constraint that a node with these attributes does not meet. Case does not count, as in Swarm, and an
    architecture goes by the kernel's name as well as by Docker's."""
    for constraint in constraints:
        value, wanted = attributes.get(constraint.attribute, "").casefold(), constraint.value.casefold()
        if constraint.attribute == "node.platform.arch":
            value, wanted = _ARCHITECTURES.get(value, value), _ARCHITECTURES.get(wanted, wanted)
        if (value == wanted) is not constraint.equal:
            return constraint
    return None


def untolerated(tolerations: Sequence[Toleration], taints: Sequence[Taint]) -> Taint | None:
    """The first taint that nothing tolerates."""
    for taint in taints:
        if not any(toleration.tolerates(taint) for toleration in tolerations):
            return taint
    return None


def _closed(need: Need, node: Node, fleet: Fleet) -> tuple[str, Miss]:
    return node.room.closed, Miss(0, node.name)


def _explain_closed(need: Need, key: str, crowd: Crowd, misses: Sequence[Miss], fleet: Fleet) -> str:
    return f"{crowd.name or crowd.count} {'is' if crowd.count == 1 else 'are'} {key}"


def _at_home(need: Need, node: Node, fleet: Fleet) -> bool:
    return all(fleet.homes.get(volume, node.name) == node.name for volume in need.volumes)


def _not_at_home(need: Need, node: Node, fleet: Fleet) -> tuple[str, Miss]:
    away = next(v for v in need.volumes if fleet.homes.get(v, node.name) != node.name)
    return away, Miss(0, node.name)


def _explain_homes(need: Need, key: str, crowd: Crowd, misses: Sequence[Miss], fleet: Fleet) -> str:
    home = fleet.homes[key]
    node = fleet.nodes.get(home)
    state = "no longer in the inventory" if node is None else node.room.closed
    return f"{crowd.does('is', 'are')} not where its volume {key} is: on {home}{state and f' ({state})'}"


def _has_externals(need: Need, node: Node, fleet: Fleet) -> bool:
    there = node.room.volumes
    return there is None or all(volume in there for volume in need.external)


def _lacks_external(need: Need, node: Node, fleet: Fleet) -> tuple[str, Miss]:
    there = node.room.volumes or frozenset()
    return next(v for v in need.external if v not in there), Miss(0, node.name)


def _explain_externals(need: Need, key: str, crowd: Crowd, misses: Sequence[Miss], fleet: Fleet) -> str:
    return f"{crowd.does('lacks', 'lack')} the external volume {key}, which is not orch's to make"


def _meets(need: Need, node: Node, fleet: Fleet) -> bool:
    return unmet(need.policy.constraints, node.room.attributes) is None


def _unmet(need: Need, node: Node, fleet: Fleet) -> tuple[str, Miss]:
    constraint = unmet(need.policy.constraints, node.room.attributes)
    assert constraint is not None
    value = node.room.attributes.get(constraint.attribute, "")
    return str(constraint), Miss(0 if value else 1, node.name, (value or "none") if constraint.equal else "")


def _explain_unmet(need: Need, key: str, crowd: Crowd, misses: Sequence[Miss], fleet: Fleet) -> str:
    return f"{crowd.does('fails', 'fail')} the constraint {key}{_examples(crowd, misses)}"


def _tolerates(need: Need, node: Node, fleet: Fleet) -> bool:
    return not node.room.taints or untolerated(need.policy.tolerations, node.room.taints) is None


def _tainted(need: Need, node: Node, fleet: Fleet) -> tuple[str, Miss]:
    return str(untolerated(need.policy.tolerations, node.room.taints)), Miss(0, node.name)


def _explain_taint(need: Need, key: str, crowd: Crowd, misses: Sequence[Miss], fleet: Fleet) -> str:
    return f"{crowd.does('has', 'have')} the taint {key}, which it does not tolerate"


def _below_most(need: Need, node: Node, fleet: Fleet) -> bool:
    return node.services.get(need.service, 0) < need.policy.max_per_node


def _at_most(need: Need, node: Node, fleet: Fleet) -> tuple[str, Miss]:
    return "", Miss(node.services.get(need.service, 0), node.name)


def _explain_most(need: Need, key: str, crowd: Crowd, misses: Sequence[Miss], fleet: Fleet) -> str:
    most = need.policy.max_per_node
    return (
        f"{crowd.does('has', 'have')} {most} {'replica' if most == 1 else 'replicas'} of it already, the most allowed"
    )


def _ports_free(need: Need, node: Node, fleet: Fleet) -> bool:
    return not node.ports or all(node.holder(port) is None for port in need.ports)


def _port_taken(need: Need, node: Node, fleet: Fleet) -> tuple[str, Miss]:
    port, holder = next((p, h) for p in need.ports if (h := node.holder(p)) is not None)
    return f"{port.published}/{port.protocol}", Miss(0, node.name, holder)


def _explain_port(need: Need, key: str, crowd: Crowd, misses: Sequence[Miss], fleet: Fleet) -> str:
    return f"port {key} is taken on {crowd.nodes()}{_examples(crowd, misses)}"


def _enough(need: Need, node: Node, fleet: Fleet) -> bool:
    """What is not asked for always fits, also on a node that is overcommitted."""
    request = need.request
    return (request.millicpus <= node.free_cpu or not request.millicpus) and (
        request.memory <= node.free_memory or not request.memory
    )


def _short_of(need: Need, node: Node, fleet: Fleet) -> tuple[str, Miss]:
    cpu = f"{format_cpus(need.request.millicpus)} cpus" if need.request.millicpus > max(0, node.free_cpu) else ""
    memory = f"{show_memory(need.request.memory)} memory" if need.request.memory > max(0, node.free_memory) else ""
    free_cpu, free_memory = format_cpus(max(0, node.free_cpu)), show_memory(max(0, node.free_memory))
    if cpu and memory:
        return f"{memory} and {cpu}", Miss(-node.free_memory, node.name, f"{free_memory} and {free_cpu} cpus")
    return (
        (cpu, Miss(-node.free_cpu, node.name, free_cpu))
        if cpu
        else (
            memory,
            Miss(-node.free_memory, node.name, free_memory),
        )
    )


def _explain_short(need: Need, key: str, crowd: Crowd, misses: Sequence[Miss], fleet: Fleet) -> str:
    best = misses[0]
    return f"{crowd.does('lacks', 'lack')} {key} ({'' if crowd.name else 'most '}free: {best.node} {best.shown})"


def _examples(crowd: Crowd, misses: Sequence[Miss]) -> str:
    shown = ", ".join(f"{miss.node}: {miss.shown}" for miss in misses[:_SHOWN] if miss.shown)
    return shown and f" ({shown}{', …' if crowd.count > _SHOWN else ''})"


FILTERS = (
    Filter(True, lambda need: True, lambda need, node, fleet: not node.room.closed, _closed, _explain_closed),
    Filter(False, lambda need: bool(need.volumes), _at_home, _not_at_home, _explain_homes),
    Filter(True, lambda need: bool(need.external), _has_externals, _lacks_external, _explain_externals),
    Filter(True, lambda need: bool(need.policy.constraints), _meets, _unmet, _explain_unmet),
    Filter(True, lambda need: True, _tolerates, _tainted, _explain_taint),
    Filter(False, lambda need: need.policy.max_per_node > 0, _below_most, _at_most, _explain_most),
    Filter(False, lambda need: bool(need.ports), _ports_free, _port_taken, _explain_port),
    Filter(False, lambda need: True, _enough, _short_of, _explain_short),
)
"""In the order in which a node is asked: the first that it fails is what counts."""


def passes(need: Need, node: Node, fleet: Fleet) -> bool:
    return all(each.passes(need, node, fleet) for each in FILTERS if each.concerns(need))


def passing(need: Need, nodes: Iterable[Node], fleet: Fleet) -> set[str]:
    """Those nodes that pass all filters that are lasting."""
    checks = [each.passes for each in FILTERS if each.lasting and each.concerns(need)]
    return {node.name for node in nodes if all(check(need, node, fleet) for check in checks)}
