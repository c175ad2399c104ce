"""The arguments of ssh in inventories."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orch.inventory.fleet import build_fleet
from orch.inventory.login import Login
from orch.inventory.ssh_options import KNOWN, SshOptions, parse_ssh_options
from orch.located import parse_located


def login(variables: str) -> Login:
    text = f"all: {{hosts: {{w1: {{{variables}}}}}}}"
    return build_fleet([parse_located(text, "i.yml")], Path("/fleet")).hosts[0].login


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SshOptions()),
        ("-J bastion", SshOptions(proxy_jump="bastion")),
        ("-Jbastion", SshOptions(proxy_jump="bastion")),
        ("-J me@b1:2222,b2", SshOptions(proxy_jump="me@b1:2222,b2")),
        ("-J '[2001:db8::1]:22'", SshOptions(proxy_jump="[2001:db8::1]:22")),
        ("-J NONE", SshOptions(proxy_jump="none")),
        ("-o ProxyJump=bastion", SshOptions(proxy_jump="bastion")),
        ("-oProxyJump=bastion", SshOptions(proxy_jump="bastion")),
        ("-o 'proxyjump bastion'", SshOptions(proxy_jump="bastion")),
        ('-o "UserKnownHostsFile = /a b"', SshOptions(known_hosts="/a b")),
        ("-o User=deploy -l other", SshOptions(user="deploy")),
        ("-l deploy", SshOptions(user="deploy")),
        ("-o Port=2222", SshOptions(port=2222)),
        ("-p 2222 -p 1", SshOptions(port=2222)),
        ("-Cp2222", SshOptions(port=2222)),
        ("-o IdentityFile=~/.ssh/id", SshOptions(key_file="~/.ssh/id")),
        ("-i id1 -i id2", SshOptions(key_file="id1")),
        ("-F conf", SshOptions(config="conf")),
        ("-C -q -v -vvv -A -a -T -tt -x", SshOptions()),
        ("-S none -o ControlPath=~/x -o ControlMaster=auto -o ControlPersist=60s", SshOptions()),
        ("-o ServerAliveInterval=5 -o serveralivecountmax=3 -o ConnectTimeout=10 -o Compression=no", SshOptions()),
        ("-o IdentitiesOnly=yes -o ForwardAgent=yes -o LogLevel=ERROR -o BatchMode=yes", SshOptions()),
        ("-o PreferredAuthentications=publickey -o GSSAPIAuthentication=no", SshOptions()),
        ("-o StrictHostKeyChecking=yes -o StrictHostKeyChecking=ask", SshOptions()),
        ("-o ProxyCommand=none", SshOptions()),
    ],
)
def test_an_option_is_read_as_ssh_reads_it(text: str, expected: SshOptions) -> None:
    assert parse_ssh_options(text) == expected


UNVERIFIED = "host keys are always verified; take it out, and learn the keys of new hosts with `--accept-new`: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-o StrictHostKeyChecking=no", f"{UNVERIFIED}'-o StrictHostKeyChecking=no'"),
        ("-o StrictHostKeyChecking=accept-new", f"{UNVERIFIED}'-o StrictHostKeyChecking=accept-new'"),
        ("-o stricthostkeychecking=off", f"{UNVERIFIED}'-o stricthostkeychecking=off'"),
        ("-o UserKnownHostsFile=/dev/null", f"{UNVERIFIED}'-o UserKnownHostsFile=/dev/null'"),
        (
            "-o ProxyCommand='ssh -W %h b'",
            "'-o ProxyCommand=ssh -W %h b': orch runs no proxy command; write the jump host as -J [USER@]HOST[:PORT]",
        ),
        ("-J a:b:c", "'-J a:b:c': expected [USER@]HOST[:PORT], several joined by commas"),
        ("-J a,,b", "'-J a,,b': expected [USER@]HOST[:PORT], several joined by commas"),
        ("-J a:70000", "'-J a:70000': expected [USER@]HOST[:PORT], several joined by commas"),
        ("-p 70000", "'-p 70000': expected a port from 1 to 65535"),
        ("-o Port=x", "'-o Port=x': expected a port from 1 to 65535"),
        ("-o Ciphers=aes128-ctr", f"'-o Ciphers=aes128-ctr' is not understood; known: {KNOWN}"),
        ("-L 1:x:2", f"'-L' is not understood; known: {KNOWN}"),
        ("-z", f"'-z' is not understood; known: {KNOWN}"),
        ("bastion", f"'bastion' is no option of ssh; known: {KNOWN}"),
        ("--", f"'--' is no option of ssh; known: {KNOWN}"),
        ("-J", "'-J' lacks its value"),
        ("-o Compression", "'-o Compression' is no option; expected -o NAME=VALUE"),
        ("-o 'x", "No closing quotation"),
    ],
)  # fmt: skip
def test_what_would_be_misread_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_ssh_options(text)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("ansible_ssh_common_args: -J b", Login("w1", proxy_jump="b")),
        ("ansible_ssh_extra_args: -J b", Login("w1", proxy_jump="b")),
        ("ansible_ssh_args: -C -J b", Login("w1", proxy_jump="b")),
        ("ansible_ssh_common_args: -J b, ansible_ssh_extra_args: -J c", Login("w1", proxy_jump="b")),
        ("ansible_ssh_args: -J a, ansible_ssh_common_args: -J b", Login("w1", proxy_jump="a")),
        ("ansible_ssh_args: -l a -p 1, ansible_user: b, ansible_port: 2", Login("w1", user="a", port=1)),
        ("ansible_ssh_common_args: -l a -p 1, ansible_user: b, ansible_port: 2", Login("w1", user="b", port=2)),
        ("ansible_ssh_common_args: -l a -p 1 -i k", Login("w1", user="a", port=1, key_file="/fleet/k")),
        ("ansible_ssh_common_args: -i k, ansible_private_key_file: l", Login("w1", key_file="/fleet/l")),
        ("ansible_ssh_common_args: -F conf", Login("w1", ssh_config="/fleet/conf")),
        ("ansible_ssh_common_args: -F none", Login("w1", ssh_config="/dev/null")),
    ],
)
def test_what_arguments_say_becomes_the_login_in_sshs_own_order(variables: str, expected: Login) -> None:
    assert login(variables) == expected
