"""Container images for tests, made from programs that Debian's packages have put on this machine: no registry."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import msgspec

from orch.errors import LabError, UsageError
from orch.lab.layout import IMAGES
from orch.lab.machine import Machine

_RUN_ROOT = "/run/orch-lab-images"
_LIBRARY = re.compile(r"(/\S+) \(0x[0-9a-f]+\)")


class Recipe(msgspec.Struct, frozen=True):
    """`programs`: path in the image → program of this machine. `applets` are links to the first of them."""

    package: str
    programs: dict[str, str]
    applets: str = ""
    changes: tuple[str, ...] = ()


RECIPES = {
    "busybox": Recipe(
        "busybox-static",
        {"bin/busybox": "/bin/busybox"},
        applets="bin",
        changes=('CMD ["sh"]',),
    ),
    "redis": Recipe(
        "redis-tools",
        # The server's code is in redis-tools too; the package redis-server would start one on this machine.
        {"bin/redis-server": "/usr/bin/redis-check-rdb", "bin/redis-cli": "/usr/bin/redis-cli"},
        changes=(
            "EXPOSE 6379/tcp",
            'CMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]',
        ),
    ),
}


def prepare_store(machine: Machine) -> None:
    """The hosts mount the store read-only, so podman must have laid it out before."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    if not (IMAGES / "overlay-images").exists():
        _podman(machine, "images", "--quiet")


def make_image(machine: Machine, name: str, tag: str) -> str:
    """The full name of the image, made unless it exists. Raises LabError for what cannot be made."""
    recipe = RECIPES.get(name)
    if recipe is None:
        raise UsageError(f"there is no recipe for an image {name!r}; known: {', '.join(sorted(RECIPES))}")
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag) is None:
        raise UsageError(f"{tag!r} cannot be an image's tag")
    full = f"localhost/{name}:{tag}"
    prepare_store(machine)
    if not _podman(machine, "images", "--quiet", "--filter", f"reference={full}").strip():
        with tempfile.TemporaryDirectory(prefix="orch-image-") as folder:
            root = Path(folder) / "root"
            _fill(machine, root, recipe)
            archive = str(Path(folder) / "image.tar")
            machine.run("tar", "--owner=0", "--group=0", "-C", str(root), "-cf", archive, ".")
            changes = [word for change in recipe.changes for word in ("--change", change)]
            _podman(machine, "import", *changes, archive, full)
    return full


def _fill(machine: Machine, root: Path, recipe: Recipe) -> None:
    for folder in ("bin", "etc", "tmp", "root"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    for target, program in recipe.programs.items():
        if not Path(program).exists():
            raise LabError(f"{program} is not on this machine: apt-get install {recipe.package}")
        _copy(program, root / target)
        for library in libraries(machine, program):
            _copy(library, root / library.removeprefix("/"))
    first = next(iter(recipe.programs))
    if recipe.applets:
        for applet in machine.run(f"/{first}", "--list").split():
            link = root / recipe.applets / applet
            if not link.exists():
                link.symlink_to(f"/{first}")


def libraries(machine: Machine, program: str) -> list[str]:
    """The shared libraries that the program loads, its loader among them; none for a static one."""
    header = Path(program).read_bytes()[: 64 << 10]
    if b"/ld-linux" not in header and b"/ld-musl" not in header:
        return []
    return sorted(_LIBRARY.findall(machine.run("ldd", program)))


def _copy(source: str, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _podman(machine: Machine, *words: str) -> str:
    where = ("--root", str(IMAGES), "--runroot", _RUN_ROOT, "--storage-driver", "overlay")
    return machine.run("podman", *where, *words)
