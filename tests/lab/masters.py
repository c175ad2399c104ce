"""The master's own podman, for tests: with a store of its own, so that the machine's is left alone."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path


class Podman:
    """podman on this machine with its own images, for whoever has `env`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        conf = folder / "storage.conf"
        conf.write_text(f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/store"\n')
        self.env = {"CONTAINERS_STORAGE_CONF": str(conf)}

    def __call__(self, *words: str, data: bytes = b"") -> str:
        done = subprocess.run(
            ["podman", *words], env={**os.environ, **self.env}, input=data, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def make(self, name: str, size: int = 4 << 20) -> str:
        """An image of random content that nobody else has; its id."""
        return self("import", "--quiet", "--change", 'CMD ["true"]', "-", name, data=archive(size)).removeprefix(
            "sha256:"
        )

    def forget(self, name: str) -> None:
        self("rmi", "--force", name)


def archive(size: int) -> bytes:
    """A root file system with a static busybox and `size` bytes of noise."""
    out = io.BytesIO()
    busybox = Path("/bin/busybox").read_bytes()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content, mode in (("bin/busybox", busybox, 0o755), ("noise", os.urandom(size), 0o644)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            made.addfile(entry, io.BytesIO(content))
        for link in ("sh", "sleep", "true", "echo"):
            entry = tarfile.TarInfo(f"bin/{link}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            made.addfile(entry)
    return out.getvalue()
