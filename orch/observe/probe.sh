# Prints what a node has, a fact a line, from /proc, /sys and podman. Set before: cluster_filter, format, sample
# (seconds over which to measure CPU use; empty for not at all), list_seconds, image_format and volume_format (empty:
# not asked for). Follows figures.sh and fence.sh.
# What a node lacks is left out: the reader knows what must be there.
say() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }
say_figures() {
    read_memory
    say MemTotal "$memory_total"
    say MemAvailable "$memory_available"
    say memory_max "$memory_max"
    say memory_current "$memory_current"
    say memory_cache "$memory_cache"
    read_load
    say load "$load"
    first found /sys/fs/cgroup/cpu.max
    say cpu_max "$found"
    first found /sys/fs/cgroup/cpu/cpu.cfs_quota_us
    say cfs_quota "$found"
    first found /sys/fs/cgroup/cpu/cpu.cfs_period_us
    say cfs_period "$found"
}
say_clock() {
    # The uptime around it says when that was. Where date knows no fractions of a second it prints no number for them.
    read_uptime
    say began "$uptime"
    say time "$(date +%s.%N)"
    read_uptime
    say clocked "$uptime"
}
say_cpu() {
    read_uptime
    read_cpu
    say "$1" "$uptime $cpu"
}
say_disk() {
    # What podman has not made yet will lie where its parent does.
    folder=/var/lib/containers
    [ -e "$folder" ] || folder=/var/lib
    df -Pk "$folder" 2>/dev/null | { read -r _ && read -r _ _ _ free _ && say disk_free_kb "$free"; }
}
count() { printf '%s\n' "$1" | grep -c .; }
list_ids() { timeout -k 5 "$list_seconds" podman ps --all --quiet --no-trunc --filter "$cluster_filter"; }
list_containers() {
    # "containers listed" promises that every container stands above it: an unknown number must never look like none.
    for attempt in 1 2 3; do
        ids=$(list_ids 2>/dev/null) || {
            case $? in
                124 | 137) say podman_hangs "$list_seconds" ;;
                *) say podman_error "$(list_ids 2>&1 >/dev/null | tail -n 1)" ;;
            esac
            return
        }
        [ -n "$ids" ] || { echo "containers listed"; return; }
        found=$(printf '%s\n' "$ids" |
            timeout -k 5 "$list_seconds" xargs podman container inspect --format "$format" 2>/dev/null)
        case $? in 124 | 137) say podman_hangs "$list_seconds"; return ;; esac
        if [ "$(count "$found")" -eq "$(count "$ids")" ]; then
            printf '%s\ncontainers listed\n' "$found"
            return
        fi
        # One that went between the two commands is missing; asked again, it is not even listed.
    done
    say podman_error "lists $(count "$ids") containers and describes $(count "$found")"
}
list_images() {
    # Unlike with containers, what is missing costs a pull that was not needed: no reason to do without the rest.
    [ -n "$image_format" ] || return
    timeout -k 5 "$list_seconds" podman images --no-trunc --format "$image_format" 2>/dev/null && echo "images listed"
}
list_volumes() {
    [ -n "$volume_format" ] || return
    timeout -k 5 "$list_seconds" podman volume ls --format "$volume_format" 2>/dev/null && echo "volumes listed"
}
podman_version() {
    # Of several words the last one; what podman warns of goes to the other stream. A podman that hangs may hang here.
    version=$(timeout -k 5 5 podman --version 2>/dev/null)
    version=${version##* }
    echo "${version:-unknown}"
}
gather_facts() {
    say_clock
    first found /proc/sys/kernel/osrelease
    say kernel "$found"
    say arch "$(uname -m)"
    say system "$(. /etc/os-release 2>/dev/null && printf %s "$PRETTY_NAME")"
    say cores "$(nproc 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
    say_figures
    say_disk
    if [ -n "$sample" ]; then
        say_cpu cpu_before
        sleep "$sample"
        say_cpu cpu_after
    fi
}
leave_fence
# Before the containers: a start that ends in between is then told twice, and not missed.
say_starts
if command -v podman >/dev/null 2>&1; then
    # podman takes longer than all facts together. Only one of the two writes at a time: lines must stay whole.
    list_containers &
    facts=$(
        list_images &
        other=$(gather_facts; list_volumes; say podman "$(podman_version)")
        wait
        printf '%s\n' "$other"
    )
    wait
    printf '%s\n' "$facts"
else
    gather_facts
fi
read_uptime
say ended "$uptime"
exit 0
