"""`ports`, short and long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Literal, cast

from orch.located import Located
from orch.model.container import Port, Protocol
from orch.stackfile import values
from orch.stackfile.reading import Reading
from orch.stackfile.shapes import LATER

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_FORMS = 'a port like "80", "8080:80", "127.0.0.1:8080:80/udp" or "9000-9010:80-90"'
_HIGHEST = 65535
_TCP: Protocol = "tcp"


def read_ports(entries: Mapping[str, Located], reading: Reading) -> tuple[Port, ...]:
    """Sorted. Of one address, published port, target and protocol, the entry that stands last counts."""
    found: dict[tuple[str, int, int, str], Port] = {}
    for place in values.items(entries, "ports"):
        for port in _long(place, reading) if isinstance(place.value, dict) else _short(place, reading):
            if port.mode == "ingress":
                kind = f"mode ingress {LATER}"
                reading.note(place, kind, f"{kind}; the long form with mode: host opens one on the replica's own node")
            found[port.address, port.published, port.target, port.protocol] = port
    return tuple(sorted(found.values()))


def _long(place: Located, reading: Reading) -> list[Port]:
    entries = place.mapping()
    if "target" not in entries:
        place.fail("expected target: PORT, the port in the container")
    mode = values.optional(entries, "mode", values.one_of("ingress", "host"), "ingress")
    protocol: Protocol = values.optional(entries, "protocol", lambda p: _protocol(p, p.string()), _TCP)
    address = values.optional(entries, "host_ip", lambda p: _address(p, p.string()), "")
    published = values.optional(entries, "published", lambda p: _published(p, p.string(), reading), 0)
    target = _numbers(entries["target"], entries["target"].string())
    if len(target) > 1:
        entries["target"].expected("one port")
    return [Port(target[0], published, protocol, cast(Literal["ingress", "host"], mode), address)]


def _short(place: Located, reading: Reading) -> Iterator[Port]:
    written, slash, protocol_name = place.string().partition("/")
    protocol = _protocol(place, protocol_name) if slash else _TCP
    rest, _, target = written.rpartition(":")
    address, _, published = rest.rpartition(":")
    targets = _numbers(place, target)
    address = _address(place, address)
    if not published:
        numbers = [0] * len(targets)
    elif len(targets) == 1:
        numbers = [_published(place, published, reading)]
    else:
        numbers = list(_numbers(place, published))
    if len(numbers) != len(targets):
        place.fail(f"publishes {len(numbers)} ports for the container's {len(targets)}; the ranges must be as long")
    for number, inside in zip(numbers, targets, strict=True):
        yield Port(inside, number, protocol, "ingress", address)


def _published(place: Located, text: str, reading: Reading) -> int:
    if text in {"", "0"}:
        return 0
    numbers = _numbers(place, text)
    if len(numbers) > 1:
        kind = "a range to choose a published port from is not acted on yet"
        reading.note(place, kind, f"{kind}; its first port, {numbers[0]}, is taken")
    return numbers[0]


def _numbers(place: Located, text: str) -> range:
    match = _RANGE.fullmatch(text)
    if match is None:
        place.expected(_FORMS)
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= _HIGHEST:
        place.expected(f"ports from 1 to {_HIGHEST}, the lower one first")
    return range(first, last + 1)


def _protocol(place: Located, name: str) -> Protocol:
    if name.lower() not in {"tcp", "udp", "sctp"}:
        place.fail(f"expected tcp, udp or sctp, not {name[:60]!r}")
    return cast(Protocol, name.lower())


def _address(place: Located, text: str) -> str:
    """Empty for all addresses."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare:
        return ""
    try:
        address = ip_address(bare)
    except ValueError:
        place.fail(f"expected an address of a node like 127.0.0.1 or [::1] before the port, not {text[:60]!r}")
    return str(address)
