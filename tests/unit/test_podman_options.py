"""The words of `podman run` for every option, a family of them at a time, and those of files and volumes."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from orch.model.container import (
    BindMount,
    ContainerOptions,
    FileMount,
    Healthcheck,
    Logging,
    Mount,
    Port,
    TmpfsMount,
    Ulimit,
    VolumeMount,
)
from orch.model.replica import Replica, Slot
from orch.model.spec import ServiceSpec
from orch.model.volume import FileSpec, VolumeSpec
from orch.podman.commands import run
from orch.podman.files import folder_of, remove_files, write_files
from orch.podman.options import option_words, published
from orch.podman.volumes import folders_to_make, make_volume, parse_removed

GOLDEN = Path(__file__).parent.parent / "golden/podman_options.txt"
REPLICA = Replica("abcdefghijkl", Slot("shop", "web", 2), 3, "w1", "0123456789abcdef")
SECRET = FileSpec("secret", "token", b"hush\0\xff\n")

FAMILIES = {
    "process": ServiceSpec(
        "web",
        "image",
        options=ContainerOptions(
            user="12:13", group_add=("55", "video"), working_dir="/srv", stop_signal="SIGUSR1", init=True,
            read_only=True, tty=True, stdin_open=True, runtime="crun", platform="linux/arm64",
        ),
    ),
    "no init": ServiceSpec("web", "image", options=ContainerOptions(init=False)),
    "rights": ServiceSpec(
        "web",
        "image",
        options=ContainerOptions(
            privileged=True, cap_add=("NET_ADMIN", "SYS_TIME"), cap_drop=("ALL",),
            security_opt=("no-new-privileges:true", "label=disable"), devices=("/dev/fuse:/dev/fuse:rwm",),
            device_cgroup_rules=("c 1:3 mr",),
        ),
    ),
    "kernel": ServiceSpec(
        "web",
        "image",
        options=ContainerOptions(
            sysctls={"net.core.somaxconn": "1024", "a.b": "0"},
            ulimits=(Ulimit("core", -1, -1), Ulimit("nofile", 1, 2)),
            network_mode="host", ipc="shareable", pid="host", uts="host", userns="host", cgroup="private",
        ),
    ),
    "names": ServiceSpec(
        "web",
        "image",
        options=ContainerOptions(
            hostname="front.example.org", extra_hosts=(("db", "10.0.0.1"), ("db", "fd00::1")),
            dns=("1.1.1.1", "9.9.9.9"),
            dns_search=("example.org",), dns_options=("ndots:3",),
        ),
    ),
    "limits": ServiceSpec(
        "web",
        "image",
        options=ContainerOptions(
            shm_size=1 << 20, memory_swap=-1, pids_limit=-1, cpuset="0-1,3", oom_kill_disable=True, oom_score_adj=-5
        ),
    ),
    "notes": ServiceSpec(
        "web",
        "image",
        pull="always",
        labels={"z": "last", "a": "has = and space", "orch.stack": "stolen"},
        options=ContainerOptions(
            logging=Logging("journald", {"tag": "x", "max-size": "10m"}), annotations={"run.oci.keep": "y"}
        ),
    ),
    "mounts": ServiceSpec(
        "web",
        "image",
        mounts=(
            VolumeMount("/data", "shop_data"),
            VolumeMount("/ro", "shop_data", read_only=True),
            VolumeMount("/empty", "shop_data", copy=False),
            VolumeMount("/empty-ro", "shop_data", copy=False, read_only=True),
            VolumeMount("/part", "shop_data", subpath="a/b", copy=False),
            VolumeMount("/own"),
            BindMount("/logs", "/var/log"),
            BindMount("/etc/a,b", '/etc/say "a"', read_only=True, propagation="rslave", selinux="Z"),
            TmpfsMount("/tmp"),
            TmpfsMount("/run", size=65536, mode=0o750, options=("noexec", "nosuid")),
        ),
    ),
    "files": ServiceSpec(
        "web",
        "image",
        files=(
            FileMount("token", "/run/secrets/token", SECRET.digest, 12, 13, 0o400),
            FileMount("token", "/etc/x,y", SECRET.digest),
        ),
    ),
    "ports": ServiceSpec(
        "web",
        "image",
        ports=(Port(80, 8080, mode="host"), Port(53, 53, "udp", "host", "10.0.0.1"), Port(443, 443)),
    ),
    "a check": ServiceSpec(
        "web", "image", healthcheck=Healthcheck(("CMD", "curl", "-f", 'say "hi"'), 1.5, 30, 3, 60)
    ),
    "a check by a shell": ServiceSpec("web", "image", healthcheck=Healthcheck(("CMD-SHELL", "a || exit 1"))),
    "a check of one word": ServiceSpec("web", "image", healthcheck=Healthcheck(("CMD", "/bin/my check"))),
    "the image's check, at another pace": ServiceSpec("web", "image", healthcheck=Healthcheck(interval=5)),
    "no check": ServiceSpec("web", "image", healthcheck=Healthcheck(("NONE",), interval=5)),
}  # fmt: skip


def text_of(name: str, spec: ServiceSpec) -> str:
    """The words that a service with no options has not."""
    left = Counter(run("prod", REPLICA, ServiceSpec("web", "image")).argv)
    given: list[str] = []
    # From the end, where our own words are.
    for word in reversed(run("prod", REPLICA, spec).argv):
        if left[word]:
            left[word] -= 1
        else:
            given.append(word)
    return f"# {name}\n" + "".join(f"{word!r}\n" for word in reversed(given))


def test_every_option_is_written_with_the_words_of_the_golden_file() -> None:
    assert "\n".join(text_of(*family) for family in FAMILIES.items()) == GOLDEN.read_text(encoding="utf-8")


def test_every_option_that_there_is_stands_in_some_family() -> None:
    """Those of the container, and those of the service that podman is told of by this module."""
    for kind, value in (("options", ContainerOptions()), ("spec", ServiceSpec("web", "image"))):
        of = [spec.options if kind == "options" else spec for spec in FAMILIES.values()]
        unused = {
            field
            for field in value.__struct_fields__
            if all(getattr(given, field) == getattr(value, field) for given in of)
        }
        if kind == "options":
            assert unused == set()
        else:
            assert not unused & {"labels", "mounts", "files", "ports", "healthcheck", "pull"}


def test_a_service_without_options_has_no_words_for_them() -> None:
    assert option_words(ServiceSpec("web", "image")) == ()


def test_our_labels_come_after_the_user_s_so_that_none_takes_their_place() -> None:
    words = run("prod", REPLICA, FAMILIES["notes"]).argv

    assert words.index("orch.stack=stolen") < words.index("orch.stack=shop")


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (Port(80), "80/tcp"),
        (Port(80, 8080), "8080:80/tcp"),
        (Port(80, 8080, "sctp"), "8080:80/sctp"),
        (Port(80, 8080, address="127.0.0.1"), "127.0.0.1:8080:80/tcp"),
        (Port(80, address="127.0.0.1"), "127.0.0.1::80/tcp"),
        (Port(80, 8080, address="fd00::1"), "[fd00::1]:8080:80/tcp"),
    ],
)
def test_a_port_is_written_as_podman_reads_it(port: Port, expected: str) -> None:
    assert published(port) == expected


def test_what_is_in_files_goes_over_standard_input_and_stands_in_no_word() -> None:
    command = write_files("prod", REPLICA, FAMILIES["files"], [SECRET])

    assert command.argv[:4] == ("timeout", "-k", "5", "30")
    assert command.argv[7:] == (
        "sh", "/var/lib/orch/prod/files/abcdefghijkl", "12", "13", "400", "0", "0", "444",
    )  # fmt: skip
    assert command.stdin == "aHVzaAD/Cg==\naHVzaAD/Cg==\n"
    words = " ".join([*command.argv, *run("prod", REPLICA, FAMILIES["files"]).argv])
    assert SECRET.digest[:12] not in words
    assert "hush" not in words


def test_a_file_of_other_content_than_the_spec_names_is_refused() -> None:
    other = FileSpec("secret", "token", b"other")

    with pytest.raises(ValueError, match=r"nobody knows what is in token, for /run/secrets/token"):
        write_files("prod", REPLICA, FAMILIES["files"], [other])


def shell(command_argv: tuple[str, ...], stdin: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command, with its folder in another place."""
    moved = [str(folder) if word == folder_of("prod", REPLICA) else word for word in command_argv]
    return subprocess.run(moved, input=stdin, text=True, capture_output=True, check=False)


