"""Other programs that do the same work, in a folder of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

FOLDER = Path(__file__).parents[2] / ".cache" / "peers"
_WANTED = ("ansible-core", "clustershell", "parallel-ssh", "pyinfra")
_DONE = FOLDER / "installed"


def install() -> None:
    """Once; they are not among what orch itself needs."""
    if _DONE.exists() and _DONE.read_text() == repr(_WANTED):
        return
    click.echo(f"installing {', '.join(_WANTED)} into {FOLDER}", err=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True)
    subprocess.run([program("pip"), "install", "--quiet", *_WANTED], check=True)
    _DONE.write_text(repr(_WANTED))


def program(name: str) -> str:
    return str(FOLDER / "bin" / name)


def versions() -> str:
    listed = subprocess.run([program("pip"), "list", "--format=freeze"], capture_output=True, text=True, check=True)
    return ", ".join(line for line in listed.stdout.split() if line.partition("==")[0].lower() in _WANTED)
