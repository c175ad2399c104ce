"""The arguments of ssh that inventories carry (`ansible_ssh_common_args`), as far as orch acts on them.

What orch does by itself or has no use for is passed over; what would change how a host is reached, and is not
understood, is an error.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import msgspec

_OPTION = re.compile(r"\s*([A-Za-z0-9]+)\s*(?:=|\s)\s*(.+?)\s*", re.DOTALL)
_WITH_VALUE = frozenset("BbcDEeFIiJLlmOopQRSWw")
_PASSED_OVER = frozenset("AaCKkqTtvXxYyn")
_LETTERS = {"F": "config", "i": "identityfile", "J": "proxyjump", "l": "user", "p": "port", "S": "controlpath"}
_ALSO_PASSED_OVER = {
    "addkeystoagent", "batchmode", "checkhostip", "compression", "connectionattempts", "connecttimeout",
    "controlmaster", "controlpath", "controlpersist", "forwardagent", "forwardx11", "forwardx11trusted",
    "globalknownhostsfile", "gssapiauthentication", "gssapidelegatecredentials", "hashknownhosts", "identitiesonly",
    "kbdinteractiveauthentication", "loglevel", "numberofpasswordprompts", "passwordauthentication",
    "preferredauthentications", "pubkeyauthentication", "requesttty", "serveralivecountmax", "serveraliveinterval",
    "tcpkeepalive", "updatehostkeys", "visualhostkey",
}  # fmt: skip
_JUMP = re.compile(r"(?:[^@\s,]+@)?(?:\[[0-9A-Fa-f:.]+\]|[^@:\s,\[\]]+)(?::([0-9]{1,5}))?")
_UNVERIFIED = (
    "host keys are always verified; take it out, and learn the keys of new hosts with `--accept-new`: {option!r}"
)
KNOWN = "-J, -i, -l, -p, -F and -o with ProxyJump, UserKnownHostsFile, IdentityFile, User or Port"


class SshOptions(msgspec.Struct, frozen=True):
    """Paths as written. Empty strings and a port of 0 mean that nothing is said. Of several of a kind the first counts,
    as for ssh itself."""

    user: str = ""
    port: int = 0
    key_file: str = ""
    known_hosts: str = ""
    proxy_jump: str = ""
    config: str = ""


def parse_ssh_options(text: str) -> SshOptions:
    """Raises ValueError, whose text says which option is wrong and what to write instead."""
    found = SshOptions()
    for letter, value in _options(shlex.split(text)):
        found = first_of(found, _read_option(letter, value))
    return found


def first_of(one: SshOptions, other: SshOptions) -> SshOptions:
    """What `one` says, and `other` where it says nothing."""
    return SshOptions(*(getattr(one, f) or getattr(other, f) for f in SshOptions.__struct_fields__))


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Letter and value, as getopt has them: `-Cp 22`, `-p22` and `-C -p 22` are one."""
    left = iter(words)
    for word in left:
        if not word.startswith("-") or not word.strip("-"):
            raise ValueError(f"{word!r} is no option of ssh; known: {KNOWN}")
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter not in _WITH_VALUE:
                yield letter, ""
                continue
            value = letters or next(left, None)
            if value is None:
                raise ValueError(f"{'-' + letter!r} lacks its value")
            yield letter, value
            letters = ""


def _read_option(letter: str, value: str) -> SshOptions:
    if letter in _PASSED_OVER:
        return SshOptions()
    if letter in _LETTERS:
        return _read_named(_LETTERS[letter], value, f"-{letter} {value}")
    if letter != "o":
        raise ValueError(f"{'-' + letter!r} is not understood; known: {KNOWN}")
    match = _OPTION.fullmatch(value)
    if match is None:
        raise ValueError(f"{'-o ' + value!r} is no option; expected -o NAME=VALUE")
    return _read_named(match[1].lower(), match[2], f"-o {value}")


def _read_named(name: str, value: str, option: str) -> SshOptions:
    match name:
        case "user":
            return SshOptions(user=value)
        case "port":
            return SshOptions(port=_port(value, option))
        case "identityfile":
            return SshOptions(key_file=value)
        case "config":
            return SshOptions(config=value)
        case "proxyjump":
            return SshOptions(proxy_jump=_jump(value, option))
        case "userknownhostsfile" if value not in {"/dev/null", "none"}:
            return SshOptions(known_hosts=value)
        case "userknownhostsfile":
            raise ValueError(_UNVERIFIED.format(option=option))
        case "stricthostkeychecking" if value.lower() in {"yes", "ask", "true"}:
            return SshOptions()
        case "stricthostkeychecking":
            raise ValueError(_UNVERIFIED.format(option=option))
        case "proxycommand" if value.lower() == "none":
            return SshOptions()
        case "proxycommand":
            raise ValueError(f"{option!r}: orch runs no proxy command; write the jump host as -J [USER@]HOST[:PORT]")
        case _ if name in _ALSO_PASSED_OVER:
            return SshOptions()
    raise ValueError(f"{option!r} is not understood; known: {KNOWN}")


def _port(value: str, option: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= 5 and 1 <= int(value) <= 65535):
        raise ValueError(f"{option!r}: expected a port from 1 to 65535")
    return int(value)


def _jump(value: str, option: str) -> str:
    if value.lower() == "none":
        return "none"
    for hop in value.split(","):
        match = _JUMP.fullmatch(hop)
        if match is None or (match[1] and not 1 <= int(match[1]) <= 65535):
            raise ValueError(f"{option!r}: expected [USER@]HOST[:PORT], several joined by commas")
    return value
