"""What comes before a container starts: its files, its folders and its volumes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from orch.model.container import BindMount, FileMount, VolumeMount
from orch.model.plan import Run
from orch.model.replica import Replica
from orch.model.volume import FileSpec, VolumeSpec
from tests.unit.clusters import replica_of
from tests.unit.test_executor import NEW, WEB, Bench, folder, started

FULL = msgspec.structs.replace(
    WEB,
    files=(FileMount("token", "/run/secrets/token", FileSpec("secret", "token", b"hush").digest, mode=0o400),),
    mounts=(
        BindMount("/logs", "/srv/logs"),
        BindMount("/etc", "/etc", create=False),
        VolumeMount("/data", "shop_data"),
    ),
)
DATA = VolumeSpec("data", "shop_data")


def full(replica: Replica, *volumes: VolumeSpec) -> Run:
    return Run(replica, FULL, "wanted", volumes or (DATA,), (FileSpec("secret", "token", b"hush"),))


async def test_before_a_container_starts_come_its_files_its_folders_and_its_volumes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    assert [o.error for o in await bench.run(full(NEW))] == [""]
    assert bench.nodes.done == [f"w1 sh {folder(NEW)}", "w1 sh /srv/logs", "w1 sh shop_data", started(NEW)]
    assert bench.nodes.commands[0].stdin == "aHVzaA==\n"


@pytest.mark.parametrize("step", ["sh /srv/logs", "sh shop_data"])
async def test_what_cannot_be_prepared_is_not_started(tmp_path: Path, step: str) -> None:
    bench = Bench(tmp_path)
    bench.nodes.failing[f"w1 {step}"] = "Read-only file system"

    (outcome,) = await bench.run(full(NEW))

    assert re.fullmatch(
        r"(the folders of its mounts|volume shop_data) cannot be made: Read-only file system", outcome.error
    )
    assert started(NEW) not in bench.nodes.done
    assert bench.recorded() == (NEW,)


async def test_a_file_whose_content_nobody_knows_is_an_error_of_its_replica(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    (outcome,) = await bench.run(msgspec.structs.replace(full(NEW), files=()))

    assert outcome.error == ("nobody knows what is in token, for /run/secrets/token; apply the stack's file again")
    assert bench.nodes.commands == []


async def test_a_volume_that_several_replicas_use_is_made_once_on_each_node(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    replicas = [replica_of(FULL, node, number=n) for n, node in enumerate(("w1", "w1", "w1", "w2"), 1)]

    await bench.run(*(full(replica) for replica in replicas))

    assert sorted(what for what in bench.nodes.done if "shop_data" in what) == ["w1 sh shop_data", "w2 sh shop_data"]
    assert sum(" run " in what for what in bench.nodes.done) == 4


async def test_a_volume_that_could_not_be_made_is_tried_again_for_the_next_replica(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.nodes.failing["w1 sh shop_data"] = "Error: no"

    outcomes = await bench.run(full(NEW), full(replica_of(FULL, "w1", number=2)))

    assert [o.error for o in outcomes] == ["volume shop_data cannot be made: no"] * 2
    assert bench.nodes.done.count("w1 sh shop_data") == 2


async def test_an_external_volume_is_asked_for_and_not_made(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    external = VolumeSpec("data", "shop_data", external=True)
    bench.nodes.failing["w1 volume shop_data"] = ""

    (outcome,) = await bench.run(full(NEW, external))

    assert outcome.error == (
        "podman: there is no volume shop_data, which is external: make it there with `podman volume create "
        "shop_data`, or correct its name"
    )
