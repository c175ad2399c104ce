"""What podman said, as it was recorded, and what the user is told of it."""

from __future__ import annotations

import pytest

from orch.podman.explain import MOST, Situation, essence, explain, out_of_time

AT = Situation("w1", "docker.io/library/nope:1", 300)
ID = "bcae59b868b1a2e93b38469d242879895950b44e78722f5b295007f9686163ef"
RETRIES = "".join(
    f'time="2026-11-24T06:20:5{n}Z" level=warning msg="Failed, retrying in 1s ... ({n}/3). Error: initializing source '
    'docker://localhost/nope:1: pinging container registry localhost: connection refused"\n'
    for n in (1, 2, 3)
)

NAME_TAKEN = (
    f'Error: creating container storage: the container name "shop.web.1" is already in use by {ID}. You have to '
    "remove that container to be able to reuse that name: that name is already in use"
)


def pulled(end: str) -> str:
    """What podman 4.3 says of a manifest that it does not get."""
    return (
        "Trying to pull 10.0.0.7:42941/nope:1...\nError: initializing source docker://10.0.0.7:42941/nope:1: reading "
        f"manifest 1 in 10.0.0.7:42941/nope: {end}"
    )


PODMAN_4_3 = [
    (
        'Error: short-name "nope:1" did not resolve to an alias and no unqualified-search registries are defined in '
        '"/etc/containers/registries.conf"',
        "write the image with its registry",
    ),
    (
        "Trying to pull docker.io/library/nope:1...\nError: initializing source docker://nope:1: pinging container "
        'registry registry-1.docker.io: Get "https://registry-1.docker.io/v2/": dial tcp: lookup '
        "registry-1.docker.io on [::1]:53: read udp [::1]:54755->[::1]:53: read: connection refused",
        "w1 cannot reach the registry for docker.io/library/nope:1",
    ),
    (RETRIES + "Error: initializing source docker://localhost/nope:1: connection refused", "are in no registry"),
    ("Error: docker.io/library/nope:1: image not known", "`orch image push docker.io/library/nope:1` brings it there"),
    (
        "Error: initializing source docker://nope:1: reading manifest 1 in docker.io/library/nope: requested access "
        "to the resource is denied",
        "the registry lets w1 not have docker.io/library/nope:1",
    ),
    (
        "Error: initializing source docker://nope:1: reading manifest 1 in docker.io/library/nope: errors:\n"
        "denied: requested access to the resource is denied\nunauthorized: authentication required\n",
        "`podman login`",
    ),
    (
        "Error: initializing source docker://redis:99: reading manifest 99 in docker.io/library/redis: manifest "
        "unknown: manifest unknown",
        "check its name and tag",
    ),
    (pulled("unauthorized"), "the registry lets w1 not have docker.io/library/nope:1"),
    (pulled("unauthorized: authentication required"), "`podman login`"),
    (pulled("denied"), "the registry lets w1 not have docker.io/library/nope:1"),
    (pulled("StatusCode: 403, <html>sorry</html>"), "the registry lets w1 not have docker.io/library/nope:1"),
    (pulled("manifest unknown: manifest tagged by 1 is not found"), "the registry has no docker.io/library/nope:1"),
    (pulled("name unknown"), "the registry has no docker.io/library/nope:1"),
    (pulled("StatusCode: 404, <html>sorry</html>"), "the registry has no docker.io/library/nope:1"),
    (pulled("toomanyrequests: You have reached your pull rate limit."), "limits how often it is asked"),
    (pulled("StatusCode: 429, <html>sorry</html>"), "limits how often it is asked"),
    (pulled("received unexpected HTTP status: 500 Internal Server Error"), "the registry itself is in trouble"),
    (pulled("received unexpected HTTP status: 503 Service Unavailable"), "the registry itself is in trouble"),
    (
        'Error: writing blob: storing blob to file "/var/tmp/storage2205175302/1": happened during read: unexpected '
        "EOF",
        "the registry broke off in the middle of docker.io/library/nope:1",
    ),
    ("Error: parsing image configuration: unexpected EOF", "the registry broke off in the middle"),
    (
        "Error: initializing source docker://10.0.0.7:42941/nope:1: pinging container registry 10.0.0.7:42941: Get "
        '"https://10.0.0.7:42941/v2/": tls: first record does not look like a TLS handshake',
        "the registry speaks plain HTTP, and w1 wants TLS",
    ),
    (
        "Error: initializing source docker://10.0.0.7:42941/nope:1: pinging container registry 10.0.0.7:42941: Get "
        '"https://10.0.0.7:42941/v2/": x509: certificate signed by unknown authority',
        "w1 does not trust the registry's certificate",
    ),
    (
        "Error: initializing source docker://10.0.0.7:42941/nope:1: pinging container registry 10.0.0.7:42941: Get "
        '"https://10.0.0.7:42941/v2/": dial tcp 10.0.0.7:42941: connect: connection refused',
        "w1 cannot reach the registry",
    ),
    (
        'Error: writing blob: adding layer with blob "sha256:43c4264eed91be63": processing tar file(write '
        "/usr/lib/models.pyc: no space left on device): exit status 1",
        "the disk of w1 is full: `orch image prune`",
    ),
    ("base64: write error: No space left on device", "the disk of w1 is full"),
    (
        "Error: cannot listen on the TCP port: listen tcp4 :8080: bind: address already in use",
        "another process of w1 has that port",
    ),
    (
        NAME_TAKEN,
        "podman on w1 has a container of this name that is not this cluster's",
    ),
    (
        'Error: runc: runc create failed: unable to start container process: exec: "/no/such": stat /no/such: no such '
        "file or directory: OCI runtime attempted to invoke a command that was not found",
        "check command and entrypoint",
    ),
    (
        "Error: container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no such file or "
        "directory",
        "needs the package catatonit on w1",
    ),
    ("Error: unknown flag: --nosuchflag\nSee 'podman run --help'", "podman on w1 is too old for that"),
    ('Error: unknown mount option "uid=7": invalid mount option', "podman on w1 is too old for that"),
    ('Error: invalid IP address in add-host: "host-gateway"', "podman on w1 is too old for that"),
    (f'Error: workdir "/w" does not exist on container {ID}', "the image must have it"),
    (
        "Error: OCI runtime error: runc: runc create failed: unable to start container process: error during container "
        "init: error setting cgroup config for procHooks process: unable to set memory limit to 1024 (current usage: "
        "2256896, peak usage: 2519040)",
        "raise it",
    ),
    ("Error: statfs /nonexist: no such file or directory", "the source of a bind mount is not on w1"),
    (
        "Error: volume v10 uses volume plugin nope but it could not be retrieved: no volume plugin with name nope "
        "available: required plugin missing",
        "install the volume's driver on w1",
    ),
    (
        "Error: volume options size and inodes not supported. Filesystem does not support Project Quota",
        "which the file system of w1 does not have",
    ),
    ("Error: keep-id is only supported in rootless mode", "leave it out"),
    (
        "Error: runc: runc create failed: unable to start container process: error during container init: error "
        "setting rlimits for ready process: error setting rlimit type 6: operation not permitted: OCI "
        "permission denied",
        "lower the ulimit",
    ),
]
PODMAN_5 = [
    (
        "Trying to pull docker.io/library/nope:1...\nError: unable to copy from source docker://nope:1: initializing "
        "source docker://nope:1: pinging container registry registry-1.docker.io: Get "
        '"https://registry-1.docker.io/v2/": dial tcp: '
        "lookup registry-1.docker.io: no such host",
        "w1 cannot reach the registry",
    ),
    (
        "Error: unable to copy from source docker://quay.io/no/pe:1: initializing source docker://quay.io/no/pe:1: "
        "reading manifest 1 in quay.io/no/pe: unauthorized: access to the requested resource is not authorized",
        "or has no such image",
    ),
    (
        f'Error: creating container storage: the container name "shop.web.1" is already in use by {ID}. You have to '
        "remove that container to be able to reuse that name: that name is already in use, or use --replace to "
        "instruct Podman to do so.",
        "rename or remove it there",
    ),
    (
        "Error: unable to copy from source docker://ghcr.io/no/pe:1: initializing source docker://ghcr.io/no/pe:1: "
        "Requesting bearer token: invalid status code from registry 403 (Forbidden)",
        "the registry lets w1 not have docker.io/library/nope:1",
    ),
    (
        "Error: unable to copy from source docker://quay.io/no/pe:1: initializing source docker://quay.io/no/pe:1: "
        "pinging container registry quay.io: invalid status code from registry 503 (Service Unavailable)",
        "the registry itself is in trouble",
    ),
    ("Error: failed to bind any port", "another process of w1 has that port"),
    (
        "Error: pasta failed with exit code 1:\nFailed to bind port 8080 (Address already in use) for option '-t 8080'",
        "another process of w1 has that port",
    ),
    (
        "Error: crun: executable file `/no/such` not found: No such file or directory: OCI runtime attempted to invoke "
        "a command that was not found",
        "check command and entrypoint",
    ),
]


