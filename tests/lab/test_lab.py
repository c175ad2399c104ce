"""`orch lab`, looked at from outside and over SSH."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from orch.lab import fleet
from orch.lab.layout import LabPaths
from tests.lab.hosts import ORCH, TestLab, orch

NAMESPACES = ("mnt", "uts", "ipc", "pid", "net", "cgroup")
REACH_W2 = "timeout 2 bash -c ': </dev/tcp/198.18.0.2/22' || echo lost"


def processes(lab: TestLab, host: str = "") -> set[int]:
    """Every living process of this machine that is in a cgroup of the lab, found without the lab's own code."""
    group = f"orch-lab/{lab.name}/{host}"
    found = set()
    for process in psutil.process_iter():
        try:
            lines = Path(f"/proc/{process.pid}/cgroup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(f"{line.partition(':/')[2]}/".startswith(group) for line in lines) and alive(process.pid):
            found.add(process.pid)
    return found


def alive(pid: int) -> bool:
    """Not so once it is dead, whether or not this machine's process 1 has reaped it yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def leftovers(lab: TestLab) -> list[str]:
    """Whatever still exists of a lab."""
    found = [f"process {pid}" for pid in processes(lab)]
    found += [n for n in os.listdir("/run/netns") if f"orch-{lab.name}" in n] if Path("/run/netns").is_dir() else []
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{lab.name}" in line]
    found += [str(p) for p in Path("/sys/fs/cgroup").glob(f"**/orch-lab/{lab.name}")]
    found += [str(p) for p in Path("/var/lib/orch-lab").glob(f"{lab.name}*")]
    return found


def over_ssh(lab: TestLab, host: str, script: str) -> str:
    rows = msgspec.json.decode(lab.orch("run", host, "-o", "json", "--", script).stdout)
    stdout: str = rows[0]["stdout"]
    return stdout.strip()


def unreachable(lab: TestLab, host: str) -> bool:
    """Nobody answers, not even a kernel that refuses."""
    done = lab.orch("run", host, "--timeout", "4", "-o", "json", "--", "true", status=1)
    row = msgspec.json.decode(done.stdout)[0]
    return row["rc"] is None and "refuses" not in row["error"]


def test_hosts_are_hosts_of_their_own(own_lab: TestLab) -> None:
    own_lab.lab("up", "-n", "2")
    status = own_lab.status()
    assert {name: row["state"] for name, row in status.items()} == {"w1": "up", "w2": "up"}
    child = psutil.Process(status["w1"]["pid"]).children()[0]
    for namespace in NAMESPACES:
        assert os.readlink(f"/proc/{child.pid}/ns/{namespace}") != os.readlink(f"/proc/self/ns/{namespace}")
    assert child.name() == "systemd"
    assert processes(own_lab, "w1")
    assert over_ssh(own_lab, "w1", "hostname; cat /proc/1/comm; id -un").split() == ["w1", "systemd", "root"]
    assert over_ssh(own_lab, "w1", "systemctl --failed --plain --no-legend; systemctl is-system-running") == "running"
    assert over_ssh(own_lab, "w1", "podman info --format '{{.Host.NetworkBackend}}'") == "netavark"
    assert "ACCEPT" in over_ssh(own_lab, "w1", "iptables -S")


def test_a_host_cannot_turn_the_machines_knobs_nor_see_its_units(own_lab: TestLab) -> None:
    # Version 2 of cgroups beside version 1 is a hierarchy that systemd uses whether or not a lab gave it a part.
    unified = Path("/sys/fs/cgroup/unified")
    groups = {p.name for p in unified.glob("*/")} | {"orch-lab"}
    own_lab.lab("up", "-n", "2")
    assert {p.name for p in unified.glob("*/")} <= groups
    knob = Path("/proc/sys/kernel/threads-max")
    before = knob.read_text()
    try:
        # Should it get through, this one does the machine no harm.
        said = over_ssh(own_lab, "w1", f"echo {int(before) - 1} 2>&1 >{knob}; true")
        assert knob.read_text() == before
    finally:
        if knob.read_text() != before:
            knob.write_text(before)
    assert "Read-only file system" in said
    over_ssh(own_lab, "w1", "echo 1 >/proc/sys/net/ipv4/ip_forward")


def test_nothing_can_leave_a_lab(own_lab: TestLab) -> None:
    own_lab.lab("up", "-n", "1")
    assert over_ssh(own_lab, "w1", "ip -4 route").startswith("198.18.0.0/24 dev eth0")
    assert over_ssh(own_lab, "w1", "ip -4 route get 192.0.2.1 2>&1 || true").endswith("Network is unreachable")
    switch = ["ip", "-n", f"orch-{own_lab.name}", "-4", "route", "get", "192.0.2.1"]
    assert "Network is unreachable" in subprocess.run(switch, capture_output=True, text=True, check=False).stderr
    # The connection that carries this very command comes from inside the lab.
    assert "198.18.0.254:" in over_ssh(own_lab, "w1", "ss -Htn state established sport = :22")


def test_a_hosts_limits_are_what_the_probe_sees(own_lab: TestLab) -> None:
    own_lab.lab("up", "-n", "1", "--cpus", "0.5", "--memory", "300m")
    node = msgspec.json.decode(own_lab.orch("nodes", "-o", "json").stdout)[0]
    assert node["capacity"] == {"cpus": 0.5, "memory": 300 << 20}
    assert 0 < node["used"]["memory"] < 300 << 20


def test_kill_is_a_power_cut_and_start_boots_from_the_same_disk(own_lab: TestLab) -> None:
    own_lab.lab("up", "-n", "2")
    before = own_lab.status()
    over_ssh(own_lab, "w1", "echo kept >/root/disk; echo lost >/run/memory; sync")
    own_lab.lab("kill", "w1")
    assert processes(own_lab, "w1") == set()
    assert (
        subprocess.run(
            ["ip", "netns", "pids", f"orch-{own_lab.name}.w1"], capture_output=True, text=True, check=True
        ).stdout
        == ""
    )
    assert not alive(before["w1"]["pid"])
    assert {n: r["state"] for n, r in own_lab.status().items()} == {"w1": "off", "w2": "up"}
    assert unreachable(own_lab, "w1")
    assert over_ssh(own_lab, "w2", "echo fine") == "fine"

    # One that runs stays as it is.
    own_lab.lab("start", "w1", "w2")
    after = own_lab.status()
    assert after["w1"]["state"] == "up"
    assert after["w1"]["pid"] != before["w1"]["pid"]
    assert after["w2"]["pid"] == before["w2"]["pid"]
    assert over_ssh(own_lab, "w1", "cat /root/disk; cat /run/memory 2>/dev/null || echo gone").split() == [
        "kept",
        "gone",
    ]


def test_cut_leaves_a_host_running_unreached_and_heal_mends_it(own_lab: TestLab) -> None:
    own_lab.lab("up", "-n", "2")
    before = own_lab.status()
    own_lab.lab("cut", "w1")
    cut = own_lab.status()
    assert {n: (r["state"], r["pid"]) for n, r in cut.items()} == {
        "w1": ("cut", before["w1"]["pid"]),
        "w2": ("up", before["w2"]["pid"]),
    }
    assert processes(own_lab, "w1")
    assert unreachable(own_lab, "w1")
    assert own_lab.inside("w1", "hostname") == "w1\n"
    assert "lost" in own_lab.inside("w1", "sh", "-c", REACH_W2)
    own_lab.lab("heal", "w1")
    assert own_lab.status() == before
    # The kernel remembers for up to three seconds that nobody answered for the address.
    again = f'for try in $(seq 40); do [ -z "$({REACH_W2} 2>&1)" ] && echo reached && exit; sleep 0.1; done'
    assert over_ssh(own_lab, "w1", again) == "reached"


def test_a_cut_cable_stays_cut_over_a_reboot(own_lab: TestLab) -> None:
    own_lab.lab("up", "-n", "1")
    own_lab.lab("cut", "w1")
    own_lab.lab("kill", "w1")
    own_lab.lab("start", "w1")
    assert own_lab.status()["w1"]["state"] == "cut"
    own_lab.lab("heal", "w1")
    assert own_lab.status()["w1"]["state"] == "up"


def test_down_leaves_nothing(own_lab: TestLab) -> None:
    own_lab.images()
    own_lab.lab("up", "-n", "2")
    over_ssh(own_lab, "w1", "podman run --detach --restart always localhost/busybox:latest sleep 1000")
    assert leftovers(own_lab)
    own_lab.lab("down")
    assert leftovers(own_lab) == []
    assert "there is no lab" in own_lab.lab("status", status=1).stderr


@pytest.mark.parametrize(
    "sign", ["manifest", "mount", "switch", "first host", "first boot", "second host", "all hosts"]
)
def test_down_cleans_up_after_an_up_that_was_killed(own_lab: TestLab, sign: str) -> None:
    paths = LabPaths(own_lab.name)
    signs = {
        "manifest": paths.manifest.exists,
        "mount": lambda: os.path.ismount(paths.disk),
        "switch": Path("/run/netns", paths.switch).exists,
        "first host": Path("/run/netns", paths.netns("w1")).exists,
        "first boot": paths.pid("w1").exists,
        "second host": Path("/run/netns", paths.netns("w2")).exists,
        "all hosts": paths.pid("w4").exists,
    }
    with subprocess.Popen(
        [ORCH, "lab", "up", "--lab", own_lab.name, "-n", "4"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as up:
        while not signs[sign]():
            assert up.poll() is None
        up.send_signal(signal.SIGKILL)
    own_lab.lab("down")
    assert leftovers(own_lab) == []


def test_labs_stand_side_by_side_with_the_same_addresses(own_lab: TestLab, tmp_path: Path) -> None:
    # The name of one begins with the whole name of the other.
    other = TestLab(f"{own_lab.name}-b", tmp_path)
    try:
        own_lab.lab("up", "-n", "1")
        other.lab("up", "-n", "1")
        over_ssh(own_lab, "w1", "echo one >/root/which")
        over_ssh(other, "w1", "echo two >/root/which")
        assert (over_ssh(own_lab, "w1", "cat /root/which"), over_ssh(other, "w1", "cat /root/which")) == ("one", "two")
        own_lab.lab("down")
        assert over_ssh(other, "w1", "cat /root/which") == "two"
    finally:
        other.lab("down")


def test_exec_passes_the_exit_status_on(own_lab: TestLab) -> None:
    own_lab.lab("up", "-n", "1")
    assert own_lab.lab("exec", "w1", "--", "sh", "-c", "exit 7", status=None).returncode == 7


def test_errors_say_what_to_do(own_lab: TestLab) -> None:
    own_lab.lab("up", "-n", "1")
    assert f"orch lab down --lab {own_lab.name}" in own_lab.lab("up", status=1).stderr
    assert "has no host w9; it has w1" in own_lab.lab("kill", "w9", status=2).stderr
    own_lab.lab("kill", "w1")
    assert "w1 is off; `orch lab start w1" in own_lab.lab("exec", "w1", "--", "true", status=1).stderr
    assert "cannot name a lab" in orch("lab", "up", "--lab", "../x", status=2).stderr
    assert "no recipe for an image 'nginx'; known: busybox, redis" in orch("lab", "image", "nginx", status=2).stderr


def test_without_root_the_error_is_clear(own_lab: TestLab) -> None:
    # Imported before: the interpreter's own folder may be root's alone.
    as_nobody = (
        "import os, sys, orch.cli.lab, orch.lab.fleet, orch.lab.ready\n"
        "from orch.cli.main import run_cli\n"
        "os.setresuid(65534, 65534, 65534)\n"
        "sys.exit(run_cli(sys.argv[1:]))"
    )
    argv = [sys.executable, "-c", as_nobody, "lab", "up", "--lab", own_lab.name]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stderr == "orch: orch lab makes namespaces, mounts and cgroups, so it needs root: try sudo\n"
    assert done.returncode == 1


def test_labs_of_this_machine_are_listed(own_lab: TestLab) -> None:
    assert own_lab.name not in fleet.labs()
    own_lab.lab("up", "-n", "1")
    assert own_lab.name in fleet.labs()
