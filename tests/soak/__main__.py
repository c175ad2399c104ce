"""The command behind ./scripts/soak."""

from __future__ import annotations

import importlib
import sys

import click

SOAKS = {
    "connections": "1,000 hosts held connected and probed for ten minutes, then 100 of them cut off and back",
    "store": "writers killed, power cut and bytes changed, thousands of times, and nothing lost",
    "apply": "200 applies killed or interrupted at random moments, each put right by the next",
}


@click.command()
@click.argument("name", type=click.Choice(sorted(SOAKS)), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(name: str | None, as_json: bool) -> None:
    """Run the soak NAME; exit status 1 when something it promises does not hold. Without NAME, list them."""
    if name is None:
        for soak, text in sorted(SOAKS.items()):
            click.echo(f"{soak:<12} {text}")
        return
    report = importlib.import_module(f"tests.soak.{name}").measure()
    report.print(as_json=as_json)
    sys.exit(0 if all(bar.holds for bar in report.bars) else 1)


main(prog_name="soak")
