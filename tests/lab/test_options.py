"""Every option of a container, as it looks from inside one that runs with it."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from orch.model.container import (
    BindMount,
    ContainerOptions,
    FileMount,
    Healthcheck,
    Logging,
    Port,
    TmpfsMount,
    Ulimit,
    VolumeMount,
)
from orch.model.plan import Run
from orch.model.resources import Resources
from orch.model.spec import ServiceSpec
from orch.model.volume import FileSpec, VolumeSpec
from tests.lab.direct import Direct, direct
from tests.lab.hosts import Operator

MIB = 1 << 20
SECRET = FileSpec("secret", "token", b"hush\0\xff\n")
CONFIG = FileSpec("config", "motd", b"welcome")


def service(name: str, options: ContainerOptions | None = None, **fields: Any) -> ServiceSpec:
    known: dict[str, Any] = {"command": ("sleep", "1000"), "stop_grace": 0, **fields}
    return ServiceSpec(name, "localhost/busybox:latest", options=options or ContainerOptions(), **known)


def mounted(file: FileSpec, target: str, **fields: Any) -> FileMount:
    return FileMount(file.key, target, file.digest, **fields)


async def started(at: Direct, *runs: Run) -> None:
    assert {str(o.action.replica.slot): o.error for o in await at.do(*runs)} == {
        str(run.replica.slot): "" for run in runs
    }


async def test_who_a_process_is_and_what_it_may_do(op: Operator) -> None:
    process = service(
        "process",
        ContainerOptions(
            user="12:13", group_add=("55",), working_dir="/tmp", init=False, read_only=True, tty=True, stdin_open=True,
            stop_signal="SIGUSR1",
        ),
        environment={"A": "b"},
    )  # fmt: skip
    rights = service(
        "rights",
        ContainerOptions(
            cap_drop=("ALL",), cap_add=("NET_ADMIN",), security_opt=("no-new-privileges:true",),
            devices=("/dev/null:/dev/nothing:r",), device_cgroup_rules=("c 1:5 r",),
        ),
    )  # fmt: skip
    mighty = service("mighty", ContainerOptions(privileged=True, runtime="runc", platform="linux/amd64"), pull="never")
    async with direct(op) as at:
        runs = [at.start(spec, node) for spec, node in ((process, "w1"), (rights, "w2"), (mighty, "w3"))]
        await started(at, *runs)
        seen = await at.inside(runs[0], "id; pwd; readlink /proc/1/fd/0; touch /tmp/x 2>&1; echo $A")
        assert seen.startswith("uid=12(12) gid=13(13) groups=55\n")
        assert re.search(r"^/tmp\n/dev/pts/0\n", seen, re.MULTILINE)
        assert "Read-only file system" in seen
        assert seen.endswith("b\n")
        assert await at.on("w1", "podman inspect --format '{{.Config.StopSignal}}' shop.process.1") == "10\n"
        seen = await at.inside(runs[1], "grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; ls -l /dev/nothing")
        assert "CapEff:\t0000000000001000\nNoNewPrivs:\t1\n" in seen
        assert re.search(r"1, +3 .*/dev/nothing", seen)
        allowed = await at.inside(runs[1], "cat /sys/fs/cgroup/devices/devices.list 2>/dev/null || echo c 1:5 r")
        assert "c 1:5 r" in allowed
        capable = await at.inside(runs[2], "grep CapEff /proc/self/status")
        assert int(capable.split()[1], 16) > 1 << 37
        assert await at.on("w3", "podman inspect --format '{{.OCIRuntime}}' shop.mighty.1") == "runc\n"


async def test_the_kernel_s_side_of_a_container(op: Operator) -> None:
    own = service(
        "own",
        ContainerOptions(
            sysctls={"net.ipv4.ip_unprivileged_port_start": "5"}, 
            ulimits=(Ulimit("nofile", 100, 200), Ulimit("nproc", 300, 400)),
            hostname="front", extra_hosts=(("db", "10.9.8.7"), ("six", "fd00::1")), dns=("10.1.1.1",),
            dns_search=("example.org",), dns_options=("ndots:3",), network_mode="bridge", ipc="private",
            cgroup="private",
        ),
    )  # fmt: skip
    shared = service(
        "shared",
        ContainerOptions(network_mode="host", ipc="host", pid="host", uts="host", userns="host", cgroup="host"),
    )
    limits = service(
        "limits",
        ContainerOptions(
            shm_size=MIB, memory_swap=64 * MIB, pids_limit=77, cpuset="0", oom_kill_disable=True, oom_score_adj=100
        ),
        limit=Resources(500, 32 * MIB),
    )
    alone = service("alone", ContainerOptions(network_mode="none", ipc="shareable"))
    async with direct(op) as at:
        pairs = ((own, "w1"), (shared, "w2"), (limits, "w3"), (alone, "w1"))
        runs = [at.start(spec, node) for spec, node in pairs]
        await started(at, *runs)
        seen = await at.inside(
            runs[0],
            "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep files /proc/1/limits; hostname; "
            "cat /etc/resolv.conf; grep -E 'db|six' /etc/hosts",
        )
        assert re.match(r"5\nMax open files +100 +200 +files *\nfront\n", seen)
        for line in ("search example.org", "nameserver 10.1.1.1", "options ndots:3", "10.9.8.7\tdb", "fd00::1\tsix"):
            assert line in seen
        kinds = ("net", "ipc", "pid", "uts", "user", "cgroup")
        links = f"for kind in {' '.join(kinds)}; do readlink /proc/self/ns/$kind; done"
        assert await at.inside(runs[1], links) == await at.on("w2", links)
        ours = (await at.on("w1", links)).split()
        theirs = (await at.inside(runs[0], links)).split()
        assert [kind for kind, a, b in zip(kinds, ours, theirs, strict=True) if a == b] == ["user"]
        seen = await at.inside(runs[2], "grep shm /proc/mounts; cat /proc/self/oom_score_adj")
        assert "size=1024k" in seen
        assert seen.endswith("\n100\n")
        told = "{{.MemorySwap}} {{.Memory}} {{.PidsLimit}} {{.CpusetCpus}} {{.OomKillDisable}}"
        told = await at.on("w3", f"podman inspect --format '{{{{with .HostConfig}}}}{told}{{{{end}}}}' shop.limits.1")
        assert told == f"{64 * MIB} {32 * MIB} 77 0 true\n"
        assert await at.inside(runs[3], "ls /sys/class/net") == "lo\n"


async def test_what_is_mounted(op: Operator) -> None:
    data = VolumeSpec("data", "shop_data", labels={"team": "a"})
    fast = VolumeSpec("fast", "shop_fast", driver="local", options={"type": "tmpfs", "device": "tmpfs", "o": "nosuid"})
    external = VolumeSpec("old", "shop_old", external=True)
    mounts = service(
        "mounts",
        mounts=(
            VolumeMount("/data", "shop_data"),
            VolumeMount("/fast", "shop_fast", read_only=True),
            VolumeMount("/bin", "shop_old", copy=False, read_only=True),
            VolumeMount("/own"),
            BindMount("/made", "/srv/orch-test/made"),
            BindMount("/host", "/etc/hostname", read_only=True, propagation="rslave", selinux="z"),
            BindMount("/a,b", "/srv/orch-test/made"),
            TmpfsMount("/scratch", size=MIB, mode=0o700, options=("noexec",)),
            TmpfsMount("/plain"),
        ),
        entrypoint=("/data/busybox",),
        command=("sleep", "1000"),
    )
    # What hides /bin leaves no shell: the program comes from a volume, as the looks do.
    fill = service("fill", mounts=(VolumeMount("/data", "shop_data"),))
    async with direct(op) as at:
        await at.on("w1", "podman volume create shop_old")
        first = at.start(fill, "w1", volumes=(data,))
        await started(at, first)
        await at.inside(first, "cp /bin/busybox /data/busybox && echo kept >/data/file")
        run = at.start(mounts, "w1", volumes=(data, external, fast))
        await started(at, run)
        look = "podman exec shop.mounts.1 /data/busybox"
        table = await at.on("w1", f"{look} cat /proc/mounts")
        lines = {line.split()[1]: line.split()[3].split(",") for line in table.splitlines()}
        assert "ro" in lines["/fast"]
        assert "ro" in lines["/bin"]
        assert {"ro"} <= set(lines["/host"])
        assert {"size=1024k", "mode=700", "noexec"} <= set(lines["/scratch"])
        assert {"/data", "/own", "/made", "/a,b", "/plain"} <= set(lines)
        assert await at.on("w1", f"{look} cat /data/file; {look} ls /bin") == "kept\n"
        assert await at.on("w1", "stat -c %F /srv/orch-test/made; rm -r /srv/orch-test") == "directory\n"
        inspect = "podman volume inspect --format '{{json .Labels}} {{json .Options}}'"
        labels, options = (await at.on("w1", f"{inspect} shop_data")).split(" ", 1)
        assert msgspec.json.decode(labels) == {
            "team": "a",
            "orch.cluster": at.cluster,
            "orch.stack": "shop",
            "orch.volume": "data",
        }
        _, options = (await at.on("w1", f"{inspect} shop_fast")).split(" ", 1)
        assert msgspec.json.decode(options)["type"] == "tmpfs"
        own = {m for m in (await at.on("w1", "podman volume ls -q")).split() if not m.startswith("shop_")}
        assert len(own) == 1
        assert [o.error for o in await at.do(at.stop(run), at.stop(first))] == ["", ""]
        assert (await at.on("w1", "podman volume ls -q")).split() == ["shop_data", "shop_fast", "shop_old"]
        await at.on("w1", "podman volume rm shop_data shop_fast shop_old")


async def test_configs_and_secrets_are_files_that_go_with_their_container(op: Operator) -> None:
    files = (
        mounted(SECRET, "/run/secrets/token", uid=12, gid=13, mode=0o400),
        mounted(CONFIG, "/etc/motd", mode=0o444),
    )
    spec = service("files", files=files)
    async with direct(op) as at:
        run = at.start(spec, "w1", files=(SECRET, CONFIG))
        folder = f"/var/lib/orch/{at.cluster}/files/{run.replica.id}"
        await started(at, run)
        seen = await at.inside(
            run, "od -An -c /run/secrets/token; ls -ln /run/secrets/token; cat /etc/motd; echo x >/etc/motd || true"
        )
        assert r"h   u   s   h  \0 377  \n" in seen
        assert re.search(r"-r-------- +1 12 +13 +7 ", seen)
        assert "welcome" in seen
        assert "Read-only file system" in seen
        modes = await at.on("w1", f"stat -c '%a %U' /var/lib/orch /var/lib/orch/{at.cluster}/files {folder}")
        assert modes == "700 root\n" * 3
        known = await at.on("w1", "podman inspect shop.files.1; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert SECRET.digest not in known
        assert folder in known
        assert [o.error for o in await at.do(at.stop(run))] == [""]
        assert await at.on("w1", f"ls -A /var/lib/orch/{at.cluster}/files") == ""


async def test_ports_checks_and_what_podman_notes(op: Operator) -> None:
    serve = ("sh", "-c", "mkdir /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www")
    web = service("web", command=serve, ports=(
        Port(80, 18080, mode="host"), Port(80, 18081, mode="host", address="127.0.0.1"), Port(80, mode="host"),
        Port(53, 18053, "udp", "host"), Port(443, 8443, mode="ingress"),
    ))  # fmt: skip
    noted = service(
        "noted",
        ContainerOptions(logging=Logging("k8s-file", {"max-size": "1m"}), annotations={"a": "b"}),
        labels={"tier": "front", "orch.slot": "9"},
    )
    healthy = service(
        "healthy",
        healthcheck=Healthcheck(("CMD", "test", "-e", "/bin/sh"), interval=1, timeout=5, retries=2, start_period=1.5),
    )
    shell = service("shell", healthcheck=Healthcheck(("CMD-SHELL", "test -e /bin/sh && true"), interval=1))
    single = service("single", healthcheck=Healthcheck(("CMD", "true"), interval=1))
    off = service("off", healthcheck=Healthcheck(("NONE",)))
    async with direct(op) as at:
        pairs = ((web, "w1"), (noted, "w1"), (healthy, "w2"), (shell, "w2"), (single, "w3"), (off, "w3"))
        runs = {spec.name: at.start(spec, node) for spec, node in pairs}
        await started(at, *runs.values())
        for port in (18080, 18081):
            asked = f"until busybox wget -qO- http://127.0.0.1:{port}/ 2>/dev/null; do sleep 0.1; done"
            assert await at.on("w1", asked) == "hello\n"
        ports = await at.on("w1", "podman port shop.web.1")
        assert "53/udp -> 0.0.0.0:18053" in ports
        assert ports.count("80/tcp ->") == 3
        assert "443" not in ports
        told = '{{.HostConfig.LogConfig.Type}} {{index .Config.Annotations "a"}} {{json .Config.Labels}}'
        driver, annotation, labels = (await at.on("w1", f"podman inspect --format '{told}' shop.noted.1")).split(" ", 2)
        assert (driver, annotation) == ("k8s-file", "b")
        assert {"tier": "front", "orch.slot": "1"}.items() <= msgspec.json.decode(labels).items()
        for name in ("healthy", "shell", "single"):
            health = f"podman inspect --format '{{{{.State.Health.Status}}}}' shop.{name}.1"
            asked = f"until {health} | grep -x healthy; do sleep 0.1; done"
            assert await at.on(runs[name].replica.node, asked) == "healthy\n"
        told = await at.on("w2", "podman inspect --format '{{json .Config.Healthcheck}}' shop.healthy.1")
        assert msgspec.json.decode(told) == {
            "Test": ["CMD", "test", "-e", "/bin/sh"],
            "StartPeriod": 1_500_000_000,
            "Interval": 1_000_000_000,
            "Timeout": 5_000_000_000,
            "Retries": 2,
        }
        off_check = await at.on("w3", "podman inspect --format '{{.Config.Healthcheck.Test}}' shop.off.1")
        assert off_check == "[NONE]\n"


REFUSED: list[tuple[ContainerOptions, dict[str, Any], str]] = [
    (ContainerOptions(init=True), {}, "needs the package catatonit on w1"),
    (ContainerOptions(extra_hosts=(("h", "host-gateway"),)), {}, "podman on w1 is too old for that"),
    (ContainerOptions(userns="keep-id"), {}, "leave it out"),
    (ContainerOptions(working_dir="/nowhere"), {}, "podman makes no working_dir"),
    (ContainerOptions(runtime="none"), {}, '"none" not found'),
    (ContainerOptions(sysctls={"kernel.x": "1"}), {}, "'kernel.x' is not allowed"),
    (ContainerOptions(), {"mounts": (VolumeMount("/v", "v", subpath="a"),)}, "podman on w1 is too old for that"),
    (ContainerOptions(), {"mounts": (TmpfsMount("/v", options=("uid=7",)),)}, "podman on w1 is too old for that"),
    (ContainerOptions(), {"mounts": (BindMount("/v", "/no/such", create=False),)}, "a bind mount is not on w1"),
    (ContainerOptions(), {"limit": Resources(0, 4096)}, "raise it"),
    (ContainerOptions(), {"command": ("/no/such",)}, "check command and entrypoint"),
]  # fmt: skip


async def test_what_podman_refuses_is_told_with_what_to_do(op: Operator) -> None:
    async with direct(op) as at:
        runs = [at.start(service(f"s{n}", options, **more), "w1") for n, (options, more, _) in enumerate(REFUSED)]
        errors = {o.action.replica.slot.service: o.error for o in await at.do(*runs)}
        told = [(expected, errors[f"s{n}"]) for n, (_, _, expected) in enumerate(REFUSED)]
        assert [pair for pair in told if pair[0] not in pair[1]] == []
        assert all(error.startswith("podman: ") for error in errors.values())


@pytest.mark.parametrize("external", [True, False])
async def test_a_volume_that_cannot_be_had_is_told_of(op: Operator, external: bool) -> None:
    volume = VolumeSpec("data", "shop_none", external=external, driver="" if external else "nope")
    async with direct(op) as at:
        run = at.start(service("a", mounts=(VolumeMount("/v", volume.name),)), "w1", volumes=(volume,))
        (outcome,) = await at.do(run)
        expected = "make it there with `podman volume create shop_none`" if external else "driver on w1"
        assert expected in outcome.error
        assert await at.on("w1", "podman ps -aq; podman volume ls -q") == ""
