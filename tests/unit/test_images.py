"""Images: what podman says of them, who gives one to whom, and the shell texts that carry it."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from orch.controllers.images import LOCAL, Source, Spread, choose_source, lacking, spread, unused, wanted_images
from orch.errors import RefusedError
from orch.model.spec import ServiceSpec, StackSpec
from orch.podman.images import (
    Image,
    archive_images,
    check_image_name,
    load_script,
    parse_id,
    parse_images,
    parse_names,
    save_script,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64
PODMAN_4 = f"""
[{{"Id": "{A}", "ParentId": "", "RepoTags": null, "RepoDigests": ["localhost/x@sha256:{B}"], "Size": 200008779,
  "SharedSize": 0, "VirtualSize": 200008779, "Labels": null, "Containers": 2, "ReadOnly": true,
  "Names": ["localhost/x:2", "localhost/x:1"], "Digest": "sha256:{B}", "Created": 1795501616}},
 {{"Id": "{B}", "RepoTags": null, "Size": 12, "Dangling": true, "Containers": 0, "Created": 1795501616}}]
"""
PODMAN_5 = f"""
[{{"Id": "{A}", "RepoTags": ["localhost/x:1", "<none>:<none>"], "Size": 7, "Containers": 0, "Arch": "amd64",
  "Os": "linux", "Names": ["localhost/x:1"], "History": ["localhost/x:1"]}}]
