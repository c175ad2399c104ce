"""The command line's own part: options, errors and exit status, help, and what it costs to start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from orch import __version__
from orch.cli.follow import has_input
from orch.cli.lab import chosen_lab
from orch.cli.main import cli, run_cli
from orch.cli.settings import current_settings, settings_options
from orch.errors import UsageError

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
        (["descibe"], 2, "there is no command 'descibe'; did you mean describe?"),
        (["lab", "strat"], 2, "there is no command 'strat'; did you mean start or status?"),
        (["lab", "zzz"], 2, "there is no command 'zzz'; `orch lab --help` lists them"),
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
    assert (seen[0].verbose, seen[0].quiet, seen[0].timeout) == (True, False, None)


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


def test_the_version_is_an_option_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["--version"]) == 0
    assert capsys.readouterr().out == f"orch {__version__}\n"


@pytest.mark.parametrize("words", [["ps"], ["image", "push"], ["lab", "kill"]])
def test_the_help_of_a_command_points_to_global_options(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli([*words, "--help"]) == 0
    said = capsys.readouterr().out
    assert "--inventory" not in said
    assert "see orch --help" in " ".join(said.split())

    assert run_cli(["--help"]) == 0
    assert "--inventory PATH" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "labs", "lab"),
    [
        ("mine", [], "mine"),
        (None, [], "lab"),
        (None, ["other"], "other"),
        (None, ["lab", "other"], "lab"),
    ],
)
def test_the_only_lab_needs_no_name(given: str | None, labs: list[str], lab: str) -> None:
    assert chosen_lab(given, labs) == lab


def test_of_several_labs_one_must_be_named() -> None:
    with pytest.raises(UsageError, match="there are several labs; say which with --lab: a, b"):
        chosen_lab(None, ["a", "b"])


def test_input_that_a_job_will_not_get_is_noticed_and_not_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    assert not has_input(reading)
    os.write(writing, b"data")
    assert has_input(reading)
    assert os.read(reading, 10) == b"data"
    os.close(writing)
    assert not has_input(reading)
    os.close(reading)
    assert not has_input(reading)

    file = tmp_path / "input"
    file.write_bytes(b"data")
    with file.open("rb", buffering=0) as opened:
        assert has_input(opened.fileno())
        opened.read()
        assert not has_input(opened.fileno())
    with open(os.devnull, "rb") as nothing:
        assert not has_input(nothing.fileno())
