"""The addresses that orch gives out, which are nobody else's."""

from __future__ import annotations

from ipaddress import IPv4Network

import msgspec


class AddressRanges(msgspec.Struct, frozen=True):
    """`containers`: of replicas, cut into a part for each node; `services`: of virtual addresses.

    The defaults keep off what others take by default: 10.42, 10.96 and 10.244 (Kubernetes), 10.88 (podman), 10.128 and
    above (Google's cloud), 172.16 to 172.31 (docker, AWS), 192.168 (everyone).
    """

    containers: IPv4Network = IPv4Network("10.64.0.0/12")
    services: IPv4Network = IPv4Network("10.112.0.0/16")
