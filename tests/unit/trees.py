"""Folders that look like /proc, /sys and /etc of hosts of several kinds, and shell text that reads them instead."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

_ROOTS = re.compile(r"(?<![\w/])/(proc|sys|etc|run|var)/")

PROC = {
    "proc/uptime": "1000.25 1900.00\n",
    "proc/loadavg": "0.42 0.30 0.25 1/150 4242\n",
    "proc/stat": "cpu  1000 10 500 80000 300 5 15 20 99 99\ncpu0 1000 10 500 80000 300 5 15 20 99 99\n",
    "proc/meminfo": "MemTotal:        2013840 kB\nMemFree:          900000 kB\nMemAvailable:    1500000 kB\n",
    "proc/sys/kernel/osrelease": "6.6.14-0-lts\n",
}

ALPINE = PROC | {
    "etc/os-release": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.19.1\nPRETTY_NAME="Alpine Linux v3.19"\n',
}
"""The root of a host whose cgroups are not mounted: all there is to read is the machine's."""

FEDORA = PROC | {
    "etc/os-release": 'NAME="Fedora Linux"\nID=fedora\nVARIANT_ID=server\nPRETTY_NAME="Fedora Linux 41 (Server)"\n',
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 7000000\nuser_usec 5000000\nsystem_usec 2000000\n",
    "sys/fs/cgroup/memory.stat": "anon 1000\nfile 2000\ninactive_file 3000\n",
}
"""The root cgroup of version 2 has figures and no limits."""

LIMITED_V2 = FEDORA | {
    "sys/fs/cgroup/cpu.max": "50000 100000\n",
    "sys/fs/cgroup/memory.max": "1073741824\n",
    "sys/fs/cgroup/memory.current": "734003200\n",
    "sys/fs/cgroup/memory.stat": "anon 1000\nfile 2000\ninactive_file 209715200\nactive_file 5\n",
}

LIMITED_V1 = PROC | {
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nID=debian\n',
    "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000\n",
    "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpuacct/cpuacct.usage": "9000000000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "300000000\n",
    "sys/fs/cgroup/memory/memory.stat": "inactive_file 7\nhierarchical_memory_limit 1\ntotal_inactive_file 100000000\n",
}


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def reading(script: str, root: Path) -> str:
    """The script with every path of the system below `root`."""
    return _ROOTS.sub(rf"{root}/\1/", script)


def programs(folder: Path, *names: str, busybox: bool = False) -> Path:
    """A folder with nothing but these programs, each of them busybox's own where that is asked for."""
    folder.mkdir(exist_ok=True)
    for name in names:
        found = shutil.which("busybox" if busybox else name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return folder
