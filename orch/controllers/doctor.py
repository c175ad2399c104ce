"""What each examined host lacks or has set wrongly for its part, and the command that mends it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import get_args

from orch.controllers.ailments import AILMENTS, Patient
from orch.controllers.finding import Finding, Level
from orch.controllers.packages import family_of, install
from orch.controllers.twins import twins
from orch.model.checkup import Checkup, Examination, Unexamined

_SEVERITY = get_args(Level)


def diagnose(examined: Mapping[str, Examination]) -> list[Finding]:
    """All findings, by host in the order of `examined`, the worst of each first."""
    found = [finding for name, one in examined.items() for finding in _of_host(name, one)]
    found += twins({name: one for name, one in examined.items() if isinstance(one, Checkup)})
    order = {name: index for index, name in enumerate(examined)}
    return sorted(found, key=lambda f: (order[f.host], _SEVERITY.index(f.level)))


def exit_status(findings: Collection[Finding], hosts: Collection[str]) -> int:
    """0 when every host can take part, 1 when none can, 3 when some cannot."""
    sick = {finding.host for finding in findings if finding.level == "error"}
    return 0 if not sick else 3 if len(sick) < len(hosts) else 1


def _of_host(name: str, examined: Examination) -> Iterator[Finding]:
    match examined:
        case Unexamined(check="root", unprivileged=Checkup() as plain):
            yield _without_root(name, examined.reason, plain)
        case Unexamined(check=check, reason=reason):
            # Errors of connections say the cause first, then what to do about it.
            message, _, remedy = reason.partition("; ")
            yield Finding(name, "error", check, message, remedy, "everything")
        case Checkup(uid=uid, user=user) if uid != 0:
            # What is missing for root cannot be told from what this user may not see.
            yield Finding(
                name,
                "error",
                "root",
                f"commands run as {user or uid}, not as root",
                f"set ansible_become: true for {name} in the inventory",
                "everything",
            )
        case Checkup():
            patient = Patient(name, examined, family_of(examined.os, ostree=examined.ostree))
            for ailment in AILMENTS:
                yield from ailment(patient)


def _without_root(name: str, reason: str, plain: Checkup) -> Finding:
    # What the shell's end had to say may be cut short; sudo was asked once more for that.
    cause = plain.sudo_error or reason.partition("; ")[0]
    if "sudo" not in plain.programs:
        remedy = install(family_of(plain.os, ostree=plain.ostree), "sudo")
        return Finding(name, "error", "root", "sudo is missing", remedy, "everything")
    lines = [f"{plain.user} ALL=(ALL) NOPASSWD: ALL"]
    if "tty" in cause:
        lines.append(f"Defaults:{plain.user} !requiretty")
    # A name without a dot: sudo passes over files that have one.
    file = "/etc/sudoers.d/90-orch"
    remedy = f"printf '%s\\n' {shlex.join(lines)} >{file} && chmod 440 {file}"
    return Finding(name, "error", "root", f"{plain.user} does not become root: {cause}", remedy, "everything")
