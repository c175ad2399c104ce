"""The check program of `orch doctor` in the shells of this machine, and the reading of what it prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from orch.model.checkup import Checkup, Disk, PodmanInfo
from orch.observe.doctor import doctor_script, parse_checkup
from tests.unit import checkups, trees
from tests.unit.shells import SHELLS

NOW = 1_700_000_000.5
TOOLS = ("date", "df", "echo", "id", "tail", "timeout")


def read(text: str) -> Checkup:
    return parse_checkup(text, NOW, NOW)


def examine(shell: Sequence[str], programs: Path, tree: Path | None = None) -> Checkup:
    script = doctor_script()
    # What is installed here must not be found beyond the programs given.
    script = script.replace("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n", "")
    sent = time.time()
    done = subprocess.run(
        shell,
        input=trees.reading(script, tree) if tree else script,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return parse_checkup(done.stdout, sent, time.time())


def install(programs: Path, name: str, script: str) -> None:
    shell = shutil.which("sh")
    (programs / name).write_text(f"#!{shell}\n{script}\n")
    (programs / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return trees.programs(tmp_path / "bin", *TOOLS)


def test_a_healthy_host_is_read_whole() -> None:
    assert read(checkups.HEALTHY) == Checkup(
        user="root",
        uid=0,
        os=("debian",),
        system="Debian GNU/Linux 12 (bookworm)",
        systemd=True,
        hostname="w1",
        machine_id="00000000000000000000000000000001",
        boot_id="10000000-0000-0000-0000-000000000000",
        programs=frozenset(
            {"bridge", "conntrack", "crun", "flock", "ip", "ipset", "iptables", "netavark", "sudo", "timeout"}
        ),
        controllers=frozenset({"cpu", "cpuset", "memory"}),
        podman="4.3.1",
        podman_info=PodmanInfo("overlay", "netavark", "crun"),
        disk=Disk(102400000 << 10, 51200000 << 10),
        memory=8148284 << 10,
        memory_used=(8148284 - 6012344) << 10,
        ip_forward=True,
        clock_skew=0.0,
        clock_error=0.01,
        time_service="chronyd",
        max_sessions=10,
    )


def test_what_a_host_cannot_tell_is_not_known() -> None:
    found = read(checkups.ALPINE)

    assert (found.podman, found.podman_info, found.disk, found.max_sessions) == (None, None, None, None)
    assert (found.systemd, found.ip_forward, found.time_service) == (False, False, "")
    assert (found.os, found.clock_error) == (("alpine",), 0.51)


def test_the_rest_of_a_fedora_host_is_read() -> None:
    found = read(checkups.FEDORA)

    assert (found.selinux, found.firewalld, found.max_sessions, found.clock_skew) == (True, True, 4, 8.5)


@pytest.mark.parametrize("text", ["", "motd\n", checkups.HEALTHY.replace("examined\n", "")])
def test_an_examination_that_did_not_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^its shell did not run the examination to its end; it said: "):
        read(text)


@pytest.mark.parametrize("missing", ["user", "time", "MemTotal", "MemAvailable"])
def test_an_examination_without_what_every_host_has_is_refused(missing: str) -> None:
    text = "".join(line for line in checkups.HEALTHY.splitlines(True) if not line.startswith(f"{missing} "))
    with pytest.raises(ValueError, match=f"^the examination has no {missing}$"):
        read(text)


@pytest.mark.parametrize(
    "line", ["user root", "disk 5", "podman_info overlay", "max_sessions many", "MemTotal ", "time noon"]
)
def test_garbage_in_an_examination_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|not enough values|cannot be read|expected a number"):
        read(f"{checkups.HEALTHY}{line}\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_this_machine_is_examined(shell: Sequence[str], programs: Path) -> None:
    found = examine(shell, programs)

    assert (found.uid, found.podman) == (os.getuid(), None)
    assert found.programs >= {"timeout"}
    assert not found.programs & {"crun", "runc", "nft", "ipset", "conntrack"}
    assert 0 <= found.memory_used < found.memory
    assert abs(found.clock_skew) <= found.clock_error
    assert found.hostname == os.uname().nodename


@pytest.mark.parametrize("shell", SHELLS)
def test_a_bare_host_is_examined_to_the_end(shell: Sequence[str], programs: Path, tmp_path: Path) -> None:
    found = examine(
        shell, programs, trees.plant(tmp_path, trees.ALPINE | {"proc/42/comm": "ntpd\n", "run/systemd/x": ""})
    )

    assert (found.os, found.system, found.memory) == (("alpine",), "Alpine Linux v3.19", 2013840 << 10)
    assert (found.controllers, found.systemd, found.ip_forward, found.disk) == (frozenset(), False, None, None)
    assert (found.time_service, found.selinux, found.machine_id) == ("ntpd", False, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_full_host_is_examined(shell: Sequence[str], programs: Path, tmp_path: Path) -> None:
    tree = trees.FEDORA | {
        "proc/sys/net/ipv4/ip_forward": "1\n",
        "proc/sys/kernel/hostname": "f1\n",
        "proc/sys/kernel/random/boot_id": "b-o-o-t\n",
        "proc/7/comm": "bash\n",
        "proc/8/comm": "systemd-timesyn\n",
        "sys/fs/selinux/enforce": "1",
        "etc/machine-id": "abc\n",
        "run/ostree-booted": "",
        "run/systemd/system/x": "",
        "var/lib/containers/x": "",
    }
    install(programs, "podman", 'case "$1" in --version) echo podman version 5.2.5;; info) echo "$3";; esac')
    install(programs, "sshd", '[ "$1" = -T ] && printf "port 22\\nmaxsessions 4\\nmaxstartups 10:30:100\\n"')
    install(programs, "firewall-cmd", '[ "$1" = --state ] && echo running')
    for name in ("bridge", "conntrack", "crun", "ip", "ipset", "iptables", "nft", "runc", "sudo"):
        install(programs, name, ":")
    script = trees.plant(tmp_path, tree)
    found = examine(shell, programs, script)

    assert found.programs >= {"bridge", "conntrack", "crun", "ip", "ipset", "iptables", "nft", "runc", "timeout"}
    assert found.controllers >= {"cpu", "memory"}
    assert (found.podman, found.podman_error) == ("5.2.5", "")
    assert found.podman_info == PodmanInfo(
        "{{.Store.GraphDriverName}}", "{{.Host.NetworkBackend}}", "{{.Host.OCIRuntime.Name}}"
    )
    assert (found.hostname, found.machine_id, found.boot_id) == ("f1", "abc", "b-o-o-t")
    assert (found.systemd, found.ostree, found.selinux, found.firewalld) == (True, True, True, True)
    assert (found.max_sessions, found.time_service, found.ip_forward) == (4, "systemd-timesyn", True)
    assert found.disk is not None
    assert found.disk.size == pytest.approx(shutil.disk_usage(tmp_path).total, rel=0.1)


@pytest.mark.parametrize("shell", SHELLS)
def test_controllers_of_version_1_are_folders(shell: Sequence[str], programs: Path, tmp_path: Path) -> None:
    tree = trees.LIMITED_V1 | {"sys/fs/cgroup/memory/cgroup.procs": ""}

    assert examine(shell, programs, trees.plant(tmp_path, tree)).controllers == {"memory"}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("info", "error"),
    [
        ("echo warning >&2; echo Error: no runtime >&2; exit 125", "Error: no runtime"),
        # As timeout(1) says that it had to end a command.
        ("exit 124", "no answer within 15 s"),
        ("exit 137", "no answer within 15 s"),
    ],
)
def test_a_podman_that_fails_says_why(shell: Sequence[str], info: str, error: str, programs: Path) -> None:
    install(programs, "podman", f'case "$1" in --version) echo podman version 4.3.1;; info) {info};; esac')
    found = examine(shell, programs)

    assert (found.podman, found.podman_info, found.podman_error) == ("4.3.1", None, error)


def test_what_podman_warns_of_while_it_works_is_no_error(programs: Path) -> None:
    install(
        programs,
        "podman",
        'case "$1" in --version) echo podman version 4.3.1;; '
        "*) echo podman_error old kernel >&2; echo podman_info a b c;; esac",
    )
    found = examine(SHELLS[0], programs)

    assert (found.podman_info, found.podman_error) == (PodmanInfo("a", "b", "c"), "")


def test_a_host_without_timeout_is_examined_all_the_same(programs: Path) -> None:
    (programs / "timeout").unlink()
    install(programs, "podman", 'case "$1" in --version) echo podman version 4.3.1;; *) echo podman_info a b c;; esac')
    found = examine(SHELLS[0], programs)

    assert "timeout" not in found.programs
    assert found.podman_info == PodmanInfo("a", "b", "c")


def test_a_timeout_that_knows_no_second_signal_does_not_count(programs: Path) -> None:
    (programs / "timeout").unlink()
    install(programs, "timeout", '[ "$1" != -k ] || { echo usage >&2; exit 1; }; shift; "$@"')

    assert "timeout" not in examine(SHELLS[0], programs).programs


def test_a_user_hears_why_sudo_does_not_help(programs: Path) -> None:
    (programs / "id").unlink()
    install(programs, "id", "case $1 in -u) echo 1000;; -un) echo deploy;; esac")
    install(programs, "sudo", "echo sudo: a password is required >&2; exit 1")
    found = examine(SHELLS[0], programs)

    assert (found.user, found.uid, found.sudo_error) == ("deploy", 1000, "sudo: a password is required")
