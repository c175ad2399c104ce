"""How each family of distributions installs, starts and configures things: commands as text, for root to run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Family = Literal["apt", "dnf", "ostree", "apk", "zypper", "pacman"]

_FAMILIES: dict[str, Family] = {
    "debian": "apt",
    "ubuntu": "apt",
    "fedora": "dnf",
    "rhel": "dnf",
    "centos": "dnf",
    "alpine": "apk",
    "suse": "zypper",
    "opensuse": "zypper",
    "sles": "zypper",
    "arch": "pacman",
}
"""By ID and ID_LIKE of os-release; what is made from one of these names it there."""

_INSTALL: dict[Family, str] = {
    "apt": "apt-get install -y",
    "dnf": "dnf install -y",
    "ostree": "rpm-ostree install --apply-live -y",
    "apk": "apk add",
    "zypper": "zypper --non-interactive install",
    "pacman": "pacman -S --noconfirm --needed",
}

_PACKAGES: dict[str, dict[Family, str]] = {
    "conntrack": {
        "dnf": "conntrack-tools",
        "ostree": "conntrack-tools",
        "apk": "conntrack-tools",
        "zypper": "conntrack-tools",
        "pacman": "conntrack-tools",
    },
    "iproute2": {"dnf": "iproute", "ostree": "iproute"},
    "iptables": {"dnf": "iptables-nft", "ostree": "iptables-nft"},
}
"""Where a package is called otherwise than on Debian."""


def family_of(os: Sequence[str], *, ostree: bool) -> Family | None:
    """`os`: ID of os-release, then its ID_LIKE. None for a distribution that is not known here."""
    found = next((_FAMILIES[name] for name in os if name in _FAMILIES), None)
    return "ostree" if found == "dnf" and ostree else found


def install(family: Family | None, *packages: str) -> str:
    """Packages by the names that Debian has for them."""
    if family is None:
        return f"install {' and '.join(packages)} with the system's package manager"
    names = (_PACKAGES.get(package, {}).get(family, package) for package in packages)
    return f"{_INSTALL[family]} {' '.join(names)}"


def enable(family: Family | None, service: str) -> str:
    """Have a service run, now and from every boot on."""
    if family == "apk":
        return f"rc-update add {service} && rc-service {service} start"
    return f"systemctl enable --now {service}"


def reload(family: Family | None, service: str) -> str:
    return f"rc-service {service} reload" if family == "apk" else f"systemctl reload {service}"
