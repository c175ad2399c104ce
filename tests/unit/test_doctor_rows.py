"""What `orch doctor` prints."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from orch.cli.doctor import _rows
from orch.cli.main import run_cli
from orch.controllers.finding import Finding


def test_a_host_without_findings_is_ok() -> None:
    finding = Finding("w2", "error", "podman", "podman is missing", "apt-get install -y podman", "containers")

    assert _rows(["w1", "w2"], [finding]) == [
        {"host": "w1", "level": "ok", "check": "", "message": "", "remedy": "", "needed_for": ""},
        {
            "host": "w2",
            "level": "error",
            "check": "podman",
            "message": "podman is missing",
            "remedy": "apt-get install -y podman",
            "needed_for": "containers",
        },
    ]


@pytest.fixture
def nobody_listens(tmp_path: Path) -> str:
    path = tmp_path / "inventory.yml"
    path.write_text("all: {hosts: {w1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    return str(path)


def test_a_host_that_cannot_be_reached_is_told_with_its_remedy(
    nobody_listens: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(["doctor", "-i", nobody_listens]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "HOST  LEVEL  FINDING                          REMEDY",
        "w1    error  127.0.0.1:1 refuses connections  is sshd running there, on that port?",
    ]
    assert said.err == "remedies are for root on the host itself: orch run HOST -b -- 'REMEDY'\n"


def test_programs_get_rows_alone(nobody_listens: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["doctor", "w1", "-o", "json", "-i", nobody_listens]) == 1
    said = capsys.readouterr()
    assert msgspec.json.decode(said.out) == [
        {
            "host": "w1",
            "level": "error",
            "check": "reachable",
            "message": "127.0.0.1:1 refuses connections",
            "remedy": "is sshd running there, on that port?",
            "needed_for": "everything",
        }
    ]
    assert said.err == ""


def test_a_pattern_that_names_nothing_is_a_usage_error(nobody_listens: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["doctor", "w9", "-i", nobody_listens]) == 2
    assert "no host or group is called 'w9'" in capsys.readouterr().err
