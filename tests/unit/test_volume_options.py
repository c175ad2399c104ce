"""Options of volumes, which podman takes on its command line alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.stackfile.compose import read_stack


@pytest.mark.parametrize(
    ("option", "warned"),
    [
        ("o: 'username=app,password=hush'", True),
        ("o: pass=hush", True),
        ("o: 'rw, Password=hush'", True),
        ("db_password: hush", True),
        ("ACCESS_KEY: hush", True),
        ("o: 'username=app,credentials=/etc/hush'", False),
        ("o: 'addr=10.0.0.1,nopass'", False),
        ("keyring: hush", False),
        ("password:", False),
    ],
)
def test_secrets_that_would_stand_on_a_command_line_are_warned_of(tmp_path: Path, option: str, warned: bool) -> None:
    file = tmp_path / "compose.yml"
    file.write_text(f"services: {{web: {{image: app}}}}\nvolumes:\n  data:\n    driver_opts:\n      {option}\n")

    warnings = read_stack([file], name=None, variables={}).warnings
    told = [(n.line, n.message.partition("; ")[0]) for n in warnings if "command line" in n.message]

    said = "looks like a secret, and stands on podman's command line, which every user of the node can read"
    key = option.partition(":")[0]
    assert told == ([(5, f"volumes.data.driver_opts.{key}: {said}")] if warned else [])
    assert "hush" not in str(told)
