"""What `orch doctor` finds, and what it advises."""

from __future__ import annotations

import msgspec
import pytest

from orch.controllers.doctor import diagnose, exit_status
from orch.controllers.finding import Finding, Level
from orch.controllers.packages import enable, family_of, install, reload
from orch.model.checkup import Checkup, Disk, Examination, PodmanInfo, Unexamined
from orch.observe.doctor import parse_checkup
from tests.unit import checkups

NOW = 1_700_000_000.5


def read(text: str) -> Checkup:
    return parse_checkup(text, NOW, NOW)


HEALTHY = read(checkups.HEALTHY)


def findings(examined: Examination) -> list[tuple[str, str, str]]:
    return [(f.level, f.check, f.remedy) for f in diagnose({"w1": examined})]


def only(**changed: object) -> Finding:
    """The one finding about a host that is healthy but for this."""
    (found,) = diagnose({"w1": msgspec.structs.replace(HEALTHY, **changed)})
    return found


def without(*programs: str) -> frozenset[str]:
    return HEALTHY.programs - set(programs)


def test_of_a_healthy_host_nothing_is_found() -> None:
    assert diagnose({"w1": HEALTHY}) == []


def test_a_bare_alpine_host_is_told_all_it_lacks() -> None:
    assert findings(read(checkups.ALPINE)) == [
        ("error", "podman", "apk add podman"),
        ("error", "cgroups", "rc-update add cgroups && rc-service cgroups start"),
        ("error", "iptables", "apk add iptables"),
        ("warning", "iproute2", "apk add iproute2"),
        ("warning", "ipset", "apk add ipset"),
        ("warning", "conntrack", "apk add conntrack-tools"),
        (
            "warning",
            "ip_forward",
            "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/90-orch.conf && sysctl -p /etc/sysctl.d/90-orch.conf",
        ),
        ("warning", "memory", "give it more memory"),
        ("warning", "time-service", "apk add chrony && rc-update add chronyd && rc-service chronyd start"),
        ("warning", "systemd", "place services that have health checks on other hosts"),
    ]


def test_a_fedora_host_is_told_what_matters_there() -> None:
    assert findings(read(checkups.FEDORA)) == [
        ("warning", "iptables", "dnf install -y iptables-nft"),
        ("warning", "ipset", "dnf install -y ipset"),
        ("warning", "conntrack", "dnf install -y conntrack-tools"),
        ("warning", "disk", "podman image prune --all --force"),
        ("warning", "clock", "chronyc makestep"),
        ("hint", "sessions", "sed -i '1i MaxSessions 10' /etc/ssh/sshd_config && systemctl reload sshd"),
        ("hint", "firewalld", "podman network reload --all, after each firewall-cmd --reload"),
        ("hint", "selinux", "write :z behind the volumes of services that mount one"),
    ]


