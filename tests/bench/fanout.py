"""One command on many hosts: `orch run` against the usual ways, each as a whole process that starts cold.

All run `true` on the same addresses with the same key, host keys verified, without a connection left from before;
before the measuring, each must have brought back one line from every address, and none where another key is known for
it. The last part has no start in it: held
connections, commands in one process, against the parallel-ssh library.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from orch.lab.layout import USER
from tests.bench import peers
from tests.bench.many_addresses import PORT, Addresses, many_addresses
from tests.bench.process import ORCH, Cost, cost
from tests.bench.report import Bar, Figure, Report

SIZES = (50, 100)
WARM_HOSTS = 100
WARM_ROUNDS = 20
SERVER = "sshd alone, its CPU over the cores"
MARK = "answered-by-a-host"


class Way(msgspec.Struct, frozen=True):
    """A command line and what its environment needs."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = msgspec.field(default_factory=dict)


def measure(rounds: int = 5) -> Report:
    peers.install()
    figures: list[Figure] = []
    bars: list[Bar] = []
    with tempfile.TemporaryDirectory() as name, many_addresses(Path(name), max(SIZES)) as there:
        for size in SIZES:
            costs = _cold(there, size, rounds)
            figures += _figures(size, costs)
            bars += _bars(size, costs)
        ours, theirs = _warm(there, rounds)
    figures += [
        Figure(f"orch, held, {WARM_HOSTS} hosts, CPU a command", "ms", ours),
        Figure(f"parallel-ssh, held, {WARM_HOSTS} hosts, CPU a command", "ms", theirs),
    ]
    ratio = Figure("", "", tuple(a / b for a, b in zip(ours, theirs, strict=True))).median
    bars += [
        Bar("held connections, ms of CPU a command", figures[-2].median, 0.35),
        Bar("held connections, CPU against parallel-ssh", ratio, 0.5),
    ]
    return Report("fanout", figures, bars)


def _cold(there: Addresses, size: int, rounds: int) -> dict[str, list[Cost]]:
    log = there.folder / "log"
    for known_hosts, wanted in ((there.wrong_hosts, 0), (there.known_hosts, size)):
        for way in _ways(there, size, f"echo {MARK}", known_hosts):
            cost([*there.prefix, *way.argv], env=way.env, log=log, must_succeed=wanted > 0)
            lines = sum(MARK in line and f"echo {MARK}" not in line for line in log.read_text().splitlines())
            if lines != wanted:
                said = log.read_text()[-3000:]
                raise SystemExit(f"bench: {way.name} brought {lines} answers and not {wanted}:\n{said}")
    costs: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        for way in _ways(there, size, "true", there.known_hosts):
            before = there.cpu()
            costs.setdefault(way.name, []).append(cost([*there.prefix, *way.argv], env=way.env, log=log))
            if way.name == "orch run":
                # What no client can save: all that the addresses' sshd does, shared out over the cores.
                least = (there.cpu() - before) / (os.cpu_count() or 1)
                costs.setdefault(SERVER, []).append(Cost(least, 0.0))
    return costs


def _ways(there: Addresses, size: int, command: str, known_hosts: str) -> list[Way]:
    inventory = str(there.inventory(size, known_hosts))
    hosts = there.hosts(size)
    options = f"-F /dev/null -p {PORT} -i {there.key} -o UserKnownHostsFile={known_hosts} -o BatchMode=yes"
    listed = there.folder / "list"
    listed.write_text("".join(f"{host}\n" for host in hosts))
    pyinfra = there.folder / "fleet.py"
    login = {
        "ssh_user": USER,
        "ssh_port": PORT,
        "ssh_key": there.key,
        "ssh_known_hosts_file": known_hosts,
        "ssh_strict_host_key_checking": "yes",
        "ssh_config_file": "/dev/null",
    }
    pyinfra.write_text(f"fleet = {[(host, login) for host in hosts]!r}\n")
    empty = str(there.folder / "ansible.cfg")
    Path(empty).write_text("[defaults]\n")
    return [
        Way("orch run", (ORCH, "-i", inventory, "run", "all", "--", command)),
        Way(
            "xargs -P32 ssh",
            ("sh", "-c", f"xargs -P 32 -I HOST ssh {options} {USER}@HOST '{command}' <{listed}"),
        ),
        Way(
            "clush -f64",
            (
                peers.program("clush"),
                "-f",
                "64",
                "-l",
                USER,
                "-o",
                options,
                "-w",
                ",".join(hosts),
                command,
            ),
        ),
        Way("pyinfra exec", (peers.program("pyinfra"), "-y", str(pyinfra), "exec", "--", command)),
        Way(
            "ansible -m raw",
            (peers.program("ansible"), "-i", inventory, "-f", "50", "-m", "raw", "-a", command, "all"),
            {"ANSIBLE_SSH_ARGS": "-o ControlMaster=no", "ANSIBLE_CONFIG": empty, "ANSIBLE_HOST_KEY_CHECKING": "True"},
        ),
    ]


def _figures(size: int, costs: dict[str, list[Cost]]) -> list[Figure]:
    costs = dict(costs)
    server = Figure(f"{SERVER}, {size} hosts", "s", tuple(c.wall for c in costs.pop(SERVER)))
    walls = [Figure(f"{name}, {size} hosts, wall", "s", tuple(c.wall for c in found)) for name, found in costs.items()]
    cpus = [Figure(f"{name}, {size} hosts, CPU", "s", tuple(c.cpu for c in found)) for name, found in costs.items()]
    return [*walls, server, *cpus]


def _bars(size: int, costs: dict[str, list[Cost]]) -> list[Bar]:
    def against(peer: str, field: str) -> float:
        pairs = zip(costs["orch run"], costs[peer], strict=True)
        return Figure("", "", tuple(getattr(a, field) / getattr(b, field) for a, b in pairs)).median

    fastest = max(against(peer, "wall") for peer in costs if peer not in {"orch run", SERVER})
    return [
        Bar(f"{size} hosts, wall against the fastest other", fastest, 1.0),
        Bar(f"{size} hosts, wall against xargs ssh", against("xargs -P32 ssh", "wall"), 0.8),
        Bar(f"{size} hosts, wall against pyinfra", against("pyinfra exec", "wall"), 0.3),
        Bar(f"{size} hosts, CPU against ansible", against("ansible -m raw", "cpu"), 0.1),
    ]


def _warm(there: Addresses, rounds: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """CPU in ms a command, of each library in turn, each in a process of its own."""
    folder = Path(__file__).parent
    words = (str(WARM_HOSTS), str(WARM_ROUNDS))
    ours, theirs = [], []
    for _ in range(rounds):
        inventory = str(there.inventory(WARM_HOSTS, there.known_hosts))
        ours.append(_printed([*there.prefix, sys.executable, str(folder / "warm_orch.py"), inventory, *words]))
        login = (USER, str(PORT), there.key)
        argv = [peers.program("python"), str(folder / "warm_parallel_ssh.py"), *login, *words, *there.hosts(WARM_HOSTS)]
        theirs.append(_printed([*there.prefix, *argv]))
    return tuple(ours), tuple(theirs)


def _printed(argv: Sequence[str]) -> float:
    found = subprocess.run(argv, capture_output=True, text=True)
    if found.returncode != 0:
        raise SystemExit(f"bench: {' '.join(argv[:6])} … failed:\n{found.stderr[-3000:]}")
    return float(found.stdout)
