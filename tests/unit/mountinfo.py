"""/proc/self/mountinfo of machines with several kinds of control groups."""

COMMON = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
23 22 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
24 22 0:22 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
29 23 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
"""

V1 = COMMON + """\
32 29 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:11 - cgroup cgroup rw,cpu,cpuacct
33 29 0:30 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime shared:12 - cgroup cgroup rw,memory
34 29 0:31 / /sys/fs/cgroup/cpuset rw,nosuid,nodev,noexec,relatime shared:13 - cgroup cgroup rw,cpuset,clone_children
31 29 0:28 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:10 - cgroup cgroup rw,xattr,name=systemd
"""  # fmt: skip

HYBRID = V1 + """\
35 29 0:32 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:14 - cgroup2 cgroup2 rw,nsdelegate
"""  # fmt: skip

V2 = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
29 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
"""

V2_TWICE = V2 + "90 22 0:26 /box /mnt/groups rw,relatime shared:9 - cgroup2 none rw,nsdelegate\n"

V2_AND_NET_CLS = "25 22 0:24 / /mnt/groups rw,relatime - cgroup2 none rw\n" + V2 + """\
91 29 0:33 / /sys/fs/cgroup/net_cls rw,relatime shared:40 - cgroup net_cls rw,net_cls
"""  # fmt: skip

V1_TWICE = V1 + "90 22 0:30 /box /mnt/memory rw,relatime - cgroup cgroup rw,memory\n"

RELEASE_AGENT = COMMON + """\
25 24 0:22 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:9 - cgroup cgroup \
rw,xattr,release_agent=/usr/lib/systemd/systemd-cgroups-agent,name=systemd
26 24 0:23 / /sys/fs/cgroup/pids rw,nosuid,nodev,noexec,relatime shared:10 - cgroup cgroup rw,pids
"""  # fmt: skip

SELINUX = COMMON + """\
25 24 0:22 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:9 - cgroup cgroup \
rw,seclabel,xattr,name=systemd
26 24 0:23 / /sys/fs/cgroup/pids rw,nosuid,nodev,noexec,relatime shared:10 - cgroup cgroup rw,seclabel,pids
"""  # fmt: skip
