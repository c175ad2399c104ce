"""Telling what a plan will do and what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from orch.cli.fleet import warn_of_nodes
from orch.cli.output import Row, flat, note, print_json, warn
from orch.cli.settings import Settings
from orch.controllers.changes import Change
from orch.controllers.status import ReplicaStatus, replica_statuses
from orch.errors import PartialError, RefusedError
from orch.model.plan import Action, Adopt, Forget, Plan, Refusal, Remove, Run
from orch.model.replica import Slot

if TYPE_CHECKING:
    from orch.master.engine import Applied
    from orch.master.settle import Unsettled
    from orch.master.volumes import Emptied
    from orch.model.view import View

_KINDS = {Run: "run", Remove: "remove", Forget: "forget", Adopt: "adopt"}
CHANGES_TO_MAKE = 10


def report_plan(settings: Settings, view: View, plan: Plan, cluster: str, changes: Sequence[Change] = ()) -> int:
    """Print the plan; the exit status of `orch plan`. `changes`: how the specs of services differ from those before."""
    if settings.output == "json":
        actions = [_action_row(action) for action in plan.actions]
        print_json({"actions": actions, "refusals": _refusal_rows(plan.refusals), "changes": _change_rows(changes)})
    else:
        for change in changes:
            click.echo(f"change  {change.object}: {flat(', '.join(change.keys))}")
        for action in plan.actions:
            row = _action_row(action)
            click.echo(f"{row['kind']:<7} {row['object']} on {row['node']}: {row['why']}")
            if settings.verbose and isinstance(action, Run | Remove):
                from orch.master.steps import steps_of

                for step in steps_of(cluster, action):
                    click.echo(f"        {shlex.join(step.command.argv)}")
        if not plan.actions:
            note(settings, "nothing can be changed" if plan.refusals else "nothing to change")
    _tell_refusals(plan.refusals)
    warn_of_nodes(view.observed, told={r.node for r in plan.refusals if r.node})
    return plan_status(plan)


def plan_status(plan: Plan) -> int:
    """4: something cannot be as wanted; 10: there is something to do; 3: there is not, and replicas on hosts that do
    not take part are left as they are, as `orch apply` has it."""
    if any(refusal.node is None for refusal in plan.refusals):
        return RefusedError.exit_status
    if plan.actions:
        return CHANGES_TO_MAKE
    return PartialError.exit_status if plan.refusals else 0


def report_applied(
    settings: Settings,
    applied: Applied,
    stacks: Iterable[str],
    lost: Collection[str],
    emptied: Sequence[Emptied] = (),
) -> int:
    """Print how things stand now; the exit status of a command that changed something.

    `lost`: nodes whose failure was told already.
    1: failed; 3: some nodes did not take part; 4: something was refused.
    """
    wanted = set(stacks)
    rows = [r for r in replica_statuses(applied.view.desired, applied.view.observed) if r.stack in wanted]
    if settings.output == "json":
        print_json(_applied_json(applied, rows))
    refusals = [refusal for refusal in applied.plan.refusals if refusal.node not in lost]
    _tell_refusals(refusals)
    warn_of_nodes(applied.view.observed, told={r.node for r in refusals if r.node} | set(lost))
    unsettled = {str(u.replica.slot) for u in applied.unsettled}
    _tell_unsettled(applied.unsettled)
    failed = [row for row in rows if row.failed and row.name not in unsettled]
    for row in failed:
        warn(
            f"{row.name}: {row.reason} on {row.node}; its output says more: "
            f"orch run {row.node} -b -- podman logs {row.stack}.{row.service}.{row.slot}"
        )
    told = {str(o.action.replica.slot) for o in applied.outcomes if o.error} | {row.name for row in failed} | unsettled
    for action in applied.plan.actions:
        if str(action.replica.slot) in told:
            continue
        warn(f"{action.replica.slot}: not settled yet: {action.why}; apply again")
    _tell_volumes(settings, emptied)
    note(settings, summary(applied, rows, sorted(wanted)))
    status = _status(applied, failed=bool(failed or unsettled))
    return 3 if status == 0 and any(e.error or e.foreign for e in emptied) else status


def _tell_volumes(settings: Settings, emptied: Sequence[Emptied]) -> None:
    for found in emptied:
        for name in found.removed:
            note(settings, f"removed volume {name} on {found.node}")
        for name in found.foreign:
            warn(f"{found.node}: volume {name} was not made by orch and stays; podman volume rm {name} removes it")
        if found.error:
            warn(f"{found.node}: the volumes of {found.stack} stay: {found.error}")


def summary(applied: Applied, rows: Sequence[ReplicaStatus], stacks: Sequence[str]) -> str:
    """`3 of 4 replicas running, 1 done, 2 changes`, or of stacks that are not wanted any more `removed shop: 4
    containers`."""
    wanted = {stack.name for stack in applied.view.desired.stacks}
    if wanted.isdisjoint(stacks):
        return "; ".join(_removal(applied, rows, stack) for stack in stacks)
    left = {action.replica.slot for action in applied.plan.actions}
    # Nothing is planned for one that was not to run for ever.
    ended = sum(row.exit_code == 0 and Slot(row.stack, row.service, row.slot) not in left for row in rows)
    running = sum(row.state == "running" for row in rows)
    told = [f"{running} of {len(rows) - ended} replicas running"] if len(rows) > ended or not rows else []
    told += [f"{ended} done"] if ended else []
    done = sum(outcome.done for outcome in applied.outcomes)
    errors = sum(bool(outcome.error) for outcome in applied.outcomes)
    told += [_counted(done, "change") if done or errors else "nothing to change"]
    told += [f"{errors} failed"] if errors else []
    told += [f"{len(applied.unsettled)} not settled"] if applied.unsettled else []
    return ", ".join(told)


def _removal(applied: Applied, rows: Sequence[ReplicaStatus], stack: str) -> str:
    gone = sum(
        outcome.done and isinstance(outcome.action, Remove) and outcome.action.replica.slot.stack == stack
        for outcome in applied.outcomes
    )
    left = sum(row.stack == stack for row in rows)
    return f"removed {stack}: {_counted(gone, 'container')}" + (f", {left} left" if left else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _applied_json(applied: Applied, rows: Sequence[ReplicaStatus]) -> Row:
    return {
        "actions": [_action_row(o.action) | {"error": o.error or None, "done": o.done} for o in applied.outcomes],
        "refusals": _refusal_rows(applied.plan.refusals),
        "unsettled": [
            {"object": str(u.replica.slot), "node": u.replica.node, "reason": u.why, "output": list(u.output)}
            for u in applied.unsettled
        ],
        "replicas": {"wanted": len(rows), "running": sum(row.state == "running" for row in rows)},
    }


def _tell_unsettled(unsettled: Sequence[Unsettled]) -> None:
    """Each with what it printed last; those of a service that failed alike, after the first few, by their number."""
    for (_, why, output), group in groupby(unsettled, key=lambda u: (service_of(u.replica.slot), u.why, u.output)):
        alike = list(group)
        more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        said = "; its last output:" if output else ""
        warn(f"{alike[0].replica.slot}{more} on {alike[0].replica.node}: {why}{said}")
        for line in output:
            click.echo(f"    {flat(line)}", err=True)


def service_of(slot: Slot) -> tuple[str, str]:
    return slot.stack, slot.service


def _status(applied: Applied, *, failed: bool) -> int:
    errors = [o for o in applied.outcomes if o.error]
    if errors and any(o.done for o in applied.outcomes):
        return 3
    if errors or failed or applied.plan.actions:
        return 1
    if any(refusal.node is None for refusal in applied.plan.refusals):
        return 4
    return 3 if applied.plan.refusals else 0


def _action_row(action: Action) -> Row:
    return {
        "kind": _KINDS[type(action)],
        "object": str(action.replica.slot),
        "node": action.replica.node,
        "why": action.why,
    }


def _change_rows(changes: Sequence[Change]) -> list[Row]:
    return [{"object": change.object, "keys": list(change.keys)} for change in changes]


def _refusal_rows(refusals: Sequence[Refusal]) -> list[Row]:
    return [{"object": r.object, "reason": r.reason} for r in refusals]


def _tell_refusals(refusals: Sequence[Refusal]) -> None:
    """One line for each node, and for each reason of a service, however many replicas it concerns."""
    for (_, reason), group in groupby(refusals, key=lambda r: (r.node or r.object.rpartition(".")[0], r.reason)):
        objects = [refusal.object for refusal in group]
        more = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
        warn(f"{objects[0]}{more}: {reason}")
