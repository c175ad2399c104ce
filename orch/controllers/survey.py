"""Everything wanted, recorded and seen, brought together by slot, and judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from orch.controllers.course import Course
from orch.controllers.replica import Busy, Delayed, Keep, Lost, Replace, Retire, Stranded, Verdict, judge
from orch.controllers.service import Service, services_of
from orch.controllers.slots import Containers, is_as_wanted, misplaced, wanted_slots
from orch.model.instant import Instant
from orch.model.node import Container, NodeObservation, Reachable
from orch.model.plan import Desired
from orch.model.replica import Replica, Slot

_UNWANTED = "not wanted any more"


class Case(msgspec.Struct, frozen=True):
    """A recorded replica, its container where one was seen, and what is to become of it."""

    replica: Replica
    container: Container | None
    verdict: Verdict

    @property
    def serves(self) -> bool:
        """It is to be replaced and still runs."""
        return isinstance(self.verdict, Replace) and self.container is not None and self.container.state == "running"


class Survey:
    """`wanted`: what is to fill each slot, sorted; `pinned`: the nodes of those of global services.

    `cases`: every record, by slot and attempt. By slot: `newest` has the last of them, `serving` the last that
    serves although it is to be replaced. `filled`: slots that take no new replica now. `waiting`: those among
    them whose replica is on a node that does not answer. `strays`: containers without a record, with their node.
    `homes`: local volume → the node with its data, as recorded or as replicas that use it show.
    """

    def __init__(self, desired: Desired, observed: Mapping[str, NodeObservation], course: Course, now: Instant) -> None:
        self.services = services_of(desired)
        self._nodes = {node.name: node for node in desired.nodes}
        self._observed, self._course = observed, course
        self._given_up = course.given_up(desired.nodes, observed, now)
        self._now = now
        self.seen = list(_containers(observed))
        self._containers: Containers = {(node, c.replica): c for node, c in self.seen}
        wanted = wanted_slots(self.services, desired, observed, self._containers)
        self.wanted, self.pinned = wanted.slots, wanted.pinned
        self.adopted = self._adoptable({r.slot for r in desired.replicas if self._may_hold(r)})
        self.records = sorted((*desired.replicas, *self.adopted), key=lambda r: (r.slot, r.attempt))
        claimed = {(r.node, r.id) for r in self.records}
        stacks = {s.name for s in desired.stacks}
        self.strays = [
            (node, c)
            for node, c in self.seen
            if (node, c.replica) not in claimed and c.slot.stack in stacks and c.slot not in course.busy
        ]
        self.homes = {volume.name: volume.node for volume in desired.volumes}
        self._sort(self._placed(self._judged()))

    def _may_hold(self, replica: Replica) -> bool:
        """Not so when its node was read and has no container of it: then the record is out of date."""
        node = self._observed.get(replica.node)
        if not isinstance(node, Reachable) or node.problem:
            return node is not None
        return (replica.node, replica.id) in self._containers

    def _adoptable(self, held: set[Slot]) -> list[Replica]:
        """Containers that fill a slot with just what is wanted, where no record does; the newest of several."""
        found: dict[Slot, Replica] = {}
        for node, c in sorted(self.seen, key=lambda item: (item[1].attempt, item[0])):
            if c.slot in held or c.slot in self._course.busy:
                continue
            service = self._wanted_at(c.slot, node)
            if service is not None and is_as_wanted(c, service):
                found[c.slot] = service.replica(c.replica, c.slot, c.attempt, node)
        return [found[slot] for slot in sorted(found)]

    def _wanted_at(self, slot: Slot, node: str) -> Service | None:
        """The slot of a global service is wanted on its own node alone."""
        return self.wanted.get(slot) if self.pinned.get(slot, node) == node else None

    def _judged(self) -> list[Case]:
        """Each by itself, and then that a slot has one replica: older ones that also run as wanted make way."""
        cases = [self._case(record) for record in self.records]
        kept = {case.replica.slot: case for case in cases if isinstance(case.verdict, Keep | Busy)}
        if len(kept) == len(cases):
            return cases
        return [
            msgspec.structs.replace(case, verdict=Retire("a newer replica fills its slot"))
            if isinstance(case.verdict, Keep) and case is not kept[case.replica.slot]
            else case
            for case in cases
        ]

    def _case(self, record: Replica) -> Case:
        container = self._containers.get((record.node, record.id))
        node = self._observed.get(record.node)
        if record.slot in self._course.busy:
            return Case(record, container, Busy())
        verdict = judge(record, self._wanted_at(record.slot, record.node), node, container)
        if isinstance(verdict, Stranded) and record.node in self._given_up and self._may_move(record.slot):
            return Case(record, container, Lost(self._given_up[record.node]))
        if isinstance(verdict, Replace) and verdict.failed and (until := self._course.not_before(record)) > self._now:
            return Case(record, container, Delayed(verdict.why, until))
        if isinstance(verdict, Retire) and verdict.why == _UNWANTED:
            service = self.services.get((record.slot.stack, record.slot.service))
            if service is not None and service.is_global and node is not None:
                verdict = Retire(misplaced(service, self._nodes[record.node], node) or verdict.why)
        return Case(record, container, verdict)

    def _may_move(self, slot: Slot) -> bool:
        """A job may have ended on its node, out of sight, and is not to be done twice."""
        service = self.wanted.get(slot)
        return slot not in self.pinned and (service is None or not service.is_job)

    def _placed(self, cases: list[Case]) -> list[Case]:
        """Those that would be kept, but may not be where they are, are replaced."""
        self._find_homes(cases)
        on_node: dict[tuple[str, str, str], int] = {}
        placed = []
        for case in cases:
            if isinstance(case.verdict, Keep) and (why := self._misplaced(case, on_node)):
                case = Case(case.replica, case.container, Replace(why))
            placed.append(case)
        return placed

    def _misplaced(self, case: Case, on_node: dict[tuple[str, str, str], int]) -> str:
        """Why it may not stay, or empty. What has ended stays in any case. `on_node` counts what stays of services of
        which only so many may be on a node: the lowest slots do."""
        replica = case.replica
        service = self.wanted[replica.slot]
        if case.container is None or case.container.state == "exited":
            return ""
        if why := misplaced(service, self._nodes[replica.node], self._observed[replica.node]):
            return why
        for volume in service.need.volumes:
            if self.homes[volume] != replica.node:
                return f"its volume {volume} has its data on {self.homes[volume]}"
        if most := service.spec.placement.max_per_node:
            key = (*service.need.service, replica.node)
            if on_node.get(key, 0) >= most:
                return f"{replica.node} may have no more than {most} of it"
            on_node[key] = on_node.get(key, 0) + 1
        return ""

    def _find_homes(self, cases: list[Case]) -> None:
        """A volume of which there is no record has its home where the first replica that uses it is."""
        for case in cases:
            if isinstance(case.verdict, Keep | Stranded | Lost | Busy | Delayed) and (
                service := self.wanted.get(case.replica.slot)
            ):
                for volume in service.need.volumes:
                    if case.replica.spec_hash == service.hash:
                        self.homes.setdefault(volume, case.replica.node)

    def _sort(self, cases: list[Case]) -> None:
        self.cases = cases
        kept = {case.replica.slot for case in cases if isinstance(case.verdict, Keep)}
        self.newest = {case.replica.slot: case for case in cases}
        self.serving = {case.replica.slot: case for case in cases if case.serves}
        self.waiting = {
            case.replica.slot
            for case in cases
            if isinstance(case.verdict, Stranded) and case.replica.slot not in kept and self._is_last(case)
        }
        settled = {case.replica.slot for case in cases if isinstance(case.verdict, Busy | Delayed)}
        self.filled = kept | self.waiting | settled | self._course.busy

    def _is_last(self, stranded: Case) -> bool:
        """Whether no later replica of its slot serves; an earlier one was on its way out."""
        serving = self.serving.get(stranded.replica.slot)
        return serving is None or serving.replica.attempt < stranded.replica.attempt

    def holding(self) -> Iterable[Replica]:
        """Those that keep their places as long as nothing else is decided."""
        for case in self.cases:
            slot = case.replica.slot
            match case.verdict:
                case Keep():
                    if not self.wanted[slot].has_ended(case.container):
                        yield case.replica
                case Stranded() | Busy() | Delayed():
                    yield case.replica
                case Replace() if self.serving.get(slot) is case and (slot in self.waiting or slot not in self.filled):
                    yield case.replica

    def serves_on(self, case: Case, refused: Mapping[Slot, str]) -> bool:
        """Whether it stays although it is to be replaced: its successor fits nowhere, or is out of sight."""
        slot = case.replica.slot
        return self.serving.get(slot) is case and (slot in refused or slot in self.waiting)

    def last_attempts(self, slots: Iterable[Slot]) -> dict[Slot, int]:
        """The highest that was recorded or seen, 0 where there was none."""
        last = dict.fromkeys(slots, 0)
        for record in self.records:
            if record.slot in last:
                last[record.slot] = max(last[record.slot], record.attempt)
        for _, container in self.seen:
            if container.slot in last:
                last[container.slot] = max(last[container.slot], container.attempt)
        return last


def _containers(observed: Mapping[str, NodeObservation]) -> Iterator[tuple[str, Container]]:
    """On nodes that can be worked with: on any other nothing may be done."""
    for node, observation in sorted(observed.items()):
        if isinstance(observation, Reachable) and not observation.problem:
            for container in sorted(observation.containers, key=lambda c: (c.slot, c.attempt, c.id)):
                yield node, container
