# Starts one lab host. Run with `outer` it joins the host's cgroup `super` and makes the namespaces but for
# the cgroup's; as process 1 of those it runs itself with `inner`, joins the cgroup `box` and makes that the root
# of its cgroup namespace; `inside`, it puts the host's root file system together and becomes systemd.
# Standard input of `outer` is the lab's lock. Environment: SUPER and BOX (directories to join), NETNS, PID_FILE,
# ROOT, UPPER, WORK, CONTAINERS, IMAGES, CGROUP_MOUNTS ("name=options" words; empty for cgroup version 2).
set -eu

outer() {
    for group in $SUPER; do echo 0 >"$group/cgroup.procs"; done
    echo $$ >"$PID_FILE"
    # From here on the cgroups lead to this process, so the lock may go.
    exec </dev/null
    # Not `ip netns exec`: that mounts another /sys, which hides the cgroup mounts.
    exec nsenter --net="$NETNS" \
        unshare --mount --uts --ipc --pid --fork --kill-child sh "$0" inner
}

inner() {
    for group in $BOX; do echo 0 >"$group/cgroup.procs"; done
    exec unshare --cgroup sh "$0" inside
}

inside() {
    mount -t overlay overlay -o "lowerdir=/,upperdir=$UPPER,workdir=$WORK" "$ROOT"
    mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
    # The kernel is the machine's own: of its knobs, a host may turn those of its network namespace alone.
    mount --bind "$ROOT/proc/sys" "$ROOT/proc/sys"
    mount -o remount,bind,ro "$ROOT/proc/sys"
    mount --bind "$ROOT/proc/sys/net" "$ROOT/proc/sys/net"
    mount -o remount,bind,rw "$ROOT/proc/sys/net"
    [ ! -e "$ROOT/proc/sysrq-trigger" ] || mount --bind /dev/null "$ROOT/proc/sysrq-trigger"
    mount -t sysfs -o nosuid,nodev,noexec,ro sysfs "$ROOT/sys"
    mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$ROOT/run"
    mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$ROOT/tmp"
    devices
    control_groups
    mount --bind "$CONTAINERS" "$ROOT/var/lib/containers"
    mount --bind "$IMAGES" "$ROOT/var/lib/orch-images"
    mount -o remount,bind,ro "$ROOT/var/lib/orch-images"
    cd "$ROOT"
    mkdir -p .old
    pivot_root . .old
    umount -l /.old
    rmdir /.old
    exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --unit=lab.target --show-status=false
}

devices() {
    mount -t tmpfs -o nosuid,mode=755 tmpfs "$ROOT/dev"
    mkdir "$ROOT/dev/pts" "$ROOT/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$ROOT/dev/pts"
    # podman keeps its lock file in /dev/shm: shared between hosts it would fail.
    mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$ROOT/dev/shm"
    for device in null zero full random urandom tty fuse net/tun; do
        if [ -e "/dev/$device" ]; then
            mkdir -p "$(dirname "$ROOT/dev/$device")"
            : >"$ROOT/dev/$device"
            mount --bind "/dev/$device" "$ROOT/dev/$device"
        fi
    done
    ln -s /proc/self/fd "$ROOT/dev/fd"
    ln -s /proc/self/fd/0 "$ROOT/dev/stdin"
    ln -s /proc/self/fd/1 "$ROOT/dev/stdout"
    ln -s /proc/self/fd/2 "$ROOT/dev/stderr"
    ln -s pts/ptmx "$ROOT/dev/ptmx"
}

control_groups() {
    if [ -z "$CGROUP_MOUNTS" ]; then
        mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup"
        return
    fi
    mount -t tmpfs -o nosuid,nodev,noexec,mode=755 cgroup "$ROOT/sys/fs/cgroup"
    for mounted in $CGROUP_MOUNTS; do
        name=${mounted%%=*}
        mkdir "$ROOT/sys/fs/cgroup/$name"
        mount -t cgroup -o "${mounted#*=}" cgroup "$ROOT/sys/fs/cgroup/$name"
        case $name in *,*)
            for one in $(echo "$name" | tr , ' '); do ln -s "$name" "$ROOT/sys/fs/cgroup/$one"; done ;;
        esac
    done
}

"$1"
