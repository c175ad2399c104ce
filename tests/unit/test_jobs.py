"""Jobs: what they are made of, and what of a plan and of a list is theirs."""

from __future__ import annotations

import pytest

from orch.controllers.jobs import is_job, job_stack, jobs_of, only, read_environment
from orch.controllers.status import replica_statuses
from orch.master.jobs import Tail
from orch.model.plan import Desired, Forget, Plan, Refusal
from orch.model.replica import Replica, Slot
from orch.model.resources import Resources
from orch.model.spec import ServiceSpec, StackSpec
from orch.model.volume import Volume
from orch.podman.jobs import Ended, is_gone, logs_script, parse_ended, wait_script


def replica(stack: str, service: str = "job") -> Replica:
    return Replica(stack, Slot(stack, service, 1), 1, "w1", "hash")


def test_a_job_is_a_stack_of_one_replica_that_is_never_started_again() -> None:
    stack = job_stack("x-1", "redis", ("a", "b c"), {"B": "2", "A": "1"}, Resources(500, 64))
    (service,) = stack.services
    assert (stack.name, service.name, service.replicas) == ("job-x-1", "job", 1)
    assert (service.image, service.command) == ("docker.io/library/redis:latest", ("a", "b c"))
    assert (service.restart.condition, service.mode) == ("no", "replicated-job")
    assert service.request == service.limit == Resources(500, 64)
    assert list(service.environment) == ["A", "B"]
    assert is_job(stack)


def test_without_a_command_the_image_s_own_runs() -> None:
    assert job_stack("x", "redis", (), {}, Resources()).services[0].command is None


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a/b", "a.b", "x" * 41])
def test_these_name_no_job(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a job"):
        job_stack(name, "redis", (), {}, Resources())


def test_a_stack_that_only_has_such_a_name_is_no_job() -> None:
    web = StackSpec("job-web", (ServiceSpec("web", "redis"),))
    assert not is_job(web)
    desired = Desired("prod", stacks=(web,), replicas=(replica("job-web", "web"), replica("job-gone"), replica("shop")))
    assert [row.stack for row in jobs_of(desired, replica_statuses(desired, {}))] == ["job-gone"]


def test_of_a_plan_only_what_concerns_the_job_is_done() -> None:
    plan = Plan(
        (Forget(replica("job-x"), "gone"), Forget(replica("shop"), "gone")),
        (Refusal("job-x/job.1", "no room"), Refusal("shop/web.1", "no room"), Refusal("w1", "off", "w1")),
    )
    mine = only(plan, "job-x")
    assert [action.replica.slot.stack for action in mine.actions] == ["job-x"]
    assert [refusal.object for refusal in mine.refusals] == ["job-x/job.1"]


def test_an_environment_is_read_line_by_line() -> None:
    lines = ["# no", "", "A=1 = one ", "B=", "C", "D", "  # no", "E=x\r"]
    assert read_environment(lines, {"C": "mine"}) == {"A": "1 = one ", "B": "", "C": "mine", "E": "x"}


@pytest.mark.parametrize(("line", "message"), [("=x", "the key is missing"), ("a b=1", "cannot name a variable")])
def test_what_is_no_variable_is_refused_with_its_line(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"line 2: .*{message}"):
        read_environment(["A=1", line], {})


def test_podman_is_told_to_follow_and_to_wait_with_these_words() -> None:
    assert logs_script("job-x.job.1", follow=True) == "podman logs --follow -- job-x.job.1"
    assert logs_script("job-x.job.1", follow=False) == "podman logs -- job-x.job.1"
    assert wait_script("c") == (
        "podman wait -- c >/dev/null && "
        "podman container inspect --format '{{.State.ExitCode}} {{.State.OOMKilled}}' -- c"
    )


def test_the_end_of_a_container_is_read() -> None:
    assert parse_ended("137 true\n") == Ended(137, out_of_memory=True)
    assert parse_ended("0 false") == Ended(0)
    with pytest.raises(ValueError, match=r"invalid literal|unpack"):
        parse_ended("gone")


@pytest.mark.parametrize(
    "complaint",
    [
        'Error: no container with name or ID "c" found: no such container',
        'Error: no container with ID or name "c" found: no such container',
    ],
)
def test_a_container_that_is_gone_is_told_from_podman_that_fails(complaint: str) -> None:
    assert is_gone(complaint)
    assert not is_gone("Error: database is locked")


async def test_what_is_read_again_is_handed_on_once() -> None:
    heard: list[tuple[bytes, bool]] = []
    tail = Tail(lambda data, stderr: heard.append((data, stderr)))
    first = tail.again()
    first(b"abc", False)
    first(b"ERR", True)
    first(b"de", False)
    second = tail.again()
    second(b"abcd", False)
    second(b"ERR", True)
    second(b"efg", False)
    second(b"!", True)
    assert heard == [(b"abc", False), (b"ERR", True), (b"de", False), (b"fg", False), (b"!", True)]


def test_where_other_stacks_would_have_their_data_is_not_decided_by_a_job() -> None:
    plan = Plan(volumes=(Volume("shop_data", "w1", "shop"), Volume("job-x_data", "w2", "job-x")))
    assert only(plan, "job-x").volumes == (Volume("job-x_data", "w2", "job-x"),)
