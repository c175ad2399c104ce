"""A registry of images inside a lab's network, for tests: it serves what it is given, and misbehaves by name."""

from __future__ import annotations

import gzip
import hashlib
import json
import platform
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import msgspec

from orch.lab.layout import MASTER_ADDRESS
from orch.remote.netns import socket_in

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)")


class Refusal(msgspec.Struct, frozen=True):
    """An answer to whoever wants a manifest. `code` and `message` are a registry's words for programs and for people;
    without a `code` it says nothing that is meant for either."""

    status: int
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = {}

    @property
    def body(self) -> bytes:
        if not self.code:
            return b"<html>sorry</html>"
        return json.dumps({"errors": [{"code": self.code, "message": self.message}]}).encode()


class Image(msgspec.Struct, frozen=True):
    """A manifest, all that it names, by digest, and which of that is the layer."""

    manifest: bytes
    blobs: Mapping[str, bytes]
    layer: str

    @property
    def id(self) -> str:
        """As podman calls it: the digest of its config."""
        (config,) = self.blobs.keys() - {self.layer}
        return config.removeprefix("sha256:")


def image_of(root: bytes) -> Image:
    """An image of one layer, the tar archive `root`."""
    layer = gzip.compress(root, compresslevel=1, mtime=0)
    config = json.dumps(
        {
            "architecture": _GO_NAMES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Cmd": ["sleep", "1000"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(root)]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "size": len(config), "digest": _digest(config)},
        "layers": [{"mediaType": _LAYER, "size": len(layer), "digest": _digest(layer)}],
    }
    blobs = {_digest(blob): blob for blob in (config, layer)}
    return Image(json.dumps(manifest).encode(), blobs, _digest(layer))


class Registry(ThreadingHTTPServer):
    """What it has and how it misbehaves, by name; both may be changed at any time.

    `silent`: those who want a manifest get no answer. `torn`: layers end half-way.
    """

    daemon_threads = True

    def __init__(self, listening: socket.socket) -> None:
        super().__init__((MASTER_ADDRESS, 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.images: dict[str, Image] = {}
        self.troubles: dict[str, Refusal | Literal["silent", "torn"]] = {}
        self._layers: set[str] = set()
        self.asked: list[str] = []
        """`METHOD PATH` of each request, in their order."""
        self.over = threading.Event()
        """Set when silence is needed no more."""
        self.server_bind()
        self.server_activate()

    @property
    def address(self) -> str:
        return f"{MASTER_ADDRESS}:{self.server_address[1]}"

    def serve(self, name: str, image: Image) -> str:
        """Have an image, with every tag; its name as a node asks for it."""
        self.images[name] = image
        self._layers.add(image.layer)
        return f"{self.address}/{name}:1"

    def layers(self, name: str) -> int:
        """How often the layer of the image that it has now, or had before, was asked for."""
        return sum(self.asked.count(f"GET /v2/{name}/blobs/{layer}") for layer in self._layers)


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        asked = _PATH.fullmatch(self.path)
        if asked is None:
            self._answer(200 if self.path == "/v2/" else 404, b"{}")
            return
        trouble = self.server.troubles.get(asked["name"])
        image = self.server.images.get(asked["name"])
        if isinstance(trouble, Refusal) and asked["kind"] == "manifests":
            self._answer(trouble.status, trouble.body, headers=trouble.headers)
        elif trouble == "silent" and asked["kind"] == "manifests":
            self.server.over.wait()
            self.close_connection = True
        elif image is None:
            unknown = Refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")
            self._answer(unknown.status, unknown.body)
        elif asked["kind"] == "manifests":
            self._answer(200, image.manifest, _MANIFEST)
        else:
            torn = trouble == "torn" and asked["reference"] == image.layer
            self._answer(200, image.blobs[asked["reference"]], "application/octet-stream", torn=torn)

    do_HEAD = do_GET

    def _answer(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        *,
        headers: Mapping[str, str] | None = None,
        torn: bool = False,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if torn else body)

    def log_message(self, format: str, *args: object) -> None:
        """What is asked is in the registry's own list."""


@contextmanager
def registry(netns: str) -> Iterator[Registry]:
    """One that listens in the namespace of a lab's bridge."""
    listening = socket_in(netns, socket.AF_INET)
    listening.setblocking(True)
    with Registry(listening) as made:
        serving = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, name="registry")
        serving.start()
        try:
            yield made
        finally:
            made.over.set()
            made.shutdown()
            serving.join()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
