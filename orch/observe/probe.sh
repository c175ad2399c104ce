# Prints what a node has, a fact a line, from /proc, /sys and podman. Set before: cluster_filter, format, sample
# (seconds over which to measure CPU use; empty for not at all), list_seconds. Works in dash, bash and busybox.
# What a node lacks is left out: the reader knows what must be there.
# Reading is done by the shell itself wherever it can: starting programs is what a probe costs a node.
say() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }
first() {
    # The first line of the first of the files that there is.
    for file; do
        if [ -r "$file" ]; then
            IFS= read -r line <"$file" || :
            printf '%s' "$line"
            return
        fi
    done
}
pick() {
    # pick FILE NAME…: the lines of FILE that begin with one of the names.
    [ -r "$1" ] || return 0
    file=$1
    shift
    while read -r name value _; do
        for wanted; do [ "$name" != "$wanted" ] || printf '%s %s\n' "${name%:}" "$value"; done
    done <"$file"
}
cpu_seconds() {
    # Used since boot: of the node's own cgroup where it has one below the machine's, else of the machine.
    if [ -r /sys/fs/cgroup/cpu.stat ] && [ -e /sys/fs/cgroup/cpu.max ]; then
        used=$(pick /sys/fs/cgroup/cpu.stat usage_usec)
        echo "usec ${used#* }"
    elif [ -r /sys/fs/cgroup/cpuacct/cpuacct.usage ]; then
        echo "nsec $(first /sys/fs/cgroup/cpuacct/cpuacct.usage)"
    else
        echo "stat $(first /proc/stat)"
    fi
}
uptime_seconds() { read -r up _ </proc/uptime && echo "$up"; }
count() { printf '%s\n' "$1" | grep -c .; }
list_ids() { timeout -k 5 "$list_seconds" podman ps --all --quiet --no-trunc --filter "$cluster_filter"; }
list_containers() {
    # "containers listed" promises that every container stands above it: an unknown number must never look like none.
    for attempt in 1 2 3; do
        ids=$(list_ids 2>/dev/null) || {
            case $? in
                124 | 137) say podman_error "no answer within $list_seconds s" ;;
                *) say podman_error "$(list_ids 2>&1 >/dev/null | tail -n 1)" ;;
            esac
            return
        }
        [ -n "$ids" ] || { echo "containers listed"; return; }
        found=$(printf '%s\n' "$ids" |
            timeout -k 5 "$list_seconds" xargs podman container inspect --format "$format" 2>/dev/null)
        if [ "$(count "$found")" -eq "$(count "$ids")" ]; then
            printf '%s\ncontainers listed\n' "$found"
            return
        fi
        # One that went between the two commands is missing; asked again, it is not even listed.
    done
    say podman_error "lists $(count "$ids") containers and describes $(count "$found")"
}
gather_facts() {
    say time "$(date +%s)"
    say kernel "$(first /proc/sys/kernel/osrelease)"
    say arch "$(uname -m)"
    say system "$(. /etc/os-release 2>/dev/null && printf %s "$PRETTY_NAME")"
    say cores "$(nproc 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
    say cpu_max "$(first /sys/fs/cgroup/cpu.max)"
    say cfs_quota "$(first /sys/fs/cgroup/cpu/cpu.cfs_quota_us)"
    say cfs_period "$(first /sys/fs/cgroup/cpu/cpu.cfs_period_us)"
    say memory_max "$(first /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes)"
    say memory_current "$(first /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory/memory.usage_in_bytes)"
    cache=$(pick /sys/fs/cgroup/memory.stat inactive_file; pick /sys/fs/cgroup/memory/memory.stat total_inactive_file)
    say memory_cache "${cache##* }"
    pick /proc/meminfo MemTotal: MemAvailable:
    read -r load _ </proc/loadavg && say load "$load"
    df -Pk /var/lib/containers 2>/dev/null | { read -r _ && read -r _ _ _ free _ && say disk_free_kb "$free"; }
    if [ -n "$sample" ]; then
        say cpu_before "$(uptime_seconds) $(cpu_seconds)"
        sleep "$sample"
        say cpu_after "$(uptime_seconds) $(cpu_seconds)"
    fi
}
if command -v podman >/dev/null 2>&1; then
    # podman takes longer than all facts together. Only one of the two writes at a time: lines must stay whole.
    list_containers &
    facts=$(gather_facts; say podman "$(podman --version 2>&1 | sed 's/^podman version //')")
    wait
    printf '%s\n' "$facts"
else
    gather_facts
fi
exit 0
