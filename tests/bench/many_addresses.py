"""A hundred addresses that answer SSH: one lab host's sshd on its loopback, seen from inside that host's network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import yaml

from orch.lab import fleet
from orch.lab.layout import USER, LabPaths
from tests.bench.process import ORCH

PORT = 2222
_SSHD = f"""
Port {PORT}
ListenAddress 0.0.0.0
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile none
UsePAM no
MaxStartups 2000
PasswordAuthentication no
"""


class Addresses(msgspec.Struct, frozen=True):
    """`prefix` is the beginning of a command line that shall run where the addresses are. `known_hosts` is a file with
    their key, `wrong_hosts` one with another key for each of them."""

    folder: Path
    key: str
    known_hosts: str
    wrong_hosts: str
    prefix: tuple[str, ...]
    lab: str

    def hosts(self, count: int) -> list[str]:
        return addresses(count)

    @property
    def network(self) -> Path:
        """The namespace of the host that has the addresses."""
        return Path(f"/run/netns/{LabPaths(self.lab).netns('w1')}")

    def cpu(self) -> float:
        """Seconds of CPU that the host, its sshd above all, has used so far."""
        group = LabPaths(self.lab).cgroup
        version_1 = Path(f"/sys/fs/cgroup/cpuacct/{group}/cpuacct.usage")
        if version_1.exists():
            return int(version_1.read_text()) / 1e9
        usage = Path(f"/sys/fs/cgroup/{group}/cpu.stat").read_text().split()
        return int(usage[usage.index("usage_usec") + 1]) / 1e6

    def inventory(self, count: int, known_hosts: str) -> Path:
        """For orch and Ansible alike."""
        file = self.folder / f"hosts{count}-{Path(known_hosts).name}.yml"
        file.write_text(
            yaml.safe_dump(
                {
                    "all": {
                        "vars": {
                            "ansible_user": USER,
                            "ansible_port": PORT,
                            "ansible_ssh_private_key_file": self.key,
                            "ansible_ssh_common_args": f"-F /dev/null -o UserKnownHostsFile={known_hosts}",
                        },
                        "hosts": {f"h{n}": {"ansible_host": a} for n, a in enumerate(addresses(count))},
                    }
                }
            )
        )
        return file


def addresses(count: int) -> list[str]:
    return [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(count)]


@contextmanager
def many_addresses(folder: Path, most: int) -> Iterator[Addresses]:
    """The account there has /bin/sh and no start-up files."""
    lab = f"bench-{os.getpid()}"
    paths = LabPaths(lab)
    try:
        _run([ORCH, "lab", "up", "--lab", lab, "-n", "1"])
        script = "cat >/tmp/sshd.conf && mkdir -p /run/sshd && /usr/sbin/sshd -f /tmp/sshd.conf"
        _run([ORCH, "lab", "exec", "--lab", lab, "w1", "--", "sh", "-c", script], _SSHD)
        public = paths.known_hosts.read_text().splitlines()[0].split(None, 1)[1]
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "another")])
        another = (folder / "another.pub").read_text().rsplit(None, 1)[0]
        known, wrong = (_write_known_hosts(folder / n, k, most) for n, k in (("known", public), ("wrong", another)))
        prefix = ("nsenter", f"--net=/run/netns/{paths.netns('w1')}", "--")
        yield Addresses(folder, str(paths.key), known, wrong, prefix, lab)
    finally:
        fleet.down(lab)


def _write_known_hosts(file: Path, public: str, most: int) -> str:
    file.write_text("".join(f"[{address}]:{PORT} {public}\n" for address in addresses(most)))
    return str(file)


def _run(argv: Sequence[str], stdin: str = "") -> None:
    subprocess.run(argv, input=stdin, text=True, check=True, capture_output=True)
