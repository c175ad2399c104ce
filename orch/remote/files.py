"""Files on a host, over channels of their own."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator

from orch.errors import CommandError
from orch.remote.link import Link

_SECONDS = 300.0
_SHEBANG = re.compile(rb"#!\s*([^\n]*[^\s\n])")
_WRITE = 'umask 077; file=$(mktemp) && cat >"$file" && echo "$file" || { rm -f "$file"; exit 1; }'


async def write_temporary(link: Link, content: bytes) -> str:
    """Write a new file that only its owner can read; its path. Raises HostError, a full disk's among them."""
    said = (bytearray(), bytearray())

    async def whole() -> AsyncIterator[bytes]:
        yield content

    status = await link.stream(_WRITE, lambda data, stderr: said[stderr].extend(data), stdin=whole(), timeout=_SECONDS)
    path = said[0].decode(errors="replace").strip()
    if status != 0 or not path.startswith("/"):
        why = said[1].decode(errors="replace").strip().splitlines()
        raise CommandError(link.host.name, f"the file cannot be written there: {why[-1] if why else status}")
    return path


async def running_file(link: Link, content: bytes, arguments: str) -> str:
    """Copy a program and return the shell text that runs it and removes it again. `arguments`: quoted already.

    It is run by the interpreter that its first line names, or else by /bin/sh: where it lies, running may be forbidden.
    """
    file = shlex.quote(await write_temporary(link, content))
    named = _SHEBANG.match(content)
    interpreter = shlex.join(named[1].decode(errors="replace").split(None, 1)) if named else "/bin/sh"
    return f"trap 'rm -f {file}' EXIT; trap 'exit 143' TERM\n{interpreter} {file} {arguments}"
