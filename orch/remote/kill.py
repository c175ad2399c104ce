"""Ending what a shell has started: by the process tree, from a second channel."""

from __future__ import annotations

GRACE = 0.3
"""Seconds between asking and ending."""

_SCRIPT = """
found=" {pid} "
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
{spare}
[ "${{found# }}" ] || exit 0
# Parents come first, so that none starts another child instead of the one that ended.
kill -TERM $found 2>/dev/null
sleep {grace}
kill -KILL $found 2>/dev/null
exit 0
"""


def end_tree(pid: int, *, spare_root: bool) -> str:
    """Shell text that ends every process below `pid`, but for those that have left it for another parent, and `pid`
    itself unless it is to be spared."""
    spare = f'found=${{found#" {int(pid)}"}}' if spare_root else ""
    return _SCRIPT.format(pid=int(pid), grace=GRACE, spare=spare)
