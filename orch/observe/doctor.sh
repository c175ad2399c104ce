# Prints what a host has and lacks for its part, a finding a line, without changing anything. Set before: info_format,
# info_seconds (how long podman may take), programs (names to look for). Follows figures.sh.
# What cannot be told is left out, and judged by the reader. "examined" at the end promises that all was looked at.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
say() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }
there() { command -v "$1" >/dev/null 2>&1; }
within() {
    # within SECONDS COMMAND…: a sick host must not hold up the answer about the rest of it.
    if [ -n "$timeout_works" ]; then
        timeout -k 2 "$@"
    else
        shift
        "$@"
    fi
}
say_clock() {
    read_uptime
    say began "$uptime"
    say time "$(date +%s.%N)"
    read_uptime
    say clocked "$uptime"
}
say_system() {
    say user "$(id -u) $(id -un)"
    # Whoever is not root should at least hear why.
    [ "$(id -u)" = 0 ] || ! there sudo || say sudo_error "$(within 5 sudo -n true 2>&1 | tail -n 1)"
    say os "$(. /etc/os-release 2>/dev/null && printf '%s %s' "$ID" "$ID_LIKE")"
    say system "$(. /etc/os-release 2>/dev/null && printf %s "$PRETTY_NAME")"
    [ ! -e /run/ostree-booted ] || say ostree yes
    [ ! -d /run/systemd/system ] || say systemd yes
    first found /proc/sys/kernel/hostname
    say hostname "$found"
    first found /etc/machine-id /var/lib/dbus/machine-id
    say machine_id "$found"
    first found /proc/sys/kernel/random/boot_id
    say boot_id "$found"
    read_memory
    say MemTotal "$memory_total"
    say MemAvailable "$memory_available"
    say memory_max "$memory_max"
    say memory_current "$memory_current"
    say memory_cache "$memory_cache"
    first found /proc/sys/net/ipv4/ip_forward
    say ip_forward "$found"
}
say_programs() {
    for program in $programs; do
        ! there "$program" || say found "$program"
    done
    for folder in /usr/local/libexec/podman /usr/local/lib/podman /usr/libexec/podman /usr/lib/podman; do
        [ ! -x "$folder/netavark" ] || { say found netavark; break; }
    done
    [ -z "$timeout_works" ] || say found timeout
}
say_controllers() {
    # Version 2 of cgroups lists them in one file; of version 1 each has its folder.
    first found /sys/fs/cgroup/cgroup.controllers
    for controller in $found; do say controller "$controller"; done
    for controller in cpu memory; do
        [ ! -e "/sys/fs/cgroup/$controller/cgroup.procs" ] || say controller "$controller"
    done
}
say_podman() {
    there podman || return 0
    version=$(within 5 podman --version 2>/dev/null)
    version=${version##* }
    say podman "${version:-unknown}"
    # What podman warns of while it works is not what it fails with.
    info=$(within "$info_seconds" podman info --format "$info_format" 2>/dev/null)
    case $? in
        0) printf '%s\n' "$info" ;;
        124 | 137) say podman_error "no answer within $info_seconds s" ;;
        *) say podman_error "$(within "$info_seconds" podman info --format "$info_format" 2>&1 >/dev/null | tail -n 1)" ;;
    esac
}
say_disk() {
    folder=/var/lib/containers
    [ -e "$folder" ] || folder=/var/lib
    within 5 df -Pk "$folder" 2>/dev/null |
        { read -r _ && read -r _ size _ free _ && say disk "$size $free"; }
}
say_time_service() {
    for file in /proc/[0-9]*/comm; do
        first comm "$file" 2>/dev/null
        case $comm in
            chronyd | ntpd | systemd-timesyn | ptp4l | phc2sys) say time_service "$comm"; return ;;
        esac
    done
}
say_surroundings() {
    say max_sessions "$(within 5 sshd -T 2>/dev/null | while read -r name value _; do
        [ "$name" != maxsessions ] || echo "$value"
    done)"
    first found /sys/fs/selinux/enforce
    [ "$found" != 1 ] || say selinux enforcing
    ! within 5 firewall-cmd --state >/dev/null 2>&1 || say firewalld running
}
timeout_works=$(timeout -k 1 5 echo yes 2>/dev/null)
say_clock
say_system
say_programs
say_controllers
say_podman
say_disk
say_time_service
say_surroundings
read_uptime
say ended "$uptime"
echo examined
