"""Commands that a node refuses when they come too late, and starts that can be seen and ended while they are under way.

A command may outlive the connection that brought it, or even begin after it. So every look that is to be acted upon
leaves its fence on the node, and whatever changes something there names the look that it follows from (the check and
the fence are under one lock). A start may take minutes, for it pulls its image: as long as it lasts it holds a ticket,
a locked file, so that the next look finds either the container, or the ticket, or knows that neither will come.
"""

from __future__ import annotations

from orch.model.command import Argv, Command
from orch.model.fence import Fence
from orch.model.replica import Replica
from orch.podman.files import cluster_folder, folder_of
from orch.podman.labels import REPLICA
from orch.podman.within import within

GUARD_SECONDS = 10
"""How long a command waits for the lock, which others hold for moments."""

END_SECONDS = 40
"""podman stops a pull at once; a container that is just being made needs a moment more."""

REFUSED = 90
"""Exit status of a command that the node refused; its standard error says why."""

# Not flock's own -w: busybox has none.
_CHECK = f"""
[ -d "$1/starting" ] || (umask 077 && mkdir -p -- "$1/starting") || exit 1
exec 9>>"$1/lock"
flock -n 9 || timeout {GUARD_SECONDS} flock 9 || {{
    echo "orch: $1/lock is held by something that hangs" >&2
    exit {REFUSED}
}}
read -r held 2>/dev/null <"$1/fence" || held=none
[ "$held" = "$2" ] || {{
    case $held in
        "${{2%% *}} "*) echo "orch: a later command has been here meanwhile, and this one came to nothing" >&2 ;;
        *) echo "orch: another state of this cluster has taken the node over" >&2 ;;
    esac
    exit {REFUSED}
}}
"""

_GUARDED = (
    _CHECK
    + """
exec 9>&-
shift 2
exec "$@"
"""
)

# Begun before the last look and ended after it, it has made what nobody knows of.
_MAKING = (
    _CHECK
    + f"""
exec 9>&-
lock=$1/lock held_fence=$1/fence fence=$2 made=$3
shift 3
"$@"
status=$?
exec 9>>"$lock"
flock 9
read -r held <"$held_fence"
if [ "$held" = "$fence" ] && [ $status -eq 0 ]; then
    rm -rf -- "$made"
    mv -- "$made.new" "$made" || status=$?
else
    rm -rf -- "$made.new"
    [ "$held" = "$fence" ] || {{
        echo "orch: a later command has been here meanwhile, and this one came to nothing" >&2
        status={REFUSED}
    }}
fi
exit $status
"""
)

# podman must not inherit the ticket's lock: what watches the container would keep it.
_START = (
    _CHECK
    + """
lock=$1/lock ticket=$1/starting/$3 label=$5
exec 8>"$ticket" || exit 1
flock 8
# What cannot be told, on a full disk, must not be begun.
printf '%s\\n%s\\n' "$4" "$$" >&8 || { rm -f -- "$ticket"; exit 1; }
exec 9>&-
shift 5
"$@" 8>&-
status=$?
if [ -e "$ticket.end" ]; then
    ids=$(timeout -k 5 20 podman ps --all --quiet --filter "label=$label" 8>&-) && [ -n "$ids" ] &&
        timeout -k 5 20 podman rm --force --ignore --volumes --time 0 -- $ids >/dev/null 8>&-
fi
exec 9>>"$lock"
flock 9
rm -f -- "$ticket" "$ticket.end"
exit $status
"""
)

# As long as the ticket is held, its second line is the number of the process that holds it; what that runs is ended. It
# stays until the start is over, so that one who is broken off in waiting leaves nothing unseen.
_END = """
[ -e "$1/starting" ] || exit 0
end_children() {
    # While it runs something, dash keeps descriptor 8 elsewhere.
    ls -l "/proc/$1/fd" 2>/dev/null | grep -qF -- "-> $(readlink -f -- "$ticket")" || return
    for process in /proc/[0-9]*; do
        read -r stat 2>/dev/null <"$process/stat" || continue
        stat=${stat##*) ? }
        [ "${stat%% *}" != "$1" ] || kill "${process##*/}"
    done
}
for ticket in "$1/starting/$2".*; do
    exec 9>>"$1/lock"
    flock 9
    [ -e "$ticket" ] && [ "$ticket" = "${ticket%.end}" ] || continue
    exec 8<"$ticket" || exit 1
    : >"$ticket.end" || exit 1
    flock -n 8 || { read -r _ && read -r pid && end_children "$pid"; } <"$ticket"
    exec 9>&-
    flock 8
    rm -f -- "$ticket" "$ticket.end"
done
exec 8>&- 9>&-
ids=$(podman ps --all --quiet --filter "label=$3") || exit 1
[ -z "$ids" ] || podman rm --force --ignore --volumes --time "$4" -- $ids
"""


def guarded(cluster: str, fence: Fence, command: Command) -> Command:
    """The command, refused with REFUSED unless `fence` is the last that the node was shown."""
    return _with(command, ("sh", "-c", _GUARDED.strip(), "sh", cluster_folder(cluster), str(fence), *command.argv))


def making(cluster: str, fence: Fence, folder: str, command: Command) -> Command:
    """The command, which makes `FOLDER.new`, guarded. That becomes `folder` only when no later look has been there by
    then; otherwise it is removed, for the later one knows nothing of it."""
    words = (cluster_folder(cluster), str(fence), folder)
    return _with(command, ("sh", "-c", _MAKING.strip(), "sh", *words, *command.argv))


def start(cluster: str, fence: Fence, replica: Replica, image: str, command: Command) -> Command:
    """The command that starts the replica's container, guarded, and with a ticket while it is under way.

    Raises ValueError for an id that is none of orch's.
    """
    folder_of(cluster, replica)
    slot = replica.slot
    told = f"{replica.id} {slot.stack} {slot.service} {slot.number} {replica.attempt} {replica.spec_hash} {image}"
    # Another start of the same replica, after a record was lost, has another name.
    ticket = f"{replica.id}.{fence.term}.{fence.look}"
    words: Argv = (cluster_folder(cluster), str(fence), ticket, told, f"{REPLICA}={replica.id}")
    return _with(command, ("sh", "-c", _START.strip(), "sh", *words, *command.argv))


def end_start(cluster: str, replica: Replica) -> Command:
    """End a start that is under way, wait for that, and remove what it has made. Raises ValueError as `start` does."""
    folder_of(cluster, replica)
    words = (cluster_folder(cluster), replica.id, f"{REPLICA}={replica.id}", str(replica.stop_grace))
    return Command(within(replica.stop_grace + END_SECONDS, ("sh", "-c", _END.strip(), "sh", *words)))


def _with(command: Command, argv: Argv) -> Command:
    return Command(argv, command.stdin, command.environment)
