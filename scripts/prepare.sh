# Sourced by the other scripts: installs what they need, and is quick when it is there already.
# Needs root or sudo for packages of the system; everything else stays in .venv.
# Sets: root_dir, python, as_root (a word to put before commands that need root; empty for root itself).
set -eu

root_dir=$(cd "$(dirname "$0")/.." && pwd)
cd "$root_dir"
python=$root_dir/.venv/bin/python
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo --preserve-env"

# Login shells that are not like sh, and a client with its tools.
for_tests="fish openssh-client tcsh"
# What lab hosts run: an init, a way in, containers and their network; then programs to put into test images.
# Not redis-server: that package starts one; its program is in redis-tools too.
system_packages="busybox-static dbus iproute2 iptables mount netavark aardvark-dns openssh-server podman procps
    redis-tools runc sudo systemd util-linux $for_tests"

say() { printf '\n== %s\n' "$*"; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

install_system_packages() {
    command -v apt-get >/dev/null 2>&1 || fail "knows Debian and Ubuntu only; install: $system_packages"
    missing=
    for package in $system_packages; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
        [ "$state" = installed ] || missing="$missing $package"
    done
    # Debian's python3 comes without the part that makes virtual environments.
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
    [ -n "$missing" ] || return 0
    say "installing$missing"
    $as_root env DEBIAN_FRONTEND=noninteractive sh -c "
        apt-get update -q && apt-get install -q -y --no-install-recommends $missing" >"$log" 2>&1 ||
        { cat "$log" >&2; fail "apt-get could not install$missing"; }
}

install_python_packages() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "needs Python 3.11 or newer"
    wanted=$(cat pyproject.toml constraints.txt | sha256sum)
    [ "$(cat .venv/installed 2>/dev/null)" != "$wanted" ] || return 0
    say "installing Python packages into .venv"
    # One that was moved here from elsewhere, or broken off, does not work.
    "$python" -c 'import pip' 2>/dev/null || python3 -m venv --clear .venv
    "$python" -m pip install -q -c constraints.txt -e '.[dev]' >"$log" 2>&1 ||
        { cat "$log" >&2; fail "pip could not install the Python packages"; }
    printf '%s\n' "$wanted" >.venv/installed
}

compile_python() {
    # As an installed package is, whatever PYTHONDONTWRITEBYTECODE says.
    "$python" -m compileall -q orch tui
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install_system_packages
install_python_packages
compile_python
