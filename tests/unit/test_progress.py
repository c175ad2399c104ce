"""Following an apply, and telling what came of it."""

from __future__ import annotations

import io
import sys

import pytest

from orch.cli.progress import Progress
from orch.cli.report import report_applied, summary
from orch.cli.settings import Settings
from orch.controllers.status import replica_statuses
from orch.master.engine import Applied
from orch.master.executor import Outcome
from orch.master.settle import Unsettled
from orch.master.volumes import Emptied
from orch.model.node import ContainerState, NodeObservation
from orch.model.plan import Desired, Forget, Plan, Remove, Run
from orch.model.replica import Replica
from orch.model.view import View
from tests.unit.clusters import CLUSTER, answers, container_of, node, replica_of, shop, web

WEB = web(replicas=2)
FIRST, SECOND = replica_of(WEB, "w1"), replica_of(WEB, "w1", number=2)
RUNS = Run(FIRST, WEB, "wanted"), Run(SECOND, WEB, "wanted")


class TerminalText(io.StringIO):
    def isatty(self) -> bool:
        return True


def follow(settings: Settings) -> None:
    with Progress(settings) as progress:
        progress.planned(Plan(RUNS))
        progress.done(Outcome(RUNS[0]))
        progress.done(Outcome(RUNS[1], "podman: no"))
        progress.waiting([FIRST, SECOND])
        progress.waiting([FIRST])


def test_where_nobody_watches_there_is_a_line_for_each_thing(capsys: pytest.CaptureFixture[str]) -> None:
    follow(Settings())

    assert capsys.readouterr().err == (
        "started shop/web.1 on w1\norch: w1: shop/web.2: podman: no\nwaiting for shop/web.1 and 1 more to settle\n"
    )


def test_on_a_terminal_one_more_line_says_how_far_it_is_and_goes_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = TerminalText()
    monkeypatch.setattr(sys, "stderr", terminal)
    follow(Settings())

    shown = terminal.getvalue().split("\r\x1b[K")
    assert shown == [
        "",
        "0 of 2",
        "started shop/web.1 on w1\n",
        "1 of 2",
        "orch: w1: shop/web.2: podman: no\n",
        "2 of 2, 1 failed",
        "waiting for shop/web.1 and 1 more to settle",
        "waiting for shop/web.1 to settle",
        "",
    ]


@pytest.mark.parametrize("settings", [Settings(output="json"), Settings(quiet=True)])
def test_programs_and_the_quiet_get_errors_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = TerminalText()
    monkeypatch.setattr(sys, "stderr", terminal)
    follow(settings)

    assert terminal.getvalue() == "orch: w1: shop/web.2: podman: no\n"


def test_a_lost_node_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(Settings()) as progress:
        for run in RUNS:
            progress.done(Outcome(run, "no route", lost=True))
        progress.done(Outcome(Forget(FIRST, "its container is gone")))

    assert capsys.readouterr().err == "orch: w1: no route\nforgot shop/web.1 on w1 (its container is gone)\n"
    assert progress.lost == {"w1"}


def applied(*unsettled: Unsettled) -> Applied:
    containers = [container_of(replica, WEB) for replica in (FIRST, SECOND)]
    desired = Desired(CLUSTER, (node("w1"),), (shop(WEB),), (FIRST, SECOND))
    return Applied(View(desired, {"w1": answers(*containers)}), Plan(), [Outcome(run) for run in RUNS], unsettled)


def test_what_did_not_settle_is_told_with_its_output_and_alike_ones_by_their_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unsettled = [Unsettled(replica, "it exited with 1", ("no\x1b[2J", "database")) for replica in (FIRST, SECOND)]

    assert report_applied(Settings(), applied(*unsettled), ["shop"], ()) == 1
    assert capsys.readouterr().err == (
        "orch: shop/web.1 and 1 more on w1: it exited with 1; its last output:\n"
        "    no [2J\n    database\n"
        "2 of 2 replicas running, 2 changes, 2 not settled\n"
    )


def test_what_settled_is_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_applied(Settings(), applied(), ["shop"], ()) == 0
    assert capsys.readouterr().err == "2 of 2 replicas running, 2 changes\n"


@pytest.mark.parametrize(
    ("emptied", "status", "said"),
    [
        (Emptied("shop", "w1", ("shop_a", "shop_b")), 0, "removed volume shop_a on w1\nremoved volume shop_b on w1\n"),
        (Emptied("shop", "w1", foreign=("old",)), 3, "orch: w1: volume old was not made by orch and stays; "),
        (Emptied("shop", "w1", error="podman: no"), 3, "orch: w1: the volumes of shop stay: podman: no\n"),
    ],
)
def test_volumes_that_were_to_go_are_told_of(
    capsys: pytest.CaptureFixture[str], emptied: Emptied, status: int, said: str
) -> None:
    assert report_applied(Settings(), applied(), ["shop"], (), [emptied]) == status
    assert capsys.readouterr().err.startswith(said)


def removed(*outcomes: Outcome, replicas: tuple[Replica, ...] = ()) -> Applied:
    return Applied(View(Desired(CLUSTER, (node("w1"),), (), replicas), {"w1": answers()}), Plan(), outcomes)


def test_a_stack_that_is_gone_is_told_with_its_containers(capsys: pytest.CaptureFixture[str]) -> None:
    gone = [Outcome(Remove(replica, "c", "not wanted")) for replica in (FIRST, SECOND)]

    assert report_applied(Settings(), removed(*gone), ["shop"], ()) == 0
    report_applied(Settings(), removed(gone[0], Outcome(gone[1].action, "no"), replicas=(SECOND,)), ["shop"], ())
    report_applied(Settings(), removed(), ["shop"], ())

    assert capsys.readouterr().err.splitlines() == [
        "removed shop: 2 containers",
        "removed shop: 1 container, 1 left",
        "removed shop: 0 containers",
    ]


@pytest.mark.parametrize(
    ("states", "plan", "told"),
    [
        (("exited", "exited"), Plan(), "2 done, nothing to change"),
        (("exited", "running"), Plan(), "1 of 1 replicas running, 1 done, nothing to change"),
        (
            ("exited", "running"),
            Plan((Remove(FIRST, "c", "it exited with 0"),)),
            "1 of 2 replicas running, nothing to change",
        ),
    ],
)
def test_what_ended_well_and_is_to_stay_so_is_done(
    states: tuple[ContainerState, ContainerState], plan: Plan, told: str
) -> None:
    replicas = (FIRST, SECOND)
    containers = [container_of(r, WEB, state) for r, state in zip(replicas, states, strict=True)]
    desired = Desired(CLUSTER, (node("w1"),), (shop(WEB),), replicas)
    observed: dict[str, NodeObservation] = {"w1": answers(*containers)}

    rows = replica_statuses(desired, observed)

    assert summary(Applied(View(desired, observed), plan, []), rows, ["shop"]) == told
