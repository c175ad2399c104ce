"""Many connections held for long: what they cost, whether a probe is missed, and how a tenth of them comes back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from tests.bench.many_addresses import PORT, Addresses, addresses, many_addresses
from tests.bench.report import Bar, Figure, Report

PROBE_SECONDS = 5.0
_CLIENT = Path(__file__).with_name("connections_client.py")
_TICK = os.sysconf("SC_CLK_TCK")


class Plan(msgspec.Struct, frozen=True):
    """Seconds: `held` is measured after `settling`; the hosts that are cut stay so for `cut`."""

    hosts: int = 1000
    settling: float = 60.0
    held: float = 600.0
    cut_hosts: int = 100
    cut: float = 45.0
    back: float = 15.0


class State(msgspec.Struct, frozen=True):
    """Of the client's process: CPU in seconds, resident memory in MiB, open descriptors."""

    cpu: float
    memory: float
    descriptors: int


def measure(plan: Plan | None = None) -> Report:
    plan = plan or Plan()
    with tempfile.TemporaryDirectory() as name, many_addresses(Path(name), plan.hosts) as there:
        argv = [
            *there.prefix,
            sys.executable,
            str(_CLIENT),
            str(there.inventory(plan.hosts, there.known_hosts)),
            str(PROBE_SECONDS),
        ]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            client = Client(process)
            try:
                return _soak(plan, there, client)
            finally:
                process.terminate()


def _soak(plan: Plan, there: Addresses, client: Client) -> Report:
    client.wait(lambda tally: tally["answered"] >= plan.hosts, plan.settling, "every host to answer once")
    _tell(f"{plan.hosts} hosts connected")
    client.let(PROBE_SECONDS * 2)
    first, before = client.state(), client.tally()
    began = time.monotonic()
    samples = client.sample(plan.held)
    last, after = client.state(), client.tally()
    core = (last.cpu - first.cpu) / (time.monotonic() - began) * 100
    missed = (after["asked"] - after["answered"]) - (before["asked"] - before["answered"])
    late = after["late"] - before["late"]
    _tell(f"held: {core:.1f} % of a core, {last.memory:.0f} MiB, {missed} missed, {late} late")

    storm = Storm(there)
    with storm:
        _cut(there, plan.cut_hosts, True)
        client.let(plan.cut)
        away = client.tally()["away"]
        _tell(f"cut: {away} of {plan.cut_hosts} known to be away ({client.tally()['reason']})")
        _cut(there, plan.cut_hosts, False)
        healed = time.monotonic()
        client.wait(lambda tally: tally["away"] == 0, plan.back * 4, "all to be back")
        seconds_back = time.monotonic() - healed
    client.let(PROBE_SECONDS * 2)
    end = client.state()
    # Memory of the first and the last fifth: Python's own caches need some time to fill.
    fifth = max(1, len(samples) // 5)
    growth = sum(s.memory for s in samples[-fifth:]) / fifth - sum(s.memory for s in samples[:fifth]) / fifth
    figures = [
        Figure(f"{plan.hosts} hosts, a probe each {PROBE_SECONDS:g} s, CPU", "% core", (core,)),
        Figure("resident memory", "MiB", tuple(s.memory for s in samples)),
        Figure("open descriptors", "", tuple(float(s.descriptors) for s in samples)),
        Figure("probes", "", (float(after["answered"] - before["answered"]),)),
        Figure(f"{plan.cut_hosts} hosts known to be away after {plan.cut:g} s", "", (float(away),)),
        Figure("all back after", "s", (seconds_back,)),
        Figure("handshakes at once, most", "", (float(storm.most),)),
    ]
    bars = [
        Bar("CPU, % of a core", core, 25),
        Bar("memory, MiB", max(s.memory for s in [*samples, end]), 200),
        Bar("missed or late probes", missed + late, 0),
        Bar("growth of memory from the first to the last fifth, MiB", growth, 4),
        Bar("growth of descriptors", max(s.descriptors for s in samples) - first.descriptors, 0),
        Bar("descriptors left over from the cut", end.descriptors - last.descriptors, 0),
        Bar("hosts cut off and not noticed", plan.cut_hosts - away, 0),
        Bar("all back, s", seconds_back, plan.back),
        Bar("handshakes at once", storm.most, 50),
    ]
    return Report("connections", figures, bars)


class Client:
    """The process that holds the connections, seen from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._proc = Path("/proc") / str(process.pid)

    def tally(self) -> dict[str, int]:
        """The next one that it prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("soak: the client ended")
        found: dict[str, int] = msgspec.json.decode(line)
        return found

    def let(self, seconds: float) -> None:
        """Let it work for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tally()

    def wait(self, done: Callable[[dict[str, int]], bool], seconds: float, what: str) -> None:
        until = time.monotonic() + seconds
        while not done(tally := self.tally()):
            if time.monotonic() > until:
                raise SystemExit(f"soak: waited {seconds:g} s in vain for {what}: {tally}")

    def sample(self, seconds: float) -> list[State]:
        """Its state each second."""
        found = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tally()
            found.append(self.state())
        return found

    def state(self) -> State:
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        resident = re.search(r"VmRSS:\s+(\d+)", (self._proc / "status").read_text())
        assert resident is not None
        return State(
            cpu=(int(fields[11]) + int(fields[12])) / _TICK,
            memory=int(resident[1]) / 1024,
            descriptors=len(list((self._proc / "fd").iterdir())),
        )


class Storm:
    """Watches how many connections an sshd holds that are not let in yet; it writes it into its own command line."""

    def __init__(self, there: Addresses) -> None:
        self.most = 0
        self._title = _listener(there)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            if found := re.search(rb"\[listener\] (\d+) of", self._title.read_bytes()):
                self.most = max(self.most, int(found[1]))


def _listener(there: Addresses) -> Path:
    """The command line of the sshd that listens on PORT there: the parent of all the others. Other labs have theirs."""
    network = there.network.stat()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            its_own = b"/tmp/sshd.conf [listener]" in process.read_bytes().replace(b"\0", b" ")
            if its_own and process.with_name("ns").joinpath("net").stat().st_ino == network.st_ino:
                return process
        except OSError:
            continue
    raise SystemExit(f"soak: no sshd listens on {PORT} for {there.folder}")


def _cut(there: Addresses, count: int, cut: bool) -> None:
    """Drop everything to and from the first addresses, as a cable that was pulled would."""
    listed = addresses(count)
    for end in ("--src-range", "--dst-range"):
        words = ("iptables", "-I" if cut else "-D", "OUTPUT", "-m", "iprange", end, f"{listed[0]}-{listed[-1]}")
        subprocess.run([*there.prefix, *words, "-j", "DROP"], check=True)


def _tell(text: str) -> None:
    click.echo(text, err=True)
