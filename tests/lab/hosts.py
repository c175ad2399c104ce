"""Driving labs and orch as people do: through the command line, looking at results from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil

from orch.lab import fleet

ORCH = str(Path(sys.executable).with_name("orch"))
COMMAND_SECONDS = 90

Row = dict[str, Any]


def orch(*words: str, env: dict[str, str] | None = None, status: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run orch to its end. `status` is the exit status to insist on; None for any."""
    done = subprocess.run(
        [ORCH, *words],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    if status is not None:
        assert done.returncode == status, f"orch {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def heed_interrupts() -> None:
    """For `preexec_fn`: a job in the background is born deaf to Ctrl-C, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class TestLab:
    """A lab by its name; making it is up to whoever uses this."""

    __test__ = False

    def __init__(self, name: str, folder: Path, hosts: tuple[str, ...] = ("w1", "w2", "w3")) -> None:
        self.name, self.folder, self.hosts = name, folder, hosts
        self.env = {
            "ORCH_INVENTORY": f"/var/lib/orch-lab/{name}/inventory.yml",
            "ORCH_STATE": str(folder / "state"),
        }

    @classmethod
    def named(cls, prefix: str, folder: Path) -> TestLab:
        """Named after this process, so that what a dead one left behind can be told."""
        return cls(f"test-{prefix}-{os.getpid()}", folder)

    def orch(self, *words: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        return orch(*words, env=self.env, status=status)

    def lab(self, verb: str, *words: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        return self.orch("lab", verb, "--lab", self.name, *words, status=status)

    def inside(self, host: str, *command: str, status: int | None = 0) -> str:
        """What a command in the host prints; it gets there without the network."""
        return self.lab("exec", host, "--", *command, status=status).stdout

    def status(self) -> dict[str, Row]:
        rows = msgspec.json.decode(self.orch("lab", "status", "--lab", self.name, "-o", "json").stdout)
        return {row["name"]: row for row in rows}

    def images(self) -> None:
        for name, tag in (("busybox", "latest"), ("busybox", "2"), ("redis", "latest")):
            self.orch("lab", "image", name, "--tag", tag)


class Faults:
    """What can go wrong with hosts, and its undoing."""

    def __init__(self, lab: TestLab) -> None:
        self._lab = lab

    def kill(self, *hosts: str) -> None:
        self._lab.lab("kill", *hosts)

    def cut(self, *hosts: str) -> None:
        self._lab.lab("cut", *hosts)

    def heal(self, *hosts: str) -> None:
        self._lab.lab("heal", *hosts)

    def start(self, *hosts: str) -> None:
        self._lab.lab("start", *hosts)

    def mend(self) -> None:
        """Every host up and reachable again, whatever was done to it."""
        states = {name: row["state"] for name, row in self._lab.status().items()}
        self._lab.lab("heal", *self._lab.hosts)
        if off := [name for name, state in states.items() if state == "off"]:
            self._lab.lab("start", *off)


class Operator:
    """Someone who uses orch on a lab, with a state of their own."""

    def __init__(self, lab: TestLab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.env = {**lab.env, "ORCH_STATE": str(folder / "state")}

    @property
    def inventory(self) -> Path:
        return Path(self.env["ORCH_INVENTORY"])

    def orch(self, *words: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        return orch(*words, env=self.env, status=status)

    def json(self, *words: str, status: int | None = 0) -> Any:
        return msgspec.json.decode(self.orch(*words, "-o", "json", status=status).stdout)

    def file(self, text: str) -> str:
        """A Compose file with this text; its path."""
        path = self.folder / "compose.yml"
        path.write_text(text)
        return str(path)

    def apply(self, text: str, *words: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        return self.orch("apply", "-f", self.file(text), *words, status=status)

    def ps(self, *words: str, status: int | None = 0) -> dict[str, Row]:
        """Rows of `orch ps` by name of the slot."""
        rows = self.json("ps", *words, status=status)
        return {f"{row['stack']}/{row['service']}.{row['slot']}": row for row in rows}

    def containers(self, host: str) -> dict[str, Row]:
        """All containers of a host as podman lists them, by name."""
        listed = msgspec.json.decode(self.lab.inside(host, "podman", "ps", "--all", "--format", "json") or "[]")
        return {row["Names"][0]: row for row in listed}


def down_abandoned() -> None:
    """Take away labs of test runs that were killed."""
    for name in fleet.labs():
        made = re.fullmatch(r"test-[to]-(\d+)(-b)?", name)
        if made is not None and not psutil.pid_exists(int(made[1])):
            orch("lab", "down", "--lab", name)
