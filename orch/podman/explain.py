"""What podman's complaints mean, and what to do about them. Pure; the recorded texts are in its tests.

podman tells the cause at the end of a long chain of what it was about to do, after whatever it logged on the way. The
chain is kept, since it names the thing; the log, ids of 64 digits and advice for somebody at podman's own command
line are left out.
"""

from __future__ import annotations

import re

import msgspec

MOST = 600
"""Characters of podman's own words that reach the user."""

WHEN_IT_HANGS = "if it hangs, `podman ps` there hangs too, and mostly a restart of the host mends it"

_CHATTER = re.compile(
    r"time=\"|Trying to pull |Resolved \"|Getting image |Copying |Writing manifest|Storing sig|See 'podman|"
    r"Port mappings have been discarded"
)
_HINT = re.compile(
    r"\. You have to remove that container .*$|: volume already exists$|: image not known(?=: image not known$)"
)


class Situation(msgspec.Struct, frozen=True):
    """What was tried: on which node, with which image, and the seconds it was given."""

    node: str
    image: str = ""
    seconds: int = 0


def explain(complaint: str, at: Situation) -> str:
    """`complaint` is all that podman printed. One line: podman's words, then what to do where that is known."""
    words = essence(complaint)
    remedy = _remedy(complaint, at)
    return f"{words}; {remedy}" if remedy else words


def out_of_time(at: Situation) -> str:
    """podman was ended because it took too long."""
    fetching = (
        f"; if it was still fetching {at.image}, its registry does not answer or is slow: "
        f"`orch run {at.node} -b -- podman pull {at.image}` shows which, and `orch image push {at.image}` does without"
    )
    told = f"podman on {at.node} did not end within {at.seconds} s and was ended; {WHEN_IT_HANGS}"
    return told + (fetching if at.image else "")


def essence(complaint: str) -> str:
    """One line of what podman said, at most MOST characters."""
    lines = [line.strip() for line in complaint.splitlines()]
    lines = [line for line in lines if line and not _CHATTER.match(line)]
    # What stands before the error may be the real one: conmon says why it gave up, and podman that its pipe broke.
    said = " ".join(line.removeprefix("Error: ") for line in lines)
    said = re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", said)
    said = _HINT.sub("", said)
    return said if len(said) <= MOST else f"{said[: MOST // 2]} … {said[-MOST // 2 :]}"


_KINDS: tuple[tuple[str, str], ...] = (
    (
        r"docker://localhost/",
        "{node} does not have {image}, and images of localhost are in no registry: `orch image push {image}` brings it "
        "there",
    ),
    (
        r"no space left on device|disk quota exceeded",
        "the disk of {node} is full: `orch image prune` removes images that nothing uses, and "
        "`orch run {node} -- df -h` shows what fills it",
    ),
    (
        r"image not known|no such image",
        "{node} does not have {image}, and the pull policy lets it ask no registry: `orch image push {image}` brings "
        "it there, or set pull_policy: missing",
    ),
    (
        r"short-name .* did not resolve",
        "write the image with its registry, such as docker.io/library/{image}",
    ),
    (
        r"unauthorized|: denied\b|access to the resource is denied|authentication required|no basic auth|"
        r"status(?:code:| code from registry) 40[13]\b",
        "the registry lets {node} not have {image}, or has no such image: check its name, or log in there with "
        "`podman login`, or bring it without a registry: `orch image push {image}`",
    ),
    (
        r"manifest unknown|name unknown|not found: manifest|404 \(Not Found\)|reading manifest .* not found|"
        r"statuscode: 404\b",
        "the registry has no {image}: check its name and tag",
    ),
    (
        r"toomanyrequests|too many requests|statuscode: 429\b",
        "the registry limits how often it is asked: wait, log in there with `podman login`, or bring the image "
        "without it: `orch image push {image}`",
    ),
    (
        r"unexpected HTTP status: 5\d\d|statuscode: 5\d\d\b|status code from registry 5\d\d\b",
        "the registry itself is in trouble: apply again later, or bring the image without it: "
        "`orch image push {image}`",
    ),
    (
        r"does not look like a TLS handshake|server gave HTTP response to HTTPS client",
        "the registry speaks plain HTTP, and {node} wants TLS: give the registry a certificate, or allow it with "
        "`insecure = true` under /etc/containers/registries.conf.d of {node}",
    ),
    (
        r"x509: ",
        "{node} does not trust the registry's certificate: put the certificate of who signed it under "
        "/etc/containers/certs.d of {node}, in a folder named like the registry, as ca.crt",
    ),
    (
        r"(?:blob|configuration|manifest)\b.*: (?:unexpected EOF|.*connection reset by peer)",
        "the registry broke off in the middle of {image}: apply again, or bring it without a registry: "
        "`orch image push {image}`",
    ),
    (
        r"pinging container registry|dial tcp|no such host|i/o timeout|TLS handshake|EOF$",
        "{node} cannot reach the registry for {image}: check the name and the network of {node}, or bring the image "
        "without a registry: `orch image push {image}`",
    ),
    (
        r"address already in use|port is already allocated|Failed to bind (?:any )?port",
        "another process of {node} has that port: `orch run {node} -- ss -lntup` shows which; publish another one, "
        "or keep the service off {node}",
    ),
    (
        r"container name .* already in use",
        "podman on {node} has a container of this name that is not this cluster's: rename or remove it there",
    ),
    (r"container-init binary not found", "`init: true` needs the package catatonit on {node}"),
    (r"unknown flag|invalid mount option|invalid IP address in add-host: \"host-gateway\"", "{too_old}"),
    (r"workdir .* does not exist", "podman makes no working_dir: the image must have it, or a mount"),
    (
        r"executable file .* not found|command that was not found|no such file or directory: OCI",
        "check command and entrypoint against what is in the image",
    ),
    (
        r"unable to set memory limit|limit should be .* greater than current usage",
        "the memory limit is less than a container needs to start; raise it",
    ),
    (r"statfs .* no such file or directory", "the source of a bind mount is not on {node}: make it, or let it be made"),
    (
        r"does not support Project Quota",
        "podman takes `size` of a volume for a quota, which the file system of {node} does not have; leave it out",
    ),
    (r"volume plugin", "install the volume's driver on {node}, or use the driver local"),
    (r"database is locked|database locked", "podman on {node} is overrun; apply again"),
    (r"keep-id is only supported in rootless", "orch's podman runs as root, where keep-id means nothing; leave it out"),
    (r"setting rlimit", "{node} does not let podman raise that limit above its own; lower the ulimit"),
)
_TOO_OLD = "podman on {node} is too old for that, or the option is none that podman has; leave it out or upgrade podman"


def _remedy(complaint: str, at: Situation) -> str:
    for pattern, remedy in _KINDS:
        if re.search(pattern, complaint, re.IGNORECASE):
            return remedy.format(node=at.node, image=at.image or "it", too_old=_TOO_OLD.format(node=at.node))
    return ""
