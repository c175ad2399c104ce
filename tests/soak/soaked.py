"""The stack that is applied again and again, the hosts it runs on, and what is amiss there."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.bench.process import ORCH

STACK = """
name: soak
services:
  web:
    image: localhost/busybox:latest
    command: sleep 1000
    stop_grace_period: 0s
    environment: {{ROUND: "{round}"}}
    configs: [page]
    secrets: [token]
    deploy: {{replicas: 12}}
  edge:
    image: localhost/busybox:latest
    command: httpd -f -p 8080 -h /srv
    stop_grace_period: 0s
    configs: [{{source: page, target: /srv/index.html}}]
    ports: [{{target: 8080, published: 18080, mode: host}}]
    deploy: {{mode: global}}
  db:
    image: localhost/busybox:latest
    command: sh -c 'echo $$ROUND >>/data/rounds; exec sleep 1000'
    stop_grace_period: 0s
    environment: {{ROUND: "{round}"}}
    volumes: ["data:/data"]
    deploy: {{replicas: 2}}
configs: {{page: {{content: "page {round}"}}}}
secrets: {{token: {{environment: TOKEN}}}}
volumes: {{data: {{}}}}
"""
SLOTS = {"web": 12, "db": 2}
"""Besides an edge on each host."""
FILES = {"web": 2, "edge": 1, "db": 0}
"""Of each replica."""

_LISTING = """
podman ps -a --external --format 'container|{{.Names}}|{{index .Labels "orch.replica"}}|{{.State}}'
for file in /var/lib/orch/*/files/*/* /var/lib/orch/*/starting/*; do
    [ ! -e "$file" ] || echo "file|$file|$(cat "$file")|"
done
podman volume ls --format 'volume|{{.Name}}||'
echo "page|$(busybox wget -q -O - http://127.0.0.1:18080/)||"
"""


class Found(msgspec.Struct, frozen=True):
    """One thing on one host. `kind`: container, file (a path, with its content as `detail`), volume or page."""

    host: str
    kind: str
    name: str
    detail: str
    state: str


class Fleet:
    """A lab that is there, with a state of its own."""

    def __init__(self, lab: str, hosts: Sequence[str], folder: Path) -> None:
        self._lab, self._hosts, self._folder = lab, hosts, folder
        self._env = {
            **os.environ,
            "ORCH_INVENTORY": f"/var/lib/orch-lab/{lab}/inventory.yml",
            "ORCH_STATE": str(folder / "state"),
        }

    def start(self, round: int, verb: str = "apply") -> subprocess.Popen[bytes]:
        path = self._folder / "compose.yml"
        path.write_text(STACK.format(round=round))
        return subprocess.Popen(
            [ORCH, verb, "-f", str(path)],
            env=self._env | {"TOKEN": f"token {round}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=_heed_interrupts,
        )

    def run(self, round: int, verb: str = "apply") -> tuple[int, str]:
        """Its exit status, and what it said."""
        with self.start(round, verb) as process:
            _, said = process.communicate()
        return process.returncode, said.decode()

    def remove(self) -> None:
        subprocess.run([ORCH, "rm", "--yes", "soak"], env=self._env, capture_output=True, check=False)

    def amiss(self, round: int) -> list[str]:
        """What is not as an apply of that round leaves it."""
        return list(amiss([found for host in self._hosts for found in self._found(host)], round, self._hosts))

    def _found(self, host: str) -> list[Found]:
        argv = [ORCH, "lab", "exec", "--lab", self._lab, host, "--", "sh", "-c", _LISTING]
        lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
        return [Found(host, *line.split("|")) for line in lines]


def amiss(found: Sequence[Found], round: int, hosts: Sequence[str]) -> Iterator[str]:
    """Each a sentence; none, it is hoped."""
    containers = [f for f in found if f.kind == "container"]
    slots, counts = Counter(f.name for f in containers), {**SLOTS, "edge": len(hosts)}
    wanted = {f"soak.{service}.{number}" for service, count in counts.items() for number in range(1, count + 1)}
    if slots != Counter(wanted):
        yield f"on the hosts are {dict(slots)}"
    if others := [f for f in containers if not f.state.startswith("Up")]:
        yield f"do not run: {others}"
    # A replica's folder has its id, and lies where its container is.
    expected = {
        (f.host, f"{f.detail}/{number}") for f in containers for number in range(FILES.get(f.name.split(".")[1], 0))
    }
    files = {(f.host, "/".join(f.name.split("/")[-2:])): f.detail for f in found if f.kind == "file"}
    if set(files) != expected:
        yield f"files too many: {sorted(set(files) - expected)}, and too few: {sorted(expected - set(files))}"
    if stale := {detail for detail in files.values() if detail not in {f"page {round}", f"token {round}"}}:
        yield f"files of other rounds: {stale}"
    if (homes := [f.host for f in found if f.kind == "volume"]) != homes[:1]:
        yield f"the volume is on {homes}"
    if pages := [f for f in found if f.kind == "page" and f.name != f"page {round}"]:
        yield f"behind the port is {pages}"


def _heed_interrupts() -> None:
    """A job in the background is born deaf to Ctrl-C, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
