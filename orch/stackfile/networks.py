"""Volumes and networks of a stack, and a service's place in networks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

from orch.located import Located
from orch.model.container import NetworkUse
from orch.model.spec import NetworkSpec
from orch.model.volume import VolumeSpec
from orch.stackfile import values
from orch.stackfile.environment import own_labels
from orch.stackfile.reading import Reading
from orch.stackfile.several import Several
from orch.stackfile.shapes import LATER

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_MODES = ("bridge", "host", "none")
_SECRET = r"[A-Za-z0-9_.-]*(?:pass|passwd|password|passphrase|secret|token|apikey|api_key|access_key)"
_SECRET_KEY = re.compile(_SECRET, re.IGNORECASE)
_SECRET_VALUE = re.compile(rf"(?:^|[,;\s]){_SECRET}=", re.IGNORECASE)
"""As in `o: username=app,password=…` of mount(8)."""
DEFAULT = "default"
_OF_EXTERNAL = ("external", "name")
"""All that can be said of what somebody else makes."""


def read_volumes(top: Mapping[str, Located], stack: str, errors: Several, reading: Reading) -> tuple[VolumeSpec, ...]:
    """One that is wrong counts as declared, so that what uses it is not called wrong too."""
    found = {}
    for key, place in sorted(values.section(top, "volumes").items()):
        found[key] = VolumeSpec(key, key)
        with errors.part():
            found[key] = _volume(key, place, stack)
            _warn_of_secrets(place, reading)
    return tuple(found.values())


def read_networks(top: Mapping[str, Located], stack: str, used: bool, errors: Several) -> tuple[NetworkSpec, ...]:
    """With the default one, when some service is in it (`used`) or it is declared. As `read_volumes` has it."""
    found = {}
    for key, place in values.section(top, "networks").items():
        found[key] = NetworkSpec(key, key)
        with errors.part():
            found[key] = _network(key, place, stack)
    if used:
        found.setdefault(DEFAULT, NetworkSpec(DEFAULT, f"{stack}_{DEFAULT}"))
    return tuple(found[key] for key in sorted(found))


def uses_default(service: Located) -> bool:
    entries = service.mapping()
    named = values.section(entries, "networks")
    return DEFAULT in named or (not named and not _has_mode(entries))


def read_network_uses(entries: Mapping[str, Located], reading: Reading) -> tuple[NetworkUse, ...]:
    """Sorted. A service that says nothing is in the default network."""
    named = values.section(entries, "networks")
    if named and values.optional(entries, "network_mode", values.text, None) is not None:
        entries["network_mode"].fail("stands beside networks; a service has one of them")
    if _has_mode(entries):
        return ()
    if not named:
        return (NetworkUse(reading.networks[DEFAULT]),)
    found = []
    for key, place in named.items():
        if key not in reading.networks:
            place.fail(f"there is no network {key[:60]!r} at the top level; expected networks: {{{key[:60]}: }} there")
        use = place.mapping()
        aliases = values.optional(use, "aliases", values.texts, ())
        address = values.optional(use, "ipv4_address", _address, values.optional(use, "ipv6_address", _address, ""))
        found.append(NetworkUse(reading.networks[key], tuple(sorted(aliases)), address))
    return tuple(sorted(found, key=lambda use: use.network))


def read_network_mode(place: Located, reading: Reading) -> str:
    """Empty for another container's, which nobody makes yet."""
    return "" if shared_namespace(place, reading) else values.one_of(*_MODES)(place)


def _has_mode(entries: Mapping[str, Located]) -> bool:
    """Whether the service does without networks. One that wants another container's keeps its own."""
    mode = values.optional(entries, "network_mode", values.text, "")
    return bool(mode) and not mode.startswith(("service:", "container:"))


def shared_namespace(place: Located, reading: Reading) -> bool:
    """Whether another container's is meant: `service:NAME`, `container:NAME`. It is noted."""
    what, colon, name = place.string().partition(":")
    if what not in {"service", "container"} or not colon:
        return False
    if not name:
        place.expected(f"a name after {what}:")
    if what == "service" and name not in reading.services:
        place.fail(f"there is no service {name[:60]!r} in this file")
    key = place.path.rpartition(".")[2]
    said = f"another container's {LATER}; the replica gets its own"
    reading.note(place, f"{key} {said}", said)
    return True


def _volume(key: str, place: Located, stack: str) -> VolumeSpec:
    name, external = _named(key, place, stack)
    entries = place.mapping()
    if external:
        return VolumeSpec(key, name, external=True)
    return VolumeSpec(
        key,
        name,
        driver=values.optional(entries, "driver", values.text, ""),
        options=values.optional(entries, "driver_opts", values.pairs, {}),
        labels=values.optional(entries, "labels", own_labels, {}),
    )


def _warn_of_secrets(volume: Located, reading: Reading) -> None:
    """podman takes these options on its command line alone."""
    options = values.optional(volume.mapping(), "driver_opts", lambda place: place.mapping(), {})
    for key, place in options.items():
        if place.value is not None and (_SECRET_KEY.fullmatch(key) or _SECRET_VALUE.search(place.string())):
            said = (
                "looks like a secret, and stands on podman's command line, which every user of the node can read; put "
                "it into a file there and name that, as with credentials=FILE of cifs"
            )
            reading.note(place, f"secret option {key}", said)


def _network(key: str, place: Located, stack: str) -> NetworkSpec:
    name, external = _named(key, place, stack)
    entries = place.mapping()
    if external:
        return NetworkSpec(key, name, external=True)
    return NetworkSpec(
        key,
        name,
        internal=values.optional(entries, "internal", values.flag, False),
        driver=values.optional(entries, "driver", values.text, ""),
        options=values.optional(entries, "driver_opts", values.pairs, {}),
        labels=values.optional(entries, "labels", own_labels, {}),
    )


def _named(key: str, place: Located, stack: str) -> tuple[str, bool]:
    """What it is called outside of the stack, and whether somebody else makes it."""
    entries = place.mapping()
    external = entries.get("external")
    within = external.mapping().get("name") if external is not None and isinstance(external.value, dict) else None
    is_external = external is not None and (
        isinstance(external.value, dict) or (external.value is not None and external.boolean())
    )
    if is_external and (more := [key for key in entries if key not in _OF_EXTERNAL and entries[key].value is not None]):
        entries[more[0]].fail("stands beside external; who makes it decides on that")
    usual = key if is_external else f"{stack}_{key}"
    named = entries.get("name") or within or place
    name = values.optional(entries, "name", values.text, usual if within is None else within.string())
    if _NAME.fullmatch(name) is None:
        named.fail(f"{name[:60]!r} cannot be its name; use letters, digits, . _ and -")
    return name, is_external


def _address(place: Located) -> str:
    try:
        return str(ip_address(place.string()))
    except ValueError:
        place.expected("an address")
