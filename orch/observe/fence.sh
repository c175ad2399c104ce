# Leaves a fence on the node, and tells the starts that are under way. Set before: folder (what the cluster keeps here)
# and fence ("OWNER TERM LOOK"; empty: none is left, and nothing is changed).
leave_fence() {
    [ -n "$fence" ] || return 0
    command -v flock >/dev/null || { say fence_error "flock is missing; install util-linux"; return; }
    { [ -d "$folder/starting" ] || (umask 077 && mkdir -p -- "$folder/starting"); } 2>/dev/null &&
        true 2>/dev/null >>"$folder/lock" && true 2>/dev/null >>"$folder/fence" ||
        { say fence_error "its folder $folder cannot be written: is the disk full, or read-only?"; return; }
    exec 9>>"$folder/lock"
    flock -n 9 || timeout 10 flock 9 || { say fence_error "$folder/lock is held by something that hangs"; return; }
    owner=''
    read -r owner term look 2>/dev/null <"$folder/fence"
    set -- $fence
    if [ "$owner" = "$1" ] && { [ "$term" -gt "$2" ] || { [ "$term" -eq "$2" ] && [ "$look" -gt "$3" ]; }; }; then
        say fence_error "a later command of orch has been here, so this one changes nothing; is the state in use elsewhere, or this machine's clock behind? If neither, remove $folder/fence there"
        return
    fi
    # In place and always as long: a full disk must not keep anyone from removing what fills it.
    if ! printf '%-60s\n' "$fence" 2>/dev/null 1<>"$folder/fence"; then
        say fence_error "its folder $folder cannot be written: is the disk full, or read-only?"
    elif [ "$owner $term" != "$1 $2" ]; then
        # A power cut may lose a look, for it ends what was under way. It may not lose who is the master.
        sync "$folder/fence" 2>/dev/null || sync
    fi
}
say_starts() {
    for ticket in "$folder/starting"/*; do
        [ -f "$ticket" ] || continue
        case $ticket in
            *.end)
                # The mark of one that was to be ended; it goes with its ticket.
                [ -z "$fence" ] || [ -e "${ticket%.end}" ] || rm -f -- "$ticket"
                continue
                ;;
        esac
        if (flock -sn 8) 8<"$ticket"; then
            # What held it has ended without a word, as in a power cut.
            [ -z "$fence" ] || rm -f -- "$ticket"
        elif read -r start <"$ticket"; then
            say starting "$start"
        elif [ -e "$ticket" ]; then
            say fence_error "a start is under way of which nothing can be read: $ticket"
        fi
    done 2>/dev/null
    exec 9>&-
}
