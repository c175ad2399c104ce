"""Ending what a shell has started: by the process tree, from a second channel."""

from __future__ import annotations

_LOOKS = 6
"""How often to look, each twentieth of a second, whether those that were asked have ended."""

_SCRIPT = """
alive() {{
    for pid in $1; do
        IFS= read -r line 2>/dev/null </proc/$pid/stat || continue
        set -- ${{line##*) }}
        [ "$1" = Z ] || return 0
    done
    return 1
}}
gone_after() {{
    looks=$1
    while alive "$2"; do
        [ "$looks" -gt 0 ] || return 1
        looks=$((looks - 1))
        sleep 0.05
    done
}}
# Parents come before their children: when all are signalled, none starts another child instead of one that ended.
find_children() {{
    more=1
    while [ "$more" ]; do
        more=
        for stat in /proc/[0-9]*/stat; do
            IFS= read -r line 2>/dev/null <"$stat" || continue
            pid=${{line%% *}}
            # A program's name stands in brackets and may contain anything; after it come its state and its parent.
            set -- ${{line##*) }}
            case $found in *" $pid "*) continue ;; esac
            case $found in *" $2 "*) found="$found$pid " more=1 ;; esac
        done
    done
}}
found=" {pid} "
find_children
root={root}
children=${{found#" {pid}"}}
[ "$root${{children# }}" ] || exit 0
kill -TERM $root $children 2>/dev/null
gone_after {looks} "$root $children" && exit 0
# A shell at the root waits for its child before it heeds the signal: now it can, and its trap may clean up.
kill -KILL $children 2>/dev/null
gone_after {looks} "$root" && gone_after 100 "$children" && exit 0
find_children
children=${{found#" {pid}"}}
kill -KILL $root $children 2>/dev/null
gone_after 100 "$root $children"
exit 0
"""


def end_tree(pid: int, *, spare_root: bool) -> str:
    """Shell text that ends every process below `pid`, but for those that have left it for another parent, and then
    `pid` itself unless it is to be spared."""
    return _SCRIPT.format(pid=int(pid), looks=_LOOKS, root='""' if spare_root else int(pid))
