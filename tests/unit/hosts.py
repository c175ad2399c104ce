"""What hosts of several kinds printed when they were probed."""

DEBIAN_V1 = """\
time 1700000010
kernel 5.10.0-28-amd64
arch x86_64
system Debian GNU/Linux 11 (bullseye)
cores 4
cfs_quota -1
cfs_period 100000
memory_max 9223372036854771712
memory_current 1234567890
memory_cache 98765432
MemTotal 8148284 kB
MemAvailable 6012344 kB
load 0.42
disk_free_kb 51200000
cpu_before 1000.00 nsec 50000000000
cpu_after 1002.00 nsec 51500000000
podman 4.3.1
container ["3f2a","shop.web.1.abcdef","running",0,false,"2023-11-14T22:00:00.123456789Z",0,\
{"orch.cluster":"prod","orch.stack":"shop","orch.service":"web","orch.slot":"1","orch.attempt":"2",\
"orch.replica":"abcdefghijkl","orch.spec":"0123456789abcdef"},"docker.io/library/nginx:latest",\
{"podman":{"IPAddress":"10.88.0.5"}}]
containers listed
"""

DEBIAN_V1_LIMITED = """\
time 1700000000
kernel 5.10.0-28-amd64
arch x86_64
system Debian GNU/Linux 11 (bullseye)
cores 4
cfs_quota 150000
cfs_period 100000
memory_max 536870912
memory_current 300000000
memory_cache 100000000
MemTotal 8148284 kB
MemAvailable 6012344 kB
load 1.00
podman 4.3.1
containers listed
"""

DEBIAN_V2_LIMITED = """\
time 1700000000
kernel 6.1.0-18-amd64
arch aarch64
system Debian GNU/Linux 12 (bookworm)
cores 8
cpu_max 50000 100000
memory_max 1073741824
memory_current 734003200
memory_cache 209715200
MemTotal 16316084 kB
MemAvailable 12012344 kB
load 2.50
disk_free_kb 1024
cpu_before 500.10 usec 1000000
cpu_after 501.10 usec 1250000
podman 4.3.1
containers listed
"""

DEBIAN_V2_UNLIMITED = """\
time 1700000000
cores 8
cpu_max max 100000
memory_max max
memory_current 734003200
memory_cache 209715200
MemTotal 16316084 kB
MemAvailable 12012344 kB
podman 4.3.1
containers listed
"""

ALPINE = """\
time 1699999995
kernel 6.6.14-0-lts
arch x86_64
system Alpine Linux v3.19
cores 2
MemTotal 2013840 kB
MemAvailable 1500000 kB
load 0.00
disk_free_kb 4096000
cpu_before 100.00 stat cpu  1000 10 500 80000 300 5 15 20 99 99
cpu_after 101.00 stat cpu  1080 10 520 80090 310 5 15 20 99 99
podman 4.8.3
containers listed
"""

WITHOUT_PODMAN = """\
time 1700000000
kernel 6.1.0-18-amd64
arch x86_64
system Debian GNU/Linux 12 (bookworm)
cores 1
MemTotal 1000000 kB
MemAvailable 400000 kB
load 0.10
"""

PODMAN_FAILS = WITHOUT_PODMAN + "podman 4.3.1\npodman_error Error: database is locked\n"

PODMAN_HANGS = WITHOUT_PODMAN + "podman 4.3.1\n"
