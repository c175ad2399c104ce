"""The command line's own part: options, errors and exit status, help, and what it costs to start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from orch.cli.main import cli, run_cli
from orch.cli.settings import current_settings, settings_options

ROOT = Path(__file__).parents[2]


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and nothing of the caller's in the environment."""
    for name in [n for n in os.environ if n.startswith("ORCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_command_listed_is_there_and_says_the_same_of_itself(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(["--help"]) == 0
    listed = capsys.readouterr().out
    assert run_cli([name, "--help"]) == 0
    own = capsys.readouterr().out
    assert own.startswith(f"Usage: orch {name}")
    first_words = next(line for line in listed.splitlines() if line.startswith(f"  {name} ")).split()[1:5]
    assert " ".join(first_words).rstrip(".:") in " ".join(own.split())


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nope"], 2, "there is no command 'nope'; `orch --help` lists them"),
        (["nodes", "--nope"], 2, "No such option"),
        (["nodes"], 2, "orch: inventory.yml: there is no such inventory; -i PATH or ORCH_INVENTORY names another"),
        (["apply"], 2, "Missing option '-f'"),
        (["apply", "-f", "absent.yml"], 2, "orch: absent.yml: cannot be read: No such file or directory"),
        (["run", "all"], 2, "run needs a command after --"),
        (["scale", "web=3"], 2, "orch: expected STACK/SERVICE=N, N at most 100000, not 'web=3'"),
        (["scale", "shop/web=100001"], 2, "orch: expected STACK/SERVICE=N, N at most 100000"),
        (["rm", "shop"], 2, "nobody can be asked here; add --yes"),
        (["lab", "up", "--cpus", "many"], 2, "expected a number of cores like 0.5 or 2, not 'many'"),
        (["lab", "up", "-n", "0"], 2, "a lab has 1 to 100 hosts, not 0"),
        (["--timeout", "0", "nodes"], 2, "0.0 is not in the range"),
    ],
)
def test_errors_name_the_thing_and_set_the_status(
    at_home: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, said: str
) -> None:
    assert run_cli(words) == status
    assert said in capsys.readouterr().err


def test_without_words_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli([]) == 2
    assert "Stacks:" in capsys.readouterr().err


def test_a_pattern_that_names_nothing_is_a_usage_error(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (at_home / "inventory.yml").write_text("all: {hosts: {w1: {}}}\n")
    assert run_cli(["run", "w9", "--", "true"]) == 2
    assert capsys.readouterr().err == "orch: no host or group is called 'w9' in inventory.yml\n"


def test_options_count_before_and_after_the_command(at_home: Path) -> None:
    seen = []

    @click.command()
    @settings_options
    def inner() -> None:
        seen.append(current_settings())

    @click.group()
    @settings_options
    def outer() -> None:
        pass

    outer.add_command(inner, "inner")
    outer.main(["-i", "a.yml", "-o", "json", "inner", "-o", "yaml", "--state", "s", "-v"], standalone_mode=False)
    assert (seen[0].inventory, seen[0].output, seen[0].state) == ((Path("a.yml"),), "yaml", Path("s"))
    assert (seen[0].verbose, seen[0].quiet, seen[0].timeout) == (True, False, 10.0)


def test_variables_count_where_no_option_does(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    @click.command()
    @settings_options
    def command() -> None:
        seen.append(current_settings())

    monkeypatch.setenv("ORCH_INVENTORY", "a.yml:b.yml")
    monkeypatch.setenv("ORCH_STATE", "kept")
    command.main([], standalone_mode=False)
    command.main(["-i", "c.yml", "--state", "other"], standalone_mode=False)
    assert [(s.inventory, s.state) for s in seen] == [
        ((Path("a.yml"), Path("b.yml")), Path("kept")),
        ((Path("c.yml"),), Path("other")),
    ]


def test_a_dry_run_without_hosts_writes_nothing(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (at_home / "inventory.yml").write_text("all: {hosts: {w1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    (at_home / "compose.yml").write_text("name: s\nservices: {a: {image: x}}\n")
    assert run_cli(["plan", "-f", "compose.yml", "-o", "json"]) == 4
    said = capsys.readouterr()
    assert '"object": "s/a.1"' in said.out
    assert "orch: s/a.1: 1 is unreachable\n" in said.err
    assert "orch: w1: 127.0.0.1:1 refuses connections" in said.err
    assert not (at_home / "xdg").exists()


@pytest.mark.parametrize("words", [["version"], ["--help"]])
def test_starting_imports_nothing_heavy(words: list[str]) -> None:
    program = (
        "import sys; from orch.cli.main import run_cli; run_cli(sys.argv[1:]);"
        "sys.exit(' '.join(m for m in ('textual', 'asyncssh', 'aiohttp', 'tinydb', 'jinja2') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_output_that_nobody_reads_on_is_no_error() -> None:
    words = f"{sys.executable} -c 'import sys; from orch.cli.main import main; main()' --help | true"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=True)
    assert done.stderr == ""
