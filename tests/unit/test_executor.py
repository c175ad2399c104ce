"""Carrying a plan out: what runs where and in which order, and what is recorded when something fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from orch.errors import AuthError, CommandError, ConnectError, HostError, HostKeyError, StateError
from orch.master.executor import Executor, Outcome
from orch.model.container import Port
from orch.model.fence import Fence
from orch.model.plan import Action, Adopt, Forget, Plan, Remove, Run
from orch.model.replica import Replica
from orch.model.volume import Volume
from orch.store.protocol import Changes
from orch.store.tinydb import TinyStore
from tests.unit.clusters import CLUSTER, replica_of, web
from tests.unit.disks import FullDisk
from tests.unit.nodes import Nodes, host

WEB = web()
OLD, NEW = replica_of(WEB, "w1"), replica_of(WEB, "w1", attempt=2)
SECOND = replica_of(WEB, "w2", number=2)
REPLACE = (Remove(OLD, "old-id", "it exited with 1"), Run(NEW, WEB, "it exited with 1"))
NOT_THERE = (
    "podman: nginx:1: image not known; w1 does not have nginx:1, and the pull policy lets it ask no registry: "
    "`orch image push nginx:1` brings it there, or set pull_policy: missing"
)
FENCE = Fence("0123456789abcdef", 3, 2)
SECONDS_ALLOWED = 5
"""Far more than anything here takes."""


class Bench:
    """A store with records, nodes w1 to w3, and the outcomes as they were told."""

    def __init__(self, folder: Path, *records: Replica) -> None:
        self.folder, self.nodes = folder, Nodes()
        self.told: list[Outcome] = []
        self.something_told = asyncio.Event()
        self.disk = FullDisk()
        self._store = TinyStore(folder, CLUSTER, self.disk)
        self._store.commit(Changes(put=records))
        hosts = {name: host(name) for name in ("w1", "w2", "w3")}
        self._executor = Executor(CLUSTER, hosts, self.nodes, self._store)

    async def run(self, *actions: Action) -> list[Outcome]:
        return await self.run_plan(Plan(actions))

    async def run_plan(self, plan: Plan) -> list[Outcome]:
        async with asyncio.timeout(SECONDS_ALLOWED):
            return await self._executor.run(plan, dict.fromkeys(("w1", "w2", "w3"), FENCE), self._tell)

    def _tell(self, outcome: Outcome) -> None:
        self.told.append(outcome)
        self.something_told.set()

    def recorded(self) -> tuple[Replica, ...]:
        """As another process would read it."""
        return TinyStore(self.folder, CLUSTER).replicas()


def folder(replica: Replica) -> str:
    return f"/var/lib/orch/prod/files/{replica.id}"


def started(replica: Replica) -> str:
    return f"{replica.node} run {replica.container}"


async def test_an_empty_plan_does_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD)

    assert await bench.run() == []
    assert (bench.nodes.done, bench.recorded()) == ([], (OLD,))


async def test_in_one_slot_the_old_container_goes_before_the_new_one_comes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD)

    outcomes = await bench.run(*REPLACE)

    assert bench.nodes.done == ["w1 rm old-id", started(NEW)]
    assert outcomes == bench.told == [Outcome(REPLACE[0]), Outcome(REPLACE[1])]
    assert bench.recorded() == (NEW,)


async def test_exactly_the_commands_of_the_plan_are_run(tmp_path: Path) -> None:
    third = replica_of(WEB, "w3", number=3)
    bench = Bench(tmp_path, OLD, third)

    outcomes = await bench.run(*REPLACE, Run(SECOND, WEB, "wanted"), Remove(third, "third-id", "not wanted any more"))

    assert sorted(bench.nodes.done) == ["w1 rm old-id", started(NEW), started(SECOND), "w3 rm third-id"]
    assert len(outcomes) == 4
    assert bench.recorded() == (NEW, SECOND)


async def test_a_new_record_is_on_disk_before_its_container_is_started(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    seen: list[tuple[Replica, ...]] = []

    async def look(_: str) -> None:
        seen.append(bench.recorded())

    bench.nodes.before = look
    await bench.run(Run(OLD, WEB, "wanted"), Run(SECOND, WEB, "wanted"))

    assert seen == [(OLD, SECOND), (OLD, SECOND)]


async def test_a_record_is_kept_until_its_container_is_gone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD)
    seen: list[tuple[Replica, ...]] = []

    async def look(_: str) -> None:
        seen.append(bench.recorded())

    bench.nodes.before = look
    await bench.run(Remove(OLD, "old-id", "not wanted any more"))

    assert (seen, bench.recorded()) == ([(OLD,)], ())


async def test_adopting_changes_records_and_no_node_and_forgetting_removes_no_more_than_files(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD)
    actions = (Forget(OLD, "its container is gone"), Adopt(SECOND, "it runs on w2 as wanted, without a record"))

    assert await bench.run(*actions) == [Outcome(actions[1]), Outcome(actions[0])]
    assert (bench.nodes.done, bench.recorded()) == ([], (SECOND,))
    assert bench.nodes.cleaned == [f"w1 {folder(OLD)}"]


async def test_a_record_is_kept_until_the_files_of_its_replica_are_gone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD)
    bench.nodes.failing[f"w1 clean {folder(OLD)}"] = "rm: Read-only file system"

    outcomes = await bench.run(Forget(OLD, "its container is gone"), Run(NEW, WEB, "its container is gone"))

    assert [o.error for o in outcomes] == ["its files cannot be removed: rm: Read-only file system", ""]
    assert (outcomes[1].skipped, bench.recorded()) == (True, (OLD,))


async def test_what_is_forgotten_on_a_node_that_left_the_inventory_asks_nobody(tmp_path: Path) -> None:
    gone = replica_of(WEB, "w9")
    bench = Bench(tmp_path, gone)

    assert [o.error for o in await bench.run(Forget(gone, "w9 has left the inventory"))] == [""]
    assert (bench.nodes.commands, bench.recorded()) == ([], ())


async def test_removing_a_container_removes_its_files_after_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD)

    await bench.run(Remove(OLD, "old-id", "not wanted any more"))

    argvs = [command.argv[command.argv.index("timeout") :] for command in bench.nodes.commands]
    assert [argv[4] for argv in argvs] == ["podman", "sh"]
    assert bench.nodes.cleaned == [f"w1 {folder(OLD)}"]


async def test_a_start_that_needs_nothing_but_its_image_is_one_command(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    await bench.run(Run(NEW, WEB, "wanted"))

    assert len(bench.nodes.commands) == 1


async def test_where_volumes_are_is_on_disk_before_anything_is_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    volume = Volume("shop_data", "w1", "shop")
    seen: list[tuple[Volume, ...]] = []

    async def look(_: str) -> None:
        seen.append(TinyStore(tmp_path, CLUSTER).volumes())

    bench.nodes.before = look
    await bench.run_plan(Plan((Run(OLD, WEB, "wanted"),), volumes=(volume,)))

    assert seen == [(volume,)]


async def test_a_podman_that_hangs_is_told_of_with_its_node(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.nodes.hanging.add(started(NEW))

    (outcome,) = await bench.run(Run(NEW, WEB, "wanted"))

    assert outcome.error.startswith("podman: podman on w1 did not end within 300 s and was ended")


async def test_a_failed_remove_skips_the_start_in_its_slot_and_drops_its_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD)
    bench.nodes.failing["w1 rm old-id"] = "Error: cannot remove container"

    outcomes = await bench.run(*REPLACE)

    assert bench.nodes.done == ["w1 rm old-id"]
    assert outcomes == [
        Outcome(REPLACE[0], "podman: cannot remove container"),
        Outcome(REPLACE[1], skipped=True),
    ]
    assert bench.recorded() == (OLD,)


async def test_a_failed_start_keeps_its_record_for_a_container_that_may_exist(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.nodes.failing[started(NEW)] = "Error: nginx:1: image not known"

    (outcome,) = await bench.run(Run(NEW, WEB, "wanted"))

    assert outcome == Outcome(Run(NEW, WEB, "wanted"), NOT_THERE)
    assert bench.recorded() == (NEW,)


@pytest.mark.parametrize(
    ("failure", "lost"),
    [
        (ConnectError("w1", "no route to host"), True),
        (AuthError("w1", "no route to host"), True),
        (HostKeyError("w1", "no route to host"), True),
        (CommandError("w1", "no route to host"), False),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_host_s_failure_is_told_without_its_name_and_says_whether_the_node_is_lost(
    tmp_path: Path, failure: HostError, lost: bool
) -> None:
    bench = Bench(tmp_path, OLD)
    bench.nodes.failing["w1 rm old-id"] = failure

    first, second = await bench.run(*REPLACE)

    assert first == Outcome(REPLACE[0], "no route to host", lost=lost)
    assert second == Outcome(REPLACE[1], skipped=True)


async def test_a_failing_node_does_not_stop_the_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD)
    bench.nodes.failing["w1 rm old-id"] = ConnectError("w1", "no route to host")

    outcomes = await bench.run(*REPLACE, Run(SECOND, WEB, "wanted"))

    assert {(o.action.replica.node, o.error, o.skipped) for o in outcomes} == {
        ("w1", "no route to host", False),
        ("w1", "", True),
        ("w2", "", False),
    }
    assert bench.recorded() == (OLD, SECOND)


async def test_a_failure_in_one_slot_does_not_stop_another_slot_on_the_same_node(tmp_path: Path) -> None:
    other = replica_of(WEB, "w1", number=2)
    bench = Bench(tmp_path, OLD)
    bench.nodes.failing["w1 rm old-id"] = "Error: cannot remove container"

    await bench.run(*REPLACE, Run(other, WEB, "wanted"))

    assert sorted(bench.nodes.done) == ["w1 rm old-id", started(other)]


async def test_a_slow_node_does_not_delay_the_others(tmp_path: Path) -> None:
    """w1 gives no answer until w2 is done."""
    bench = Bench(tmp_path, OLD)
    second_began = asyncio.Event()

    async def wait(what: str) -> None:
        if what.startswith("w1"):
            await second_began.wait()
        else:
            second_began.set()

    bench.nodes.before = wait
    outcomes = await bench.run(Remove(OLD, "old-id", "not wanted any more"), Run(SECOND, WEB, "wanted"))

    assert [o.action.replica.node for o in outcomes] == [o.action.replica.node for o in bench.told] == ["w2", "w1"]


async def test_broken_off_half_way_what_was_done_is_still_recorded(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD, SECOND)

    async def hang_on_w2(what: str) -> None:
        if what.startswith("w2"):
            await asyncio.Event().wait()

    bench.nodes.before = hang_on_w2
    gone = Remove(OLD, "old-id", "not wanted any more"), Remove(SECOND, "second-id", "not wanted any more")
    running = asyncio.create_task(bench.run(*gone))
    await bench.something_told.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert bench.told == [Outcome(gone[0])]
    assert bench.recorded() == (SECOND,)


async def test_nothing_is_started_when_its_record_cannot_be_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OLD)
    bench.disk.room = 0

    with pytest.raises(StateError, match="cannot be written"):
        await bench.run(*REPLACE)

    assert bench.nodes.done == []


async def test_removing_a_stray_leaves_the_record_of_its_namesake_on_another_node(tmp_path: Path) -> None:
    """Ids come from slot and attempt: a container that a lost state left on w3 can have that of one on w1."""
    bench = Bench(tmp_path, OLD)
    stray = msgspec.structs.replace(OLD, node="w3")

    await bench.run(Remove(stray, "stray-id", "there is no record of it"))

    assert bench.nodes.done == ["w3 rm stray-id"]
    assert bench.recorded() == (OLD,)


async def test_a_command_is_given_time_for_its_own_end_and_the_way_back(tmp_path: Path) -> None:
    patient = msgspec.structs.replace(OLD, stop_grace=90)
    bench = Bench(tmp_path, patient)

    await bench.run(Remove(patient, "old-id", "it exited with 1"), Run(NEW, WEB, "it exited with 1"))

    assert bench.nodes.timeouts == [90 + 30 + 15, 300 + 15]


@pytest.mark.parametrize("removal", [None, "device or resource busy"])
async def test_who_needs_a_port_waits_until_all_that_goes_from_its_node_is_gone(
    tmp_path: Path, removal: str | None
) -> None:
    """The port may be another slot's until then. A removal that fails is waited for no longer."""
    web = msgspec.structs.replace(WEB, ports=(Port(80, 8080, mode="host"),))
    newcomer = msgspec.structs.replace(SECOND, node="w1", ports=web.ports)
    elsewhere = msgspec.structs.replace(replica_of(web, "w3", number=3), ports=web.ports)
    bench = Bench(tmp_path, OLD)
    begun_elsewhere = asyncio.Event()
    if removal is not None:
        bench.nodes.failing["w1 rm old-id"] = removal

    async def look(what: str) -> None:
        if what == started(elsewhere):
            begun_elsewhere.set()
        if what == "w1 rm old-id":
            await begun_elsewhere.wait()

    bench.nodes.before = look
    await bench.run(
        Remove(OLD, "old-id", "its service is gone"), Run(newcomer, web, "wanted"), Run(elsewhere, web, "wanted")
    )

    assert bench.nodes.done.index("w1 rm old-id") < bench.nodes.done.index(started(newcomer))
    assert bench.told[0].action.replica.node == "w3"
