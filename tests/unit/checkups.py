"""Examinations of hosts of several kinds, as the check program printed them."""

HEALTHY = """\
began 1000.00
time 1700000000.500000000
clocked 1000.00
user 0 root
os debian
system Debian GNU/Linux 12 (bookworm)
systemd yes
hostname w1
machine_id 00000000000000000000000000000001
boot_id 10000000-0000-0000-0000-000000000000
MemTotal 8148284
MemAvailable 6012344
memory_max max
ip_forward 1
found bridge
found conntrack
found crun
found ip
found ipset
found iptables
found sudo
found netavark
found flock
found timeout
controller cpuset
controller cpu
controller memory
podman 4.3.1
podman_info overlay netavark crun
disk 102400000 51200000
time_service chronyd
max_sessions 10
ended 1000.25
examined
"""

FEDORA = """\
began 50.00
time 1700000009.000000000
clocked 50.00
user 0 root
os fedora
system Fedora Linux 41 (Server Edition)
systemd yes
hostname f1
machine_id 00000000000000000000000000000002
boot_id 20000000-0000-0000-0000-000000000000
MemTotal 4015012
MemAvailable 3201440
ip_forward 1
found bridge
found crun
found ip
found nft
found sudo
found netavark
found flock
found timeout
controller cpu
controller memory
podman 5.2.5
podman_info overlay netavark crun
disk 10240000 819200
time_service chronyd
max_sessions 4
selinux enforcing
firewalld running
ended 50.10
examined
"""

ALPINE = """\
began 50.00
time 1700000000.%N
clocked 50.00
user 0 root
os alpine
system Alpine Linux v3.19
hostname a1
MemTotal 400000
MemAvailable 300000
ip_forward 0
found ip
found flock
found timeout
ended 50.10
examined
"""

OLD = HEALTHY.replace("podman 4.3.1", "podman 3.0.1").replace(
    "podman_info overlay netavark crun", "podman_error can't evaluate field NetworkBackend"
)

UNPRIVILEGED = """\
began 50.00
time 1700000000.500000000
clocked 50.00
user 1000 deploy
sudo_error sudo: a password is required
os ubuntu debian
system Ubuntu 24.04.1 LTS
MemTotal 4015012
MemAvailable 3201440
found sudo
found flock
found timeout
podman 4.9.3
ended 50.10
examined
"""
