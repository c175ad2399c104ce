"""Fleets of real hosts on this machine: own namespaces, root file system, systemd, sshd, podman.

layout.py names everything, seed.py says what is on a host's disk, cgroups.py, network.py and boot.py make and
unmake its parts, images.py makes container images offline, fleet.py does whole labs. All that a lab has is
found by its name alone, so that `down` needs no memory of how far `up` came. docs/design/lab.md says why.
"""
