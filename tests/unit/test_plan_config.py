"""`orch plan --config`: what Compose files say, printed without any fleet."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from orch.cli.main import run_cli

STACK = """\
services:
  web:
    image: app:${TAG}
    container_name: x
  extra: {image: app, profiles: [extra]}
"""


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(("ORCH_", "COMPOSE_", "TAG"))]:
        monkeypatch.delenv(name)
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    Path("compose.yml").write_text(STACK)
    Path("prod.yml").write_text("services: {web: {scale: 3}}")
    Path("prod.env").write_text("TAG=prod")
    Path(".env").write_text("TAG=dev")


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, object], str]:
    assert run_cli(["plan", "--config", *words]) == 0
    said = capsys.readouterr()
    return yaml.safe_load(said.out), said.err


def test_the_model_is_on_standard_output_and_the_warnings_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    config, said = printed(capsys, "-f", "compose.yml")

    assert config == {
        "name": "shop",
        "networks": {"default": {"name": "shop_default"}},
        "services": {
            "web": {
                "image": "docker.io/library/app:dev",
                "deploy": {"replicas": 1},
                "networks": {"default": None},
            }
        },
    }
    assert said == (
        "orch: compose.yml:4: services.web.container_name: is not used: there may be several replicas, and orch calls "
        "them STACK.SERVICE.SLOT\n"
    )


def test_files_profiles_and_variables_are_those_given(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-f", "compose.yml", "-f", "prod.yml", "--profile", "extra", "--env-file", "prod.env", "--stack", "live"]
    config, said = printed(capsys, *words, "-q")

    services = config["services"]
    assert isinstance(services, dict)
    assert config["name"] == "live"
    assert sorted(services) == ["extra", "web"]
    assert (services["web"]["image"], services["web"]["deploy"]) == ("docker.io/library/app:prod", {"replicas": 3})
    assert said == ""


def test_programs_read_it_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    as_yaml, _ = printed(capsys, "-f", "compose.yml")
    assert run_cli(["plan", "--config", "-f", "compose.yml", "-o", "json"]) == 0

    assert json.loads(capsys.readouterr().out) == as_yaml


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-f", "compose.yml", "-o", "wide"], "orch: --config prints as YAML or -o json\n"),
        (["-f", "compose.yml", "--env-file", "no.env"], "orch: no.env: cannot be read: No such file or directory\n"),
        (["-f", "compose.yml", "-f", "no.yml"], "orch: no.yml: cannot be read: No such file or directory\n"),
    ],
)
def test_errors_are_said_and_set_the_status(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert run_cli(["plan", "--config", *words]) == 2

    assert capsys.readouterr().err.endswith(said)


def test_an_apply_says_the_warnings_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("inventory.yml").write_text("all: {vars: {orch: {cluster: x}}, hosts: {h: {ansible_port: many}}}")

    assert run_cli(["apply", "-f", "compose.yml"]) == 2

    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("orch: compose.yml:4: services.web.container_name: is not used")
    assert "many" in second