"""
STACKS = (StackSpec("shop", (ServiceSpec("cache", "redis:7"), ServiceSpec("web", "localhost/web:1"))),)


def image(ident: str, *names: str, containers: int = 0, read_only: bool = False) -> Image:
    return Image(ident, names, 100, containers, read_only)


def test_what_podman_4_lists_is_read() -> None:
    assert parse_images(PODMAN_4) == (
        Image(B, (), 12),
        Image(A, ("localhost/x:1", "localhost/x:2"), 200008779, 2, read_only=True),
    )


def test_what_podman_5_lists_is_read() -> None:
    assert parse_images(PODMAN_5) == (Image(A, ("localhost/x:1",), 7),)


@pytest.mark.parametrize("text", ["", "[]", "null"])
def test_no_images_are_no_error(text: str) -> None:
    assert parse_images(text) == ()


@pytest.mark.parametrize("text", ["{", '[{"Names": []}]', '[{"Id": "short"}]', '[{"Id": 7}]'])
def test_what_is_no_list_of_images_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be read|expected an image's id"):
        parse_images(text)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("docker.io/library/redis 7 sha256:ab", ("docker.io/library/redis:7", "docker.io/library/redis@sha256:ab")),
        ("localhost:5000/a <none> sha256:ab", ("localhost:5000/a@sha256:ab",)),
        ("localhost/a 1 <none>", ("localhost/a:1",)),
        ("<none> <none> sha256:ab", ()),
    ],
)
def test_names_of_the_probe_are_completed(line: str, names: tuple[str, ...]) -> None:
    assert parse_names(line) == names


@pytest.mark.parametrize(
    "name", ["redis", "redis:7", "a/b/c:1.2-x", "localhost:5000/a_b", f"q.io/a@sha256:{A}", "a--b"]
)
def test_these_name_images(name: str) -> None:
    check_image_name(name)


@pytest.mark.parametrize("name", ["", "Redis", "a b", "-x", "a:", "a//b", "a:b:c", "http://x/y", "a@sha256:12", "a\n"])
def test_these_do_not(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name an image"):
        check_image_name(name)


def test_archives_of_podman_and_of_docker_tell_names_and_ids() -> None:
    manifest = f'[{{"Config": "{A}.json", "RepoTags": ["localhost/a:1"], "Layers": []}},'
    manifest += f'{{"Config": "blobs/sha256/{B}", "RepoTags": ["b:1", "b:2"]}}, {{"Config": "{C}.json"}}]'
    assert archive_images(manifest.encode()) == {"localhost/a:1": A, "b:1": B, "b:2": B}


@pytest.mark.parametrize("manifest", ["", "{}", "[]", '[{"Config": "x"}]', f'[{{"Config": "{A}.json"}}]', "[7]"])
def test_other_archives_are_refused(manifest: str) -> None:
    with pytest.raises(ValueError, match=r"manifest.json cannot be read|no image in it has a name"):
        archive_images(manifest.encode())


def test_an_id_is_read_with_and_without_its_prefix() -> None:
    assert parse_id(f"sha256:{A}\n") == parse_id(A) == A


def test_images_are_told_with_their_nodes_and_services() -> None:
    seen = {"w1": [image(A, "docker.io/library/redis:7"), image(C)], "w2": [image(A, "docker.io/library/redis:7")]}
    assert spread(seen, STACKS) == [
        Spread("", C, 100, ("w1",), ()),
        Spread("docker.io/library/redis:7", A, 100, ("w1", "w2"), ("shop/cache",)),
    ]


def test_the_master_gives_before_any_node() -> None:
    places = {LOCAL: [image(A, "x:1")], "w1": [image(B, "x:1")]}
    assert choose_source("x:1", places, None, {}) == Source(LOCAL, A, 100)
    assert choose_source("x:1", places, "w1", {}) == Source("w1", B, 100)


def test_of_nodes_that_agree_the_first_gives() -> None:
    places = {LOCAL: [], "w1": [], "w2": [image(A, "x:1")], "w3": [image(A, "x:1")]}
    assert choose_source("x:1", places, None, {}) == Source("w2", A, 100)


def test_nodes_that_disagree_are_not_chosen_from() -> None:
    places = {"w2": [image(A, "x:1")], "w3": [image(B, "x:1")]}
    with pytest.raises(RefusedError, match=r"\(w2 aaaaaaaaaaaa, w3 bbbbbbbbbbbb\); say with --from"):
        choose_source("x:1", places, None, {})


def test_an_image_that_is_nowhere_is_told_with_all_places() -> None:
    unknown = {LOCAL: "no podman", **{f"w{n}": "off" for n in range(2, 7)}}
    with pytest.raises(RefusedError) as raised:
        choose_source("docker.io/library/x:1", {"w1": [image(A, "localhost/x:1")]}, None, unknown)
    assert str(raised.value) == (
        "there is no image docker.io/library/x:1 on w1; this machine could not be asked: no podman; "
        "w2 could not be asked: off; w3 could not be asked: off; nor could 3 others; "
        "localhost/x:1 is there: use the whole name, in the Compose file too"
    )


def test_who_lacks_an_image_is_who_has_none_or_another_of_its_name() -> None:
    seen = {"w1": [image(A, "x:1")], "w2": [image(B, "x:1")], "w3": []}
    assert lacking({"x:1": A}, seen, ["w1", "w2", "w3"]) == ["w2", "w3"]


def test_unused_images_have_no_container_and_no_service() -> None:
    wanted = wanted_images(STACKS)
    images = [
        image(A, "docker.io/library/redis:7"),
        image(B, "x:1", containers=1),
        image(C, "x:2", read_only=True),
        image("d" * 64, "x:3"),
        image("e" * 64),
    ]
    assert [i.id[0] for i in unused(images, wanted)] == ["d", "e"]


@pytest.fixture
def fake(tmp_path: Path) -> dict[str, str]:
    """An environment whose podman copies to $TMPDIR, as the real one does, and leaves it there when it is ended."""
    podman = tmp_path / "podman"
    podman.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        'load) cat >"$TMPDIR/podman1"; echo Loaded; exit ${FAIL:-0} ;;\n'
        f'save) echo "$*"; echo x >"$TMPDIR/layer"; ls "$TMPDIR"; cat; exit ${{FAIL:-0}} ;;\n'
        f'image) echo "$* $(ls {tmp_path}/tmp)" ;;\n'
        "esac\n"
    )
    podman.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def within(script: str, tmp_path: Path) -> str:
    return script.replace("base=/var/tmp", f"base={tmp_path}/tmp").replace("/etc/containers", f"{tmp_path}/etc")


def run(script: str, env: dict[str, str], data: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", script], env=env, input=data, capture_output=True, text=True, timeout=20)


def test_loading_tells_the_ids_and_leaves_nothing(fake: dict[str, str], tmp_path: Path) -> None:
    done = run(within(load_script(["x:1", "y:2"]), tmp_path), fake, "data")
    assert done.stdout == "image inspect --format {{.Id}} -- x:1 y:2 \n"
    assert done.returncode == 0


@pytest.mark.parametrize("script", [load_script(["x"]), save_script("x")])
def test_a_failure_is_podman_s_and_leaves_nothing(script: str, fake: dict[str, str], tmp_path: Path) -> None:
    assert run(within(script, tmp_path), fake | {"FAIL": "125"}).returncode == 125
    assert list((tmp_path / "tmp").iterdir()) == []


def test_saving_prints_what_podman_prints_and_reads_nothing(fake: dict[str, str], tmp_path: Path) -> None:
    done = run(within(save_script("x:1"), tmp_path), fake, "not for podman")
    assert done.stdout == "save --format docker-archive -- x:1\nlayer\n"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_place_for_temporary_files_may_be_given_or_configured(fake: dict[str, str], tmp_path: Path) -> None:
    given, configured = tmp_path / "given", tmp_path / "configured"
    for folder in (given, configured, tmp_path / "etc"):
        folder.mkdir()
    (tmp_path / "etc/containers.conf").write_text(f'[engine]\nimage_copy_tmp_dir="{configured}"\n')
    # A folder that cannot be made shows where it would have been.
    for folder, script in ((given, save_script("x", folder=str(given))), (configured, save_script("x"))):
        done = run(within(script, tmp_path).replace("mkdir -m 700", "false"), fake)
        assert done.returncode == 1
        traced = subprocess.run(["sh", "-xc", within(script, tmp_path)], env=fake, capture_output=True, text=True)
        assert f"mkdir -m 700 {folder}/orch-image." in traced.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_it_ends_podman_and_leaves_nothing(number: int, fake: dict[str, str], tmp_path: Path) -> None:
    script = within(load_script(["x"]), tmp_path)
    # A shell cannot heed what was ignored when it began, and tests may run without a terminal's hangups.
    heed = partial(signal.signal, number, signal.SIG_DFL)
    with subprocess.Popen(["sh", "-c", script], env=fake, stdin=subprocess.PIPE, preexec_fn=heed) as process:
        while not list(tmp_path.glob("tmp/orch-image.*/podman1")):
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(timeout=10) == 143
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_dead_one_left_goes_and_what_a_living_one_has_stays(fake: dict[str, str], tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    for pid in (dead.pid, os.getpid()):
        (tmp_path / f"tmp/orch-image.{pid}").mkdir()
    run(within(load_script(["x"]), tmp_path), fake)
    assert [folder.name for folder in (tmp_path / "tmp").iterdir()] == [f"orch-image.{os.getpid()}"]