@pytest.mark.parametrize(
    ("changed", "level", "check", "message", "remedy"),
    [
        ({"podman": None, "podman_info": None}, "error", "podman", "podman is missing", "apt-get install -y podman"),
        (
            {"podman": "3.4.4", "podman_info": None, "podman_error": "can't evaluate field"},
            "error",
            "podman",
            "podman is 3.4.4; 4.0 is the first with netavark, the maker of its networks",
            "upgrade to Debian 12, Ubuntu 24.04 or newer: older releases have no newer podman",
        ),
        (
            {"podman_info": None, "podman_error": "no runtime", "programs": without("crun")},
            "error",
            "runtime",
            "neither crun nor runc is there",
            "apt-get install -y crun",
        ),
        (
            {"podman_info": None, "podman_error": "no netavark", "programs": without("netavark")},
            "error",
            "netavark",
            "netavark is missing",
            "apt-get install -y netavark",
        ),
        ({"programs": without("netavark")}, "error", "netavark", "netavark is missing", "apt-get install -y netavark"),
        (
            {"podman_info": None, "podman_error": "Error: database is locked"},
            "error",
            "podman",
            "podman does not work: Error: database is locked",
            "run `podman info` there; it says more",
        ),
        (
            {"podman_info": None},
            "error",
            "podman",
            "podman does not work: it does not say why",
            "run `podman info` there; it says more",
        ),
        (
            {"podman_info": PodmanInfo("overlay", "cni", "runc"), "programs": without("netavark")},
            "warning",
            "backend",
            "podman's networks are made by cni, which podman 5 gave up",
            "apt-get install -y netavark aardvark-dns && mkdir -p /etc/containers/containers.conf.d && printf "
            "'[network]\\nnetwork_backend = \"netavark\"\\n' >/etc/containers/containers.conf.d/90-orch.conf",
        ),
        (
            {"podman_info": PodmanInfo("vfs", "netavark", "crun")},
            "warning",
            "storage",
            "podman stores with vfs: every container is a whole copy of its image",
            'set driver = "overlay" in /etc/containers/storage.conf; `podman system reset` then begins anew, '
            "without the images and containers of before",
        ),
        (
            {"programs": without("timeout")},
            "error",
            "timeout",
            "timeout is missing",
            "apt-get install -y coreutils",
        ),
        ({"programs": without("flock")}, "error", "flock", "flock is missing", "apt-get install -y util-linux"),
        ({"programs": without("iptables")}, "error", "iptables", "iptables is missing", "apt-get install -y iptables"),
        (
            {"programs": without("iptables") | {"nft"}},
            "warning",
            "iptables",
            "iptables is missing",
            "apt-get install -y iptables",
        ),
        ({"programs": without("ip")}, "warning", "iproute2", "iproute2 is missing", "apt-get install -y iproute2"),
        ({"programs": without("bridge")}, "warning", "iproute2", "iproute2 is missing", "apt-get install -y iproute2"),
        ({"programs": without("ipset")}, "warning", "ipset", "ipset is missing", "apt-get install -y ipset"),
        (
            {"programs": without("conntrack")},
            "warning",
            "conntrack",
            "conntrack is missing",
            "apt-get install -y conntrack",
        ),
        (
            {"controllers": frozenset({"cpu"})},
            "error",
            "cgroups",
            "the kernel limits no memory: the cgroup controller is off",
            "boot with cgroup_enable=memory on the kernel's command line",
        ),
        (
            {"controllers": frozenset()},
            "error",
            "cgroups",
            "the kernel limits no cpu and no memory: the cgroup controller is off",
            "boot with cgroup_enable=memory on the kernel's command line",
        ),
        (
            {"ip_forward": False},
            "warning",
            "ip_forward",
            "the kernel forwards no packets",
            "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/90-orch.conf && sysctl -p /etc/sysctl.d/90-orch.conf",
        ),
        (
            {"memory": 256 << 20, "memory_used": 0},
            "warning",
            "memory",
            "256m of memory are little for a system with containers",
            "give it more memory",
        ),
        (
            {"memory": 1 << 30, "memory_used": 1000 << 20},
            "warning",
            "memory",
            "24m of 1g of memory are free",
            "ps -eo rss,comm --sort=-rss | head shows what uses it",
        ),
        (
            {"time_service": ""},
            "warning",
            "time-service",
            "nothing keeps its clock right",
            "apt-get install -y chrony",
        ),
        (
            {"systemd": False},
            "warning",
            "systemd",
            "there is no systemd, whose timers run podman's health checks",
            "place services that have health checks on other hosts",
        ),
        (
            {"max_sessions": 9},
            "hint",
            "sessions",
            "sshd allows 9 sessions in a connection; orch may want 10",
            "sed -i '1i MaxSessions 10' /etc/ssh/sshd_config && systemctl reload ssh",
        ),
    ],
)
def test_each_ailment_alone(changed: dict[str, object], level: str, check: str, message: str, remedy: str) -> None:
    found = only(**changed)

    assert (found.host, found.level, found.check, found.message, found.remedy) == (
        "w1",
        level,
        check,
        message,
        remedy,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"ip_forward": None},
        {"disk": None},
        {"max_sessions": None},
        {"programs": without("crun"), "podman_info": PodmanInfo("btrfs", "netavark", "kata")},
        {"programs": without("sudo")},
    ],
)
def test_what_cannot_be_told_or_serves_as_well_is_no_finding(changed: dict[str, object]) -> None:
    assert diagnose({"w1": msgspec.structs.replace(HEALTHY, **changed)}) == []


@pytest.mark.parametrize("version", ["4.0.0", "4.9.4-rhel", "5.2.5", "unknown", "10.1"])
def test_podman_from_4_on_is_new_enough(version: str) -> None:
    assert diagnose({"w1": msgspec.structs.replace(HEALTHY, podman=version)}) == []


@pytest.mark.parametrize(
    ("size", "free", "warned"),
    [
        (100 << 30, 11 << 30, False),
        (100 << 30, 9 << 30, True),
        (10 << 30, 3 << 30, False),
        (10 << 30, (2 << 30) - 1, True),
        (3 << 30, 1 << 30, True),
    ],
)
def test_a_disk_wants_two_gibibytes_and_a_tenth_free(size: int, free: int, warned: bool) -> None:
    found = diagnose({"w1": msgspec.structs.replace(HEALTHY, disk=Disk(size, free))})

    assert [f.check for f in found] == (["disk"] if warned else [])


