# Leaves a fence on the node, and tells the starts that are under way. Set before: folder (what the cluster keeps here)
# and fence ("OWNER TERM LOOK"; empty: none is left, and nothing is changed).
leave_fence() {
    [ -n "$fence" ] || return 0
    umask 077
    mkdir -p -- "$folder/starting" 2>/dev/null && true 2>/dev/null >>"$folder/lock" ||
        { say fence_error "its folder $folder cannot be written: is the disk full, or read-only?"; return; }
    exec 9>>"$folder/lock"
    timeout 10 flock 9 || { say fence_error "$folder/lock is held by something that hangs"; return; }
    owner=''
    read -r owner term look 2>/dev/null <"$folder/fence"
    set -- $fence
    if [ "$owner" = "$1" ] && { [ "$term" -gt "$2" ] || { [ "$term" -eq "$2" ] && [ "$look" -gt "$3" ]; }; }; then
        say fence_error "a later command of orch has been here, so this one changes nothing; is the state in use elsewhere, or this machine's clock behind?"
        return
    fi
    if printf '%s\n' "$fence" 2>/dev/null >"$folder/fence.new"; then
        # A power cut may lose a look, for it ends what was under way. It may not lose who is the master.
        [ "$owner $term" = "$1 $2" ] || sync "$folder/fence.new" 2>/dev/null || sync
        mv -- "$folder/fence.new" "$folder/fence"
    else
        say fence_error "its folder $folder cannot be written: is the disk full, or read-only?"
    fi
}
say_starts() {
    for ticket in "$folder/starting"/*; do
        [ -f "$ticket" ] || continue
        if (flock -n 8) 8<"$ticket"; then
            # What held it has ended without a word, as in a power cut.
            [ -z "$fence" ] || rm -f -- "$ticket"
        else
            read -r start <"$ticket" && say starting "$start"
        fi
    done 2>/dev/null
    exec 9>&-
}
