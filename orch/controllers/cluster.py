"""The plan for a whole cluster.

    records + what was seen ──▶ judge each ──▶ claims for empty slots ──▶ scheduler ──▶ actions and refusals

Kept from the first day: carry a plan out, plan again, get nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from orch.controllers.replica import Keep, Replace, Retire, Stranded, Verdict, judge
from orch.controllers.rooms import rooms
from orch.model.node import Container, Instant, NodeObservation, Reachable, Unreachable
from orch.model.plan import Action, Adopt, Desired, Forget, Plan, Refusal, Remove, Run
from orch.model.replica import Replica, Slot, replica_id
from orch.model.spec import ServiceSpec
from orch.scheduler.place import Claim, Placement, place


def plan_cluster(desired: Desired, observed: Mapping[str, NodeObservation], *, now: Instant) -> Plan:
    """What to do so that the cluster becomes as desired. `observed`: an entry for every node of the inventory.

    `now` decides what depends on time; as yet nothing does.
    """
    del now
    survey = _Survey(desired, observed)
    placement = _place(desired, observed, survey)
    actions = [*_settle_strays(survey), *_settle_slots(survey, placement)]
    return Plan(tuple(actions), tuple(_refusals(desired, observed, survey, placement)))


class _Case(msgspec.Struct, frozen=True):
    """A recorded replica, its container where one was seen, and what is to become of it."""

    replica: Replica
    container: Container | None
    verdict: Verdict

    @property
    def serves(self) -> bool:
        """It is to be replaced and still runs."""
        return isinstance(self.verdict, Replace) and self.container is not None and self.container.state == "running"


class _Survey:
    """Everything wanted, recorded and seen, brought together by slot.

    `cases`: every record, by slot and attempt. By slot: `newest` has the last of them, `serving` the last that
    serves although it is to be replaced. `filled`: slots that take no new replica now. `waiting`: those among
    them whose replica is on a node that does not answer. `strays`: containers without a record, with their node.
    """

    def __init__(self, desired: Desired, observed: Mapping[str, NodeObservation]) -> None:
        self.cluster = desired.cluster
        self.specs = desired.services()
        self.wanted = {
            Slot(stack, service, number): spec
            for (stack, service), spec in self.specs.items()
            for number in range(1, spec.replicas + 1)
        }
        seen = list(_containers(observed))
        there = {(node, c.replica) for node, c in seen}
        self.adopted = self._adoptable(seen, {r.slot for r in desired.replicas if _may_hold(r, there, observed)})
        records = sorted((*desired.replicas, *self.adopted), key=lambda r: (r.slot, r.attempt))
        claimed = {(r.node, r.id) for r in records}
        stacks = {s.name for s in desired.stacks}
        self.strays = [(node, c) for node, c in seen if (node, c.replica) not in claimed and c.slot.stack in stacks]
        self.last_attempt: dict[Slot, int] = {}
        for slot, attempt in [*((c.slot, c.attempt) for _, c in seen), *((r.slot, r.attempt) for r in records)]:
            self.last_attempt[slot] = max(attempt, self.last_attempt.get(slot, 0))
        self._judge(records, {(node, c.replica): c for node, c in seen}, observed)

    def _adoptable(self, seen: list[tuple[str, Container]], held: set[Slot]) -> list[Replica]:
        """Containers that fill a slot with just what is wanted, where no record does; the newest of several."""
        found: dict[Slot, Replica] = {}
        for node, c in sorted(seen, key=lambda item: (item[1].attempt, item[0])):
            spec = self.wanted.get(c.slot)
            if spec is not None and c.slot not in held and c.state == "running" and c.spec_hash == spec.hash:
                found[c.slot] = _record(c.replica, c.slot, c.attempt, node, spec)
        return [found[slot] for slot in sorted(found)]

    def _judge(
        self,
        records: list[Replica],
        containers: Mapping[tuple[str, str], Container],
        observed: Mapping[str, NodeObservation],
    ) -> None:
        cases = []
        for record in records:
            container = containers.get((record.node, record.id))
            verdict = judge(record, self.wanted.get(record.slot), observed.get(record.node), container)
            cases.append(_Case(record, container, verdict))
        kept = {case.replica.slot: case for case in cases if isinstance(case.verdict, Keep)}
        self.cases = [_one_only(case, kept.get(case.replica.slot)) for case in cases]
        self.newest = {case.replica.slot: case for case in self.cases}
        self.serving = {case.replica.slot: case for case in self.cases if case.serves}
        self.waiting = {
            case.replica.slot
            for case in self.cases
            if isinstance(case.verdict, Stranded) and case.replica.slot not in kept and self._is_last(case)
        }
        self.filled = {*kept, *self.waiting}

    def _is_last(self, stranded: _Case) -> bool:
        """Whether no later replica of its slot serves; an earlier one was on its way out."""
        serving = self.serving.get(stranded.replica.slot)
        return serving is None or serving.replica.attempt < stranded.replica.attempt

    def serves_on(self, case: _Case, refused: Mapping[Slot, str]) -> bool:
        """Whether it stays although it is to be replaced: its successor fits nowhere, or is out of sight."""
        slot = case.replica.slot
        return self.serving.get(slot) is case and (slot in refused or slot in self.waiting)


def _one_only(case: _Case, newest_kept: _Case | None) -> _Case:
    """A slot has one replica: older ones that also run as wanted make way for the newest."""
    if isinstance(case.verdict, Keep) and case is not newest_kept:
        return msgspec.structs.replace(case, verdict=Retire("a newer replica fills its slot"))
    return case


def _may_hold(replica: Replica, there: set[tuple[str, str]], observed: Mapping[str, NodeObservation]) -> bool:
    """Not so when its node was read and has no container of it: then the record is out of date."""
    node = observed.get(replica.node)
    if not isinstance(node, Reachable) or node.problem:
        return node is not None
    return (replica.node, replica.id) in there


def _record(ident: str, slot: Slot, attempt: int, node: str, spec: ServiceSpec) -> Replica:
    return Replica(ident, slot, attempt, node, spec.hash, spec.request, spec.stop_grace)


def _containers(observed: Mapping[str, NodeObservation]) -> Iterator[tuple[str, Container]]:
    """On nodes that can be worked with: on any other nothing may be done."""
    for node, observation in sorted(observed.items()):
        if isinstance(observation, Reachable) and not observation.problem:
            for container in sorted(observation.containers, key=lambda c: (c.slot, c.attempt, c.id)):
                yield node, container


def _place(desired: Desired, observed: Mapping[str, NodeObservation], survey: _Survey) -> Placement:
    """Places for all slots that need a new replica. What serves until then keeps its room."""
    serving = {
        slot: case.replica
        for slot, case in survey.serving.items()
        if slot in survey.waiting or slot not in survey.filled
    }
    staying = [case.replica for case in survey.cases if isinstance(case.verdict, Keep | Stranded)]
    claims = []
    for slot, spec in survey.wanted.items():
        if slot in survey.filled:
            continue
        if slot in serving:
            claims.append(Claim(slot, spec.request, serving[slot].node, serving[slot].request))
        else:
            newest = survey.newest.get(slot)
            claims.append(Claim(slot, spec.request, newest.replica.node if newest else None))
    return place(claims, rooms(desired.nodes, observed, [*staying, *serving.values()]))


def _settle_strays(survey: _Survey) -> Iterator[Action]:
    for replica in survey.adopted:
        yield Adopt(replica, f"it runs on {replica.node} as wanted, without a record")
    for node, container in survey.strays:
        replica = Replica(container.replica, container.slot, container.attempt, node, container.spec_hash)
        yield Remove(replica, container.id, "there is no record of it")


def _settle_slots(survey: _Survey, placement: Placement) -> Iterator[Action]:
    """Old replicas go before new ones come; one whose successor fits nowhere serves on."""
    reasons: dict[Slot, str] = {}
    for case in survey.cases:
        replica, container = case.replica, case.container
        match case.verdict:
            case Retire(why) | Replace(why) if not survey.serves_on(case, placement.refused):
                if isinstance(case.verdict, Replace):
                    reasons[replica.slot] = why
                if container is None:
                    yield Forget(replica, why)
                else:
                    yield Remove(replica, container.id, why)
    for slot, node in sorted(placement.bound.items()):
        spec = survey.wanted[slot]
        attempt = survey.last_attempt.get(slot, 0) + 1
        replica = _record(replica_id(survey.cluster, slot, attempt), slot, attempt, node, spec)
        yield Run(replica, spec, reasons.get(slot, "wanted"))


def _refusals(
    desired: Desired, observed: Mapping[str, NodeObservation], survey: _Survey, placement: Placement
) -> Iterator[Refusal]:
    for slot, reason in sorted(placement.refused.items()):
        yield Refusal(str(slot), reason)
    stranded = Counter(c.replica.node for c in survey.cases if isinstance(c.verdict, Stranded))
    for node in sorted(desired.nodes, key=lambda n: n.name):
        if count := stranded[node.name]:
            left = "1 replica there is left as it is" if count == 1 else f"{count} replicas there are left as they are"
            yield Refusal(node.name, f"{_problem(observed[node.name])}; {left}", node.name)


def _problem(observation: NodeObservation) -> str:
    return observation.reason if isinstance(observation, Unreachable) else observation.problem