def test_a_full_disk_is_told_in_figures() -> None:
    assert only(disk=Disk(10 << 30, 100 << 20)).message == "100m of 10g are free under /var/lib/containers"


@pytest.mark.parametrize(
    ("skew", "error", "message"),
    [
        (1.9, 0.01, None),
        (2.4, 0.5, None),
        (-2.4, 0.5, None),
        (2.6, 0.5, "its clock is 2.6 s ahead of this machine's"),
        (-60.0, 0.5, "its clock is 60.0 s behind this machine's"),
    ],
)
def test_a_clock_is_wrong_when_it_is_beyond_doubt(skew: float, error: float, message: str | None) -> None:
    found = diagnose({"w1": msgspec.structs.replace(HEALTHY, clock_skew=skew, clock_error=error)})

    assert [f.message for f in found] == ([message] if message else [])


@pytest.mark.parametrize(
    ("service", "remedy"),
    [
        ("chronyd", "chronyc makestep"),
        ("systemd-timesyn", "systemctl restart systemd-timesyncd"),
        ("ntpd", "restart ntpd, and see why it does not set the clock"),
        ("", "apt-get install -y chrony && chronyc makestep"),
    ],
)
def test_a_clock_is_set_by_whatever_keeps_it(service: str, remedy: str) -> None:
    found = diagnose({"w1": msgspec.structs.replace(HEALTHY, clock_skew=60.0, time_service=service)})

    assert found[0].remedy == remedy


@pytest.mark.parametrize(
    ("examined", "check", "message", "remedy"),
    [
        (Unexamined("reachable", "no way to w1:22; is it up?"), "reachable", "no way to w1:22", "is it up?"),
        (Unexamined("login", "refused deploy; check; both"), "login", "refused deploy", "check; both"),
        (Unexamined("shell", "gave no answer within 60 s"), "shell", "gave no answer within 60 s", ""),
        (
            Unexamined("root", "sudo: a", read(checkups.UNPRIVILEGED)),
            "root",
            "deploy does not become root: sudo: a password is required",
            "printf '%s\\n' 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/90-orch && chmod 440 "
            "/etc/sudoers.d/90-orch",
        ),
        (
            Unexamined(
                "root",
                "the shell ended; what now",
                msgspec.structs.replace(read(checkups.UNPRIVILEGED), sudo_error=""),
            ),
            "root",
            "deploy does not become root: the shell ended",
            "printf '%s\\n' 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/90-orch && chmod 440 "
            "/etc/sudoers.d/90-orch",
        ),
        (
            Unexamined(
                "root",
                "x",
                msgspec.structs.replace(read(checkups.UNPRIVILEGED), sudo_error="sudo: sorry, you must have a tty"),
            ),
            "root",
            "deploy does not become root: sudo: sorry, you must have a tty",
            "printf '%s\\n' 'deploy ALL=(ALL) NOPASSWD: ALL' 'Defaults:deploy !requiretty' >/etc/sudoers.d/90-orch "
            "&& chmod 440 /etc/sudoers.d/90-orch",
        ),
        (
            Unexamined("root", "x", msgspec.structs.replace(read(checkups.UNPRIVILEGED), programs=frozenset())),
            "root",
            "sudo is missing",
            "apt-get install -y sudo",
        ),
        (
            read(checkups.UNPRIVILEGED),
            "root",
            "commands run as deploy, not as root",
            "set ansible_become: true for w1 in the inventory",
        ),
    ],
)
def test_a_host_that_was_not_examined_is_one_error(
    examined: Examination, check: str, message: str, remedy: str
) -> None:
    assert diagnose({"w1": examined}) == [Finding("w1", "error", check, message, remedy, "everything")]


def clone(**changed: object) -> Checkup:
    return msgspec.structs.replace(HEALTHY, **changed)


def test_one_machine_under_two_names_is_an_error() -> None:
    (found,) = diagnose({"w1": HEALTHY, "w2": HEALTHY})

    assert (found.host, found.level, found.check) == ("w2", "error", "twin")
    assert found.message == "is the same machine as w1: host name, machine id and boot agree"
    assert found.remedy == "keep one of w1 and w2 in the inventory, or correct ansible_host"


