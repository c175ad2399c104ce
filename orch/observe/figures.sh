# Figures of the node into variables, by the shell alone: no program is started and nothing is forked, since that is
# what costs a node. A figure that the node does not have becomes empty. Works in dash, bash and busybox.
first() {
    # first VARIABLE FILE…: the first line of the first of the files that there is.
    into=$1
    shift
    for file; do
        [ -r "$file" ] || continue
        IFS= read -r "$into" <"$file" || :
        return 0
    done
    eval "$into="
}
pick() {
    # pick VARIABLE NAME FILE: the second word of the line of FILE that begins with NAME. Fails when there is none.
    eval "$1="
    [ -r "$3" ] || return 1
    while read -r name value _; do
        [ "$name" != "$2" ] || { eval "$1=\$value"; return 0; }
    done <"$3"
    return 1
}
read_uptime() { read -r uptime _ </proc/uptime || :; }
read_load() { read -r load _ </proc/loadavg || :; }
read_cpu() {
    # Used since boot: of the node's own cgroup where it has one below the machine's, else of the machine.
    if [ -e /sys/fs/cgroup/cpu.max ] && pick cpu usage_usec /sys/fs/cgroup/cpu.stat; then
        cpu="usec $cpu"
    elif [ -r /sys/fs/cgroup/cpuacct/cpuacct.usage ]; then
        first cpu /sys/fs/cgroup/cpuacct/cpuacct.usage
        cpu="nsec $cpu"
    else
        first cpu /proc/stat
        cpu="stat $cpu"
    fi
}
read_memory() {
    pick memory_total MemTotal: /proc/meminfo || :
    pick memory_available MemAvailable: /proc/meminfo || :
    memory_current= memory_cache=
    first memory_max /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes
    case $memory_max in
        '' | max) return 0 ;;
    esac
    first memory_current /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory/memory.usage_in_bytes
    pick memory_cache inactive_file /sys/fs/cgroup/memory.stat ||
        pick memory_cache total_inactive_file /sys/fs/cgroup/memory/memory.stat || :
}
