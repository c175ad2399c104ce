"""The command behind ./scripts/bench."""

from __future__ import annotations

import importlib
import sys

import click

BENCHES = {
    "deploy": "40 replicas onto one host, against xargs and podman on that host",
    "fanout": "one command on many hosts, against xargs ssh, clush, pyinfra, ansible and parallel-ssh",
    "lab": "how soon the hosts of a lab can be used",
    "probe": "what it costs a node to be watched, and to be asked everything",
    "schedule": "planning for 1,000 nodes: 10,000 replicas from nothing, again, and 500 more",
    "store": "a commit and a start, beside TinyDB with its own storages",
    "push": "an image of 200 MB to four hosts, against podman save | ssh podman load",
    "start-up": "what `orch version` and `orch --help` cost",
}


@click.command()
@click.argument("name", type=click.Choice(sorted(BENCHES)), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--rounds", type=click.IntRange(1), help="How often to measure; each benchmark has its own default.")
def main(name: str | None, as_json: bool, rounds: int | None) -> None:
    """Run the benchmark NAME; exit status 1 when one of its bars does not hold. Without NAME, list them."""
    if name is None:
        for bench, text in sorted(BENCHES.items()):
            click.echo(f"{bench:<10} {text}")
        return
    module = importlib.import_module(f"tests.bench.{name.replace('-', '_')}")
    report = module.measure(rounds) if rounds else module.measure()
    report.print(as_json=as_json)
    sys.exit(0 if all(bar.holds for bar in report.bars) else 1)


main(prog_name="bench")
