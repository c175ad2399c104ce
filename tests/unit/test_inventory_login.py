"""Ansible's connection variables: how a host is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.inventory.fleet import build_fleet
from orch.inventory.login import Login
from orch.located import parse_located
from orch.model.secret import Secret


def login(variables: str, folder: str = "/fleet") -> Login:
    text = f"all: {{hosts: {{w1: {{{variables}}}}}}}"
    return build_fleet([parse_located(text, "i.yml")], Path(folder)).hosts[0].login


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("", Login("w1")),
        ("ansible_connection: ssh", Login("w1")),
        ("ansible_connection: smart", Login("w1")),
        ("ansible_connection: paramiko", Login("w1")),
        ("ansible_connection: local", Login("w1", connection="local")),
        ("ansible_connection: ansible.builtin.local", Login("w1", connection="local")),
        ("ansible_ssh_host: 10.0.0.1", Login("10.0.0.1")),
        ("ansible_ssh_host: 10.0.0.1, ansible_host: 10.0.0.2", Login("10.0.0.2")),
        ("ansible_host: '2001:db8::1'", Login("2001:db8::1")),
        ("ansible_host_key_checking: false", Login("w1")),
        ("ansible_password: p", Login("w1", password=Secret("p"))),
        ("ansible_ssh_pass: p", Login("w1", password=Secret("p"))),
        ("ansible_ssh_password: 12", Login("w1", password=Secret("12"))),
        ("ansible_ssh_pass: old, ansible_password: new", Login("w1", password=Secret("new"))),
        ("ansible_become_password: p", Login("w1", become_password=Secret("p"))),
        ("ansible_become_pass: p", Login("w1", become_password=Secret("p"))),
        ("ansible_become: true, ansible_become_method: ansible.builtin.sudo", Login("w1", become_user="root")),
        ("ansible_become: , ansible_become_method: su", Login("w1")),
        ("ansible_host: 10.0.0.1", Login("10.0.0.1")),
        ("ansible_host: ", Login("w1")),
        ("ansible_port: 2222", Login("w1", port=2222)),
        ("ansible_port: '2222'", Login("w1", port=2222)),
        ("ansible_port: 65535", Login("w1", port=65535)),
        ("ansible_ssh_port: 2022", Login("w1", port=2022)),
        ("ansible_ssh_port: 2022, ansible_port: 2222", Login("w1", port=2222)),
        ("ansible_user: deploy", Login("w1", user="deploy")),
        ("ansible_ssh_user: deploy", Login("w1", user="deploy")),
        ("ansible_ssh_user: old, ansible_user: new", Login("w1", user="new")),
        ("ansible_ssh_private_key_file: /keys/id", Login("w1", key_file="/keys/id")),
        ("ansible_private_key_file: /keys/id", Login("w1", key_file="/keys/id")),
        ("ansible_private_key_file: /a, ansible_ssh_private_key_file: /b", Login("w1", key_file="/b")),
        ("ansible_ssh_private_key_file: keys/id", Login("w1", key_file="/fleet/keys/id")),
        ("ansible_become: true", Login("w1", become_user="root")),
        ("ansible_become: true, ansible_become_method: sudo", Login("w1", become_user="root")),
        ("ansible_become: true, ansible_become_user: admin", Login("w1", become_user="admin")),
        ("ansible_become: false, ansible_become_user: admin", Login("w1")),
        ("ansible_become_user: admin", Login("w1")),
        ("orch: {netns: orch-lab.w1}", Login("w1", netns="orch-lab.w1")),
        ("ansible_ssh_common_args: ''", Login("w1")),
        ("ansible_ssh_common_args: -o UserKnownHostsFile=/k", Login("w1", known_hosts="/k")),
        ("ansible_ssh_common_args: -oUserKnownHostsFile=/k", Login("w1", known_hosts="/k")),
        ("ansible_ssh_common_args: -o userknownhostsfile=/k", Login("w1", known_hosts="/k")),
        ("ansible_ssh_common_args: -o 'UserKnownHostsFile /k'", Login("w1", known_hosts="/k")),
        ("ansible_ssh_common_args: -o \"UserKnownHostsFile = /a b\"", Login("w1", known_hosts="/a b")),
        ("ansible_ssh_common_args: -o UserKnownHostsFile=known", Login("w1", known_hosts="/fleet/known")),
    ],
)  # fmt: skip
def test_a_connection_variable_is_read_as_ansible_reads_it(variables: str, expected: Login) -> None:
    assert login(variables) == expected


def test_a_path_may_start_at_the_users_home() -> None:
    assert login("ansible_ssh_private_key_file: ~/.ssh/id").key_file == str(Path.home() / ".ssh/id")


def test_paths_are_absolute_though_the_folder_is_not() -> None:
    assert login("ansible_ssh_private_key_file: id", folder="fleet").key_file == str(Path.cwd() / "fleet/id")