def test_files_are_written_whole_over_what_a_broken_off_write_left(tmp_path: Path) -> None:
    folder = tmp_path / "files/abcdefghijkl"
    half = tmp_path / "files/abcdefghijkl.new"
    half.mkdir(parents=True)
    (half / "7").write_text("half")
    files = FAMILIES["files"].files
    own = tuple(FileMount(f.source, f.target, f.digest, os.getuid(), os.getgid(), f.mode) for f in files)
    spec = ServiceSpec("web", "image", files=own)
    command = write_files("prod", REPLICA, spec, [SECRET])

    assert shell(command.argv, command.stdin, folder).returncode == 0
    assert {path.name: (path.read_bytes(), path.stat().st_mode & 0o777) for path in half.iterdir()} == {
        "0": (SECRET.content, 0o400),
        "1": (SECRET.content, 0o444),
    }
    assert half.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.parent.iterdir()] == ["abcdefghijkl.new"]
    half.rename(folder)
    half.mkdir()
    removal = remove_files("prod", REPLICA)
    assert [shell(removal.argv, "", folder).returncode for _ in range(2)] == [0, 0]
    assert list(folder.parent.iterdir()) == []


def test_what_cannot_be_written_is_said_and_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("in the way")
    folder = tmp_path / "files/abcdefghijkl"
    command = write_files("prod", REPLICA, FAMILIES["files"], [SECRET])

    done = shell(command.argv, command.stdin, folder)

    assert done.returncode != 0
    assert "files" in done.stderr
    assert "aHVz" not in done.stderr


def test_only_sources_of_binds_that_may_be_made_are() -> None:
    mounts: tuple[Mount, ...] = (
        BindMount("/a", "/srv/a"),
        BindMount("/b", "/srv/b", create=False),
        VolumeMount("/c", "d"),
        TmpfsMount("/e"),
    )

    assert folders_to_make(ServiceSpec("web", "image", mounts=mounts)) == ("/srv/a",)


def test_a_volume_is_made_with_its_driver_its_options_and_our_labels() -> None:
    volume = VolumeSpec(
        "data", "shop_data", driver="local", options={"type": "nfs", "o": "addr=10.0.0.1,rw"},
        labels={"team": "a", "orch.stack": "stolen"},
    )  # fmt: skip
    words = make_volume("prod", "shop", volume).argv

    assert words[7:] == (
        "sh", "shop_data", "--driver", "local", "--opt", "o=addr=10.0.0.1,rw", "--opt", "type=nfs",
        "--label", "orch.cluster=prod", "--label", "orch.stack=shop", "--label", "orch.volume=data",
        "--label", "team=a",
    )  # fmt: skip


def test_what_was_removed_is_told_from_what_is_left() -> None:
    assert parse_removed("shop_a\nshop_b\nleft other\nleft left\n") == (["shop_a", "shop_b"], {"other", "left"})
    assert parse_removed("") == ([], set())
