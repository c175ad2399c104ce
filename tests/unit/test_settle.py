"""When a replica that was started counts as deployed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from orch.controllers.settle import LOOPING, Failed, Settled, Settling, Waiting, settling
from orch.model.node import Container, ContainerState, Facts, Reachable
from orch.model.resources import Resources
from orch.model.spec import RestartPolicy, ServiceSpec
from tests.unit.clusters import ALL, ALWAYS, answers, container_of, replica_of, silent, web

WEB = web()
REPLICA = replica_of(WEB, "w1")
NO = replace(WEB, restart=RestartPolicy("no"))
NOW = 1000.0


def seen(**changes: object) -> Container:
    """Running for 100 s unless said otherwise."""
    return replace(container_of(REPLICA, WEB), **{"started_at": NOW - 100, **changes})


def judge(container: Container | None, spec: ServiceSpec = WEB) -> Settling:
    return settling(REPLICA, spec, answers(*([container] if container else [])))


@pytest.mark.parametrize(
    ("container", "verdict"),
    [
        (seen(), Settled()),
        (seen(started_at=NOW - 1.0), Settled()),
        (seen(started_at=NOW - 0.5), Waiting("it has run for 0 s")),
        (seen(restarts=1, started_at=NOW - 3), Waiting("it has run for 3 s, and was restarted once")),
        (seen(restarts=2, started_at=NOW - 3), Waiting("it has run for 3 s, and was restarted 2 times")),
        (seen(restarts=2, started_at=NOW - 5), Settled()),
        (seen(restarts=LOOPING, started_at=NOW - 3), Failed("it keeps ending: restarted 5 times")),
        (seen(restarts=LOOPING, started_at=NOW - 30), Settled()),
        (seen(health="starting"), Waiting("its healthcheck has not passed yet")),
        (seen(health="unhealthy"), Failed("its healthcheck fails", unhealthy=True)),
        (seen(health="healthy"), Settled()),
        (seen(health="healthy", started_at=NOW - 0.5), Waiting("it has run for 0 s")),
        (seen(state="paused"), Settled()),
        (seen(state="created", started_at=None), Waiting("its container is created")),
        (None, Failed("its container is gone")),
    ],
)
def test_what_runs_counts_when_it_has_run_on_end_and_its_check_has_passed(
    container: Container | None, verdict: Settling
) -> None:
    assert judge(container) == verdict


@pytest.mark.parametrize(
    ("policy", "exit_code", "restarts", "verdict"),
    [
        (RestartPolicy("no"), 0, 0, Settled()),
        (RestartPolicy("no"), 5, 0, Failed("it exited with 5")),
        (RestartPolicy("on-failure"), 0, 0, Settled()),
        (RestartPolicy("on-failure"), 5, 1, Waiting("it exited with 5, and is restarted")),
        (RestartPolicy("on-failure", 3), 5, 2, Waiting("it exited with 5, and is restarted")),
        (RestartPolicy("on-failure", 3), 5, 3, Failed("it exited with 5, after 3 times of starting it again")),
        (RestartPolicy("on-failure", 1), 5, 1, Failed("it exited with 5, after once of starting it again")),
        (ALWAYS, 0, 0, Waiting("it exited with 0, and is restarted")),
        (RestartPolicy("unless-stopped"), 5, 1, Waiting("it exited with 5, and is restarted")),
        (ALWAYS, 5, 5, Failed("it keeps ending: restarted 5 times, and it exited with 5")),
    ],
)
def test_what_has_ended_counts_when_nothing_will_start_it_again_and_it_did_well(
    policy: RestartPolicy, exit_code: int, restarts: int, verdict: Settling
) -> None:
    state: ContainerState = "exited"
    ended = seen(state=state, exit_code=exit_code, restarts=restarts)

    assert judge(ended, replace(WEB, restart=policy)) == verdict


def test_one_killed_for_its_memory_is_told_so() -> None:
    assert judge(seen(state="exited", exit_code=137, oom_killed=True), NO) == Failed(
        "it exited with 137, out of memory"
    )


def test_one_that_was_killed_and_has_a_limit_is_told_what_that_mostly_means() -> None:
    limited = replace(NO, limit=Resources(0, 16 << 20))

    assert judge(seen(state="exited", exit_code=137), limited) == Failed(
        "it exited with 137, killed, as for more memory than its limit of 16m"
    )
    assert judge(seen(state="exited", exit_code=137), NO) == Failed("it exited with 137")


def test_how_long_it_has_run_is_by_the_node_s_own_clock() -> None:
    """The node is an hour behind; by the master's clock the container has run for as long."""
    behind = Reachable(NOW, Facts(ALL, podman="5.0", clock_skew=-3600.0), (seen(started_at=NOW - 3600 - 0.5),))

    assert settling(REPLICA, WEB, behind) == Waiting("it has run for 0 s")


def test_of_a_node_that_does_not_answer_nothing_is_waited_for() -> None:
    assert settling(REPLICA, WEB, silent("no route")) == Failed("its node cannot say how it is: no route")
    assert settling(REPLICA, WEB, answers(problem="podman is missing")) == Failed(
        "its node cannot say how it is: podman is missing"
    )
    assert settling(REPLICA, WEB, None) == Failed("its node has left the inventory")