def test_clones_are_told_from_each_other() -> None:
    found = diagnose({"w1": HEALTHY, "w2": clone(boot_id="other"), "w3": clone(boot_id="third", hostname="w3")})

    assert [(f.host, f.level, f.check, f.message, f.remedy) for f in found] == [
        (
            "w2",
            "warning",
            "machine-id",
            "has the machine id of w1, as clones have; DHCP may give both one address",
            "systemd-id128 new >/etc/machine-id && reboot",
        ),
        (
            "w2",
            "warning",
            "hostname",
            "calls itself w1, as w1 does",
            "echo w2 >/etc/hostname && hostname w2",
        ),
        (
            "w3",
            "warning",
            "machine-id",
            "has the machine id of w1, as clones have; DHCP may give both one address",
            "systemd-id128 new >/etc/machine-id && reboot",
        ),
    ]


def test_without_systemd_a_machine_id_is_made_by_dbus() -> None:
    found = diagnose({"w1": HEALTHY, "w2": clone(boot_id="other", hostname="w2", systemd=False)})

    assert ("machine-id", "dbus-uuidgen >/etc/machine-id && reboot") in [(f.check, f.remedy) for f in found]


def test_hosts_that_tell_no_name_and_no_id_are_no_twins() -> None:
    nameless = clone(hostname="", machine_id="", boot_id="")

    assert diagnose({"w1": nameless, "w2": nameless}) == []


def test_what_was_not_examined_is_nobodys_twin() -> None:
    assert [f.host for f in diagnose({"w1": Unexamined("shell", "x"), "w2": HEALTHY})] == ["w1"]


def test_containers_of_one_kernel_are_no_twins() -> None:
    assert diagnose({"w1": HEALTHY, "w2": clone(hostname="w2", machine_id="2")}) == []


def test_findings_come_by_host_and_the_worst_first() -> None:
    sick = msgspec.structs.replace(read(checkups.ALPINE), max_sessions=1)
    found = diagnose({"w9": sick, "w1": sick})

    assert [f.host for f in found] == sorted((f.host for f in found), reverse=True)
    levels = [f.level for f in found if f.host == "w9"]
    assert levels == sorted(levels, key=["error", "warning", "hint"].index)


def test_what_only_a_comparison_shows_is_sorted_in() -> None:
    twin = clone(max_sessions=1)

    assert [f.check for f in diagnose({"w1": HEALTHY, "w2": twin})] == ["twin", "sessions"]


@pytest.mark.parametrize(
    ("levels", "status"),
    [
        ({}, 0),
        ({"w1": "warning", "w2": "hint"}, 0),
        ({"w1": "error"}, 3),
        ({"w1": "error", "w2": "warning"}, 3),
        ({"w1": "error", "w2": "error"}, 1),
    ],
)
def test_the_exit_status_counts_hosts_that_cannot_take_part(levels: dict[str, Level], status: int) -> None:
    found = [Finding(host, level, "c", "m", "r", "everything") for host, level in levels.items()]

    assert exit_status(found, ["w1", "w2"]) == status


@pytest.mark.parametrize(
    ("os", "ostree", "command"),
    [
        (("debian",), False, "apt-get install -y conntrack iptables"),
        (("linuxmint", "ubuntu", "debian"), False, "apt-get install -y conntrack iptables"),
        (("rocky", "rhel", "centos", "fedora"), False, "dnf install -y conntrack-tools iptables-nft"),
        (("fedora",), True, "rpm-ostree install --apply-live -y conntrack-tools iptables-nft"),
        (("alpine",), False, "apk add conntrack-tools iptables"),
        (("opensuse-leap", "suse", "opensuse"), False, "zypper --non-interactive install conntrack-tools iptables"),
        (("manjaro", "arch"), False, "pacman -S --noconfirm --needed conntrack-tools iptables"),
        (("debian",), True, "apt-get install -y conntrack iptables"),
        (("plan9",), False, "install conntrack and iptables with the system's package manager"),
        ((), False, "install conntrack and iptables with the system's package manager"),
    ],
)
def test_every_family_installs_in_its_own_words(os: tuple[str, ...], ostree: bool, command: str) -> None:
    assert install(family_of(os, ostree=ostree), "conntrack", "iptables") == command


def test_services_are_started_in_the_words_of_the_init() -> None:
    assert enable("apk", "x") == "rc-update add x && rc-service x start"
    assert enable("dnf", "x") == "systemctl enable --now x"
    assert reload("apk", "x") == "rc-service x reload"
    assert reload(None, "x") == "systemctl reload x"


@pytest.mark.parametrize(
    ("os", "remedy"),
    [
        ("fedora", "dnf upgrade -y podman"),
        ("alpine", "apk upgrade podman, on Alpine 3.16 or newer"),
        ("suse", "upgrade podman with the system's package manager"),
    ],
)
def test_an_old_podman_is_upgraded_in_every_familys_way(os: str, remedy: str) -> None:
    assert only(podman="3.4.4", os=(os,)).remedy == remedy
