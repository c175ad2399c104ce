"""The plan for a whole cluster.

    records + what was seen ──▶ judge each ──▶ claims for empty slots ──▶ scheduler ──▶ actions and refusals

Kept from the first day: carry a plan out, plan again, get nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from orch.controllers.course import ONE_COMMAND, Course, failures_after
from orch.controllers.replica import Delayed, Lost, Replace, Retire, Stranded
from orch.controllers.rooms import rooms
from orch.controllers.survey import Case, Survey
from orch.model.instant import Instant
from orch.model.node import NodeObservation, Reachable, Unreachable
from orch.model.plan import Action, Adopt, Desired, Forget, Plan, Refusal, Remove, Run
from orch.model.replica import Replica, Slot, replica_id
from orch.model.volume import Volume
from orch.scheduler.claim import Claim, Held
from orch.scheduler.place import Placement, place


def plan_cluster(
    desired: Desired, observed: Mapping[str, NodeObservation], *, now: Instant, course: Course = ONE_COMMAND
) -> Plan:
    """What to do so that the cluster becomes as desired. `observed`: an entry for every node of the inventory."""
    survey = Survey(desired, observed, course, now)
    placement = _place(desired, observed, survey)
    actions = [*_settle_strays(survey), *_settle_slots(desired.cluster, survey, placement, now)]
    refusals = tuple(_refusals(desired, observed, survey, placement, course))
    waits = [case.verdict.until for case in survey.cases if isinstance(case.verdict, Delayed)]
    if (move := course.next_move(desired.nodes, observed, now)) is not None:
        waits.append(move)
    homes = tuple(_new_homes(desired, survey, placement))
    return Plan(tuple(actions), refusals, homes, min(waits, default=None))


def _place(desired: Desired, observed: Mapping[str, NodeObservation], survey: Survey) -> Placement:
    """Places for all slots that need a new replica. What serves until then keeps its room."""
    claims = list(_claims(survey))
    if not claims:
        return Placement({}, {})
    images = {claim.need.image for claim in claims}
    homes = _found_volumes(claims, observed) | survey.homes
    return place(claims, rooms(desired.nodes, observed, survey.holding(), images), homes)


def _claims(survey: Survey) -> Iterator[Claim]:
    for slot, service in survey.wanted.items():
        if slot in survey.filled:
            continue
        pin = survey.pinned.get(slot)
        if (serving := survey.serving.get(slot)) is not None:
            replica = serving.replica
            held = Held(replica.request, replica.ports)
            yield Claim(slot, service.need, replica.node, held, pinned=pin is not None)
        else:
            newest = survey.newest.get(slot)
            yield Claim(slot, service.need, pin or (newest.replica.node if newest else None), pinned=pin is not None)


def _found_volumes(claims: Iterable[Claim], observed: Mapping[str, NodeObservation]) -> dict[str, str]:
    """Volumes without a record that one node alone has: after the state was lost, the data is there."""
    used = {volume for claim in claims for volume in claim.need.volumes}
    if not used:
        return {}
    there: dict[str, list[str]] = {}
    for node, observation in observed.items():
        if isinstance(observation, Reachable):
            for volume in used.intersection(observation.volumes or ()):
                there.setdefault(volume, []).append(node)
    return {volume: nodes[0] for volume, nodes in there.items() if len(nodes) == 1}


def _settle_strays(survey: Survey) -> Iterator[Action]:
    for replica in survey.adopted:
        yield Adopt(replica, f"it runs on {replica.node} as wanted, without a record")
    for node, container in survey.strays:
        replica = Replica(container.replica, container.slot, container.attempt, node, container.spec_hash)
        yield Remove(replica, container.id, "there is no record of it")


def _settle_slots(cluster: str, survey: Survey, placement: Placement, now: Instant) -> Iterator[Action]:
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
            case Lost(why):
                reasons[replica.slot] = why
    attempts = survey.last_attempts(placement.bound)
    for slot, node in sorted(placement.bound.items()):
        service, attempt = survey.wanted[slot], attempts[slot] + 1
        replica = service.replica(replica_id(cluster, slot, attempt), slot, attempt, node)
        replica = msgspec.structs.replace(replica, planned_at=now, failures=_failures(survey.newest.get(slot), now))
        yield Run(replica, service.spec, reasons.get(slot, "wanted"), service.volumes, service.files)


def _failures(last: Case | None, now: Instant) -> int:
    """What a new replica has behind it. Another node or another spec is another chance."""
    if last is None or not isinstance(last.verdict, Replace) or not last.verdict.failed:
        return 0
    return failures_after(last.replica, now)


def _new_homes(desired: Desired, survey: Survey, placement: Placement) -> Iterator[Volume]:
    """Where volumes have their data from now on of which there was no record: where replicas that use them are, or are
    going to be."""
    known = {volume.name for volume in desired.volumes}
    found: dict[str, Volume] = {}
    for slot, service in survey.wanted.items():
        for name in service.need.volumes:
            home = survey.homes.get(name) or placement.bound.get(slot)
            if home is not None and name not in known:
                found.setdefault(name, Volume(name, home, slot.stack))
    yield from (found[name] for name in sorted(found))


def _refusals(
    desired: Desired, observed: Mapping[str, NodeObservation], survey: Survey, placement: Placement, course: Course
) -> Iterator[Refusal]:
    if too_many := course.too_many_away(desired.nodes, observed):
        yield Refusal("nodes", f"{too_many}: nothing is moved")
    for slot, reason in sorted(placement.refused.items()):
        yield Refusal(str(slot), reason)
    # One whose slot has a newer replica, or gets one, is not left as it is: it goes when its node is back.
    replaced = (survey.filled - survey.waiting) | placement.bound.keys()
    stranded = Counter(
        c.replica.node for c in survey.cases if isinstance(c.verdict, Stranded) and c.replica.slot not in replaced
    )
    for node in sorted(desired.nodes, key=lambda n: n.name):
        if count := stranded[node.name]:
            left = "1 replica there is left as it is" if count == 1 else f"{count} replicas there are left as they are"
            yield Refusal(node.name, f"{_problem(observed[node.name])}; {left}", node.name)


def _problem(observation: NodeObservation) -> str:
    return observation.reason if isinstance(observation, Unreachable) else observation.problem
