"""What is on a host's disk beyond the machine's own files: the upper layer of its overlay.

The texts are pure; `write_seed` puts them down. A host shares the machine's programs and nothing else: the
machine's accounts, units, keys, containers, logs and home folders are hidden behind empty folders. It is no security
boundary: whoever is root in a host can be root on the machine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from orch.lab.layout import USER, Lab, LabHost

_HIDDEN = (
    "etc/containers",
    "etc/cron.d",
    "etc/profile.d",
    "etc/ssl/private",
    "etc/ssh",
    "etc/sudoers.d",
    "etc/sysctl.d",
    "etc/systemd/system",
    "home",
    "root",
    "opt",
    "srv",
    "var/backups",
    "var/lib/containers",
    "var/lib/orch",
    "var/lib/orch-lab",
    "var/log",
    "var/spool/cron",
    "var/tmp",
)
"""Folders of the machine that a host must not see; opaque in the overlay."""

_FOLDERS = ("proc", "sys", "dev", "run", "tmp", "var/lib/orch-images", "var/log/journal")

_MASKED = (
    "console-getty.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty.target",
    "kmod-static-nodes.service",
    "proc-sys-fs-binfmt_misc.automount",
    "proc-sys-fs-binfmt_misc.mount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-logind.service",
    "systemd-modules-load.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-resolved.service",
    "systemd-sysctl.service",
    "systemd-timesyncd.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-udev-settle.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
)
"""Units that would touch the kernel or devices, which hosts share, or wait for what a host does not have."""

_TARGET = """\
[Unit]
Description=A lab host, ready to be reached
Requires=basic.target
Wants=ssh.service dbus.service
After=basic.target ssh.service dbus.service
AllowIsolate=yes
"""

_SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM no
PasswordAuthentication no
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
"""

_CONTAINERS = """\
[containers]
# podman's own limits need CAP_SYS_RESOURCE, which a machine inside a sandbox may lack.
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
# crun refuses cgroups that are half version 1, half version 2.
runtime = "runc"
[network]
network_backend = "netavark"
"""

_STORAGE = """\
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
[storage.options]
additionalimagestores = ["/var/lib/orch-images"]
"""


class Keys(msgspec.Struct, frozen=True):
    """OpenSSH texts: a host's private key, and the public one that may log in."""

    host_private: str
    authorized: str


class File(msgspec.Struct, frozen=True):
    text: str
    mode: int = 0o644
    owner: int = 0


def seed_files(lab: Lab, host: LabHost, keys: Keys, passwd: str, group: str) -> Mapping[str, File]:
    """Path below / → file. The last two are the machine's own, of which the system's accounts are kept."""
    names = "".join(f"{h.address} {h.name}\n" for h in lab.hosts)
    shell = "/bin/sh"
    kept = system_accounts(passwd)
    return {
        "etc/hostname": File(f"{host.name}\n"),
        "etc/hosts": File(f"127.0.0.1 localhost\n{names}"),
        "etc/machine-id": File(hashlib.sha256(f"{lab.name}/{host.name}".encode()).hexdigest()[:32] + "\n"),
        "etc/fstab": File(""),
        "etc/resolv.conf": File(""),
        "etc/passwd": File(
            f"root:x:0:0:root:/root:{shell}\n" + "".join(kept.values()) + f"{USER}:x:1000:1000::/home/{USER}:{shell}\n"
        ),
        # `*` lets no password in; `!` would lock the account, and sshd with it.
        "etc/shadow": File(
            "root:*:19700::::::\n" + "".join(f"{name}:*:19700::::::\n" for name in kept) + f"{USER}:*:19700::::::\n",
            mode=0o640,
        ),
        "etc/group": File(_system_groups(group) + f"{USER}:x:1000:\n"),
        "etc/sudoers": File(
            f"Defaults secure_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
            f"root ALL=(ALL) ALL\n{USER} ALL=(ALL) NOPASSWD: ALL\n@includedir /etc/sudoers.d\n",
            mode=0o440,
        ),
        "etc/ssh/sshd_config": File(_SSHD),
        "etc/ssh/ssh_host_ed25519_key": File(keys.host_private, mode=0o600),
        "etc/containers/containers.conf": File(_CONTAINERS),
        "etc/containers/storage.conf": File(_STORAGE),
        "etc/containers/policy.json": File('{"default": [{"type": "insecureAcceptAnything"}]}\n'),
        "etc/containers/registries.conf": File("unqualified-search-registries = []\n"),
        "etc/systemd/system/lab.target": File(_TARGET),
        "root/.ssh/authorized_keys": File(keys.authorized, mode=0o600),
        f"home/{USER}/.ssh/authorized_keys": File(keys.authorized, mode=0o600, owner=1000),
    }


def system_accounts(passwd: str) -> dict[str, str]:
    """Name → line of the accounts that programs run as: user ids 1 to 999 and nobody's."""
    return {
        name: f"{line}\n"
        for name, line in _entries(passwd)
        if (uid := line.split(":")[2]).isdecimal() and (0 < int(uid) < 1000 or int(uid) == 65534)
    }


def _system_groups(group: str) -> str:
    return "".join(
        f"{line}\n"
        for _, line in _entries(group)
        if (gid := line.split(":")[2]).isdecimal() and int(gid) not in range(1000, 65534)
    )


def _entries(text: str) -> list[tuple[str, str]]:
    """(name, line) of each entry of a file like /etc/passwd, but for the user that a lab makes itself."""
    named = [(line.partition(":")[0], line) for line in text.splitlines() if line.count(":") >= 3]
    return [(name, line) for name, line in named if name != USER]


def write_seed(upper: Path, files: Mapping[str, File]) -> None:
    """Put the files on a disk that has none yet."""
    for folder in (*_HIDDEN, *_FOLDERS):
        (upper / folder).mkdir(parents=True, exist_ok=True)
    for folder in _HIDDEN:
        os.setxattr(upper / folder, "trusted.overlay.opaque", b"y")
    for unit in _MASKED:
        (upper / "etc/systemd/system" / unit).symlink_to("/dev/null")
    for name, file in files.items():
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
        path.chmod(file.mode)
        os.chown(path, file.owner, file.owner)
    for folder in ("root", f"home/{USER}"):
        owner = 1000 if folder != "root" else 0
        for path in (upper / folder, upper / folder / ".ssh"):
            path.chmod(0o700)
            os.chown(path, owner, owner)
    (upper / "tmp").chmod(0o1777)
