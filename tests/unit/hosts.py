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
container ["3f2a","shop.web.1","running",0,false,"2023-11-14T22:00:00.123456789Z",0,\
{"orch.cluster":"prod","orch.stack":"shop","orch.service":"web","orch.slot":"1","orch.attempt":"2",\
"orch.replica":"abcdefghijkl","orch.spec":"0123456789abcdef"},"docker.io/library/nginx:latest",\
{"podman":{"IPAddress":"10.88.0.5"}},""]
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
began 500.00
time 1699999999.750000000
clocked 500.00
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
ended 501.20
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
began 99.90
time 1699999995.%N
clocked 99.90
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
ended 101.20
"""

FEDORA = """\
container ["b1946ac9","shop.web.2","running",0,false,"2024-11-02T09:15:00.987654321+01:00",2,\
{"io.buildah.version":"1.37.3","orch.attempt":"1","orch.cluster":"prod","orch.replica":"abcdefghijkl",\
"orch.service":"web","orch.slot":"2","orch.spec":"0123456789abcdef","orch.stack":"shop"},\
"docker.io/library/nginx:1.27",{"podman":{"EndpointID":"","Gateway":"10.88.0.1","IPAddress":"10.88.0.9",\
"IPPrefixLen":16,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"MacAddress":"02:42:0a:58:00:09",\
"NetworkID":"podman","DriverOpts":null,"IPAMConfig":null,"Links":null,"Aliases":["b1946ac9"]}},"healthy"]
container ["c157a790","shop.job.1","exited",137,true,"2024-11-02T09:15:01+01:00",0,\
{"orch.attempt":"1","orch.cluster":"prod","orch.replica":"mnopqrstuvwx","orch.service":"job","orch.slot":"1",\
"orch.spec":"fedcba9876543210","orch.stack":"shop"},"docker.io/library/busybox:latest",{},""]
containers listed
began 86400.11
time 1700000000.125000000
clocked 86400.11
kernel 6.11.4-301.fc41.x86_64
arch x86_64
system Fedora Linux 41 (Server Edition)
cores 2
MemTotal 4015012 kB
MemAvailable 3201440 kB
load 0.08
disk_free_kb 12582912
cpu_before 86400.20 stat cpu  2000 20 600 90000 400 10 30 5 0 0
cpu_after 86400.70 stat cpu  2010 20 605 90080 400 10 30 5 0 0
podman 5.2.5
ended 86400.75
"""
"""The root of a host with version 2 of cgroups has no limits; podman 5 says more of networks and knows zones."""

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