@pytest.mark.parametrize(("said", "remedy"), PODMAN_4_3 + PODMAN_5)
def test_a_common_complaint_is_told_with_its_remedy(said: str, remedy: str) -> None:
    told = explain(said, AT)

    assert remedy in told
    assert told.startswith(essence(said) + "; ")
    assert "\n" not in told


def test_what_is_not_known_is_told_as_podman_said_it() -> None:
    assert explain("Error: sysctl 'kernel.nope' is not allowed\n", AT) == "sysctl 'kernel.nope' is not allowed"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (RETRIES + "Error: the last word", "the last word"),
        ("Error: unknown flag: --x\nSee 'podman run --help'", "unknown flag: --x"),
        (
            "[conmon:e] k8s-file doesn't support --log-tag\nError: write child: broken pipe",
            "[conmon:e] k8s-file doesn't support --log-tag write child: broken pipe",
        ),
        (
            NAME_TAKEN,
            'creating container storage: the container name "shop.web.1" is already in use by bcae59b868b1',
        ),
        (
            PODMAN_5[2][0],
            'creating container storage: the container name "shop.web.1" is already in use by bcae59b868b1',
        ),
        ("exit status 1", "exit status 1"),
    ],
    ids=["retries", "help", "conmon", "name", "name of podman 5", "nothing"],
)
def test_what_does_not_matter_is_left_out(said: str, kept: str) -> None:
    assert essence(said) == kept


def test_of_a_long_complaint_the_beginning_and_the_end_are_kept() -> None:
    told = essence("Error: begin " + "x" * 5000 + " end")

    assert len(told) <= MOST + 3
    assert (told[:5], told[-3:]) == ("begin", "end")


def test_podman_that_does_not_end_is_told_of_with_its_node_and_the_time_it_had() -> None:
    told = out_of_time(AT)

    assert told.startswith("podman on w1 did not end within 300 s and was ended; ")
    assert "still fetching docker.io/library/nope:1, its registry does not answer or is slow" in told
    assert "`orch run w1 -b -- podman pull docker.io/library/nope:1`" in told
    assert "fetching" not in out_of_time(Situation("w1", seconds=30))
