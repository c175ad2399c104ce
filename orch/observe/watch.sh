# Prints a frame of the node's figures every so often, a line each, and in between what podman tells of the cluster's
# containers, until nobody reads it any more. Set before: interval (seconds) and cluster_filter (empty: figures alone).
# Follows figures.sh. The only programs it starts are podman, once, and `sleep`, once a frame.
#
# It ends with its connection: sshd closes the pipe, and the next frame has nowhere to go. Usually that kills the
# shell; where its parent had SIGPIPE ignored, printf fails instead. `sleep` holds no end of the connection open.
if [ -n "$cluster_filter" ] && command -v podman >/dev/null; then
    # With the signal ignored, a frame that has nowhere to go is an error, and podman can be ended first.
    trap '' PIPE
    podman events --format json --filter type=container --filter "$cluster_filter" \
        --filter event=died --filter event=remove --filter event=start --filter event=health_status \
        </dev/null 2>/dev/null &
    trap "kill $! 2>/dev/null" EXIT
fi
while :; do
    read_uptime
    read_load
    read_cpu
    read_memory
    # One printf is one write, so that a frame is never mixed with what others print on the same channel.
    printf 'node\tuptime %s\tload %s\tcpu %s\tMemTotal %s\tMemAvailable %s\tmemory_max %s\tmemory_current %s\tmemory_cache %s\n' \
        "$uptime" "$load" "$cpu" "$memory_total" "$memory_available" "$memory_max" "$memory_current" "$memory_cache" \
        2>/dev/null || exit 0
    sleep "$interval" </dev/null >/dev/null 2>&1 || exit 1
done
