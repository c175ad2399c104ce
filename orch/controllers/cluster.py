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


class _Survey:
    """Everything wanted, recorded and seen, brought together by slot."""

    def __init__(self, desired: Desired, observed: Mapping[str, NodeObservation]) -> None:
        self.cluster = desired.cluster
        self.specs = desired.services()
        self.wanted = {
            Slot(stack, service, number): spec
            for (stack, service), spec in self.specs.items()
            for number in range(1, spec.replicas + 1)
        }
        known_stacks = {s.name for s in desired.stacks}
        seen = list(_containers(observed))
        by_replica = {(node, c.replica): c for node, c in seen}
        recorded = {(r.node, r.id): r for r in desired.replicas}
        self.adopted = self._adoptable(seen, {r.slot for r in desired.replicas})
        claimed = set(recorded) | {(r.node, r.id) for r in self.adopted}
        self.strays = [
            (node, c) for node, c in seen if (node, c.replica) not in claimed and c.slot.stack in known_stacks
        ]
        self.cases = [
            self._case(r, by_replica, observed)
            for r in sorted((*desired.replicas, *self.adopted), key=lambda r: (r.slot, r.attempt))
        ]
        self.last_attempt: dict[Slot, int] = {}
        for slot, attempt in [(c.slot, c.attempt) for _, c in seen] + [(r.slot, r.attempt) for r in desired.replicas]:
            self.last_attempt[slot] = max(attempt, self.last_attempt.get(slot, 0))

    def _case(
        self,
        replica: Replica,
        by_replica: Mapping[tuple[str, str], Container],
        observed: Mapping[str, NodeObservation],
    ) -> _Case:
        container = by_replica.get((replica.node, replica.id))
        spec = self.wanted.get(replica.slot)
        return _Case(replica, container, judge(replica, spec, observed.get(replica.node), container))

    def _adoptable(self, seen: list[tuple[str, Container]], recorded: set[Slot]) -> list[Replica]:
        """Containers that fill an unrecorded slot with just what is wanted; the newest of several."""
        found: dict[Slot, Replica] = {}
        for node, c in sorted(seen, key=lambda item: (item[1].attempt, item[0])):
            spec = self.wanted.get(c.slot)
            if spec is not None and c.slot not in recorded and c.state == "running" and c.spec_hash == spec.hash:
                found[c.slot] = _record(c.replica, c.slot, c.attempt, node, spec)
        return [found[slot] for slot in sorted(found)]

    def filled(self) -> set[Slot]:
        """Slots that no other replica may have now."""
        return {case.replica.slot for case in self.cases if isinstance(case.verdict, Keep | Stranded)}


def _record(ident: str, slot: Slot, attempt: int, node: str, spec: ServiceSpec) -> Replica:
    return Replica(ident, slot, attempt, node, spec.hash, spec.request, spec.stop_grace)


def _containers(observed: Mapping[str, NodeObservation]) -> Iterator[tuple[str, Container]]:
    for node, observation in sorted(observed.items()):
        if isinstance(observation, Reachable):
            for container in observation.containers:
                yield node, container


def _place(desired: Desired, observed: Mapping[str, NodeObservation], survey: _Survey) -> Placement:
    """Places for all slots that need a new replica."""
    filled = survey.filled()
    holding = [case.replica for case in survey.cases if case.replica.slot in filled or _still_runs(case)]
    last = {case.replica.slot: case for case in survey.cases}
    claims = []
    for slot, spec in survey.wanted.items():
        if slot in filled:
            continue
        case = last.get(slot)
        if case is None:
            claims.append(Claim(slot, spec.request))
        else:
            held = case.replica.request if _still_runs(case) else None
            claims.append(Claim(slot, spec.request, case.replica.node, held))
    return place(claims, rooms(desired.nodes, observed, holding))


def _still_runs(case: _Case) -> bool:
    return isinstance(case.verdict, Replace) and case.container is not None and case.container.state == "running"


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
            case Retire(why) | Replace(why) if not (replica.slot in placement.refused and _still_runs(case)):
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
    for node in desired.nodes:
        if count := stranded[node.name]:
            left = "1 replica there is left as it is" if count == 1 else f"{count} replicas there are left as they are"
            yield Refusal(node.name, f"{_problem(observed[node.name])}; {left}", node.name)


def _problem(observation: NodeObservation) -> str:
    return observation.reason if isinstance(observation, Unreachable) else observation.problem
