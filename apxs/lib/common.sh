# shellcheck shell=bash
# For all commands, and what runs in the Docker image: how they speak and ask, and how they act as root or as httpd's user.
# The caller sets ME (the command as the user knows it) and REPO (the checkout, or the image's part of it).

# Debian keeps httpd's tools in folders that are not on an ordinary user's PATH.
export PATH="$PATH:/usr/sbin:/sbin"

say() { printf '%s\n' "$*" >&2; }
note() { say "$ME: $*"; }
die() { note "$*"; exit 1; }

# A command line that makes no sense: one sentence and where to read more.
usage_error() {
    note "$*"
    say "Try '$ME --help'."
    exit 2
}

is_root() { [ "$(id -u)" = 0 ]; }
on_terminal() { [ -t 0 ] && [ -t 2 ]; }

# Asks on a terminal; ASSUME_YES, or no terminal to ask on, is a yes.
confirm() {
    local reply
    if [ -n "${ASSUME_YES:-}" ] || ! on_terminal; then return 0; fi
    printf '%s: %s [Y/n] ' "$ME" "$1" >&2
    read -r reply || return 1
    case $reply in
        '' | [yY] | [yY][eE][sS]) return 0 ;;
        *) return 1 ;;
    esac
}

# Stops with a sentence unless root's part ($1 says which) can be done; as_root then does it.
need_root() {
    is_root && return
    command -v sudo >/dev/null || die "$1 needs root, and there is no sudo: run this as root."
    on_terminal || sudo -n true 2>/dev/null || die "$1 needs root, and sudo would ask for a password: run this on a terminal, or as root."
}

as_root() {
    if is_root; then "$@"; else sudo -- "$@"; fi
}

# The user that an httpd started by root gives its children.
server_user() {
    local user
    for user in www-data apache daemon nobody; do
        if id -u "$user" >/dev/null 2>&1; then
            printf '%s\n' "$user"
            return
        fi
    done
    die "httpd started by root needs a user for its children, and there is none of www-data, apache, daemon and nobody."
}

# Runs a command with the rights that the handlers will have.
as_server() {
    if is_root; then
        local user
        user=$(server_user) || exit 1
        # setpriv itself still has root's rights when it looks up its command, so that is env.
        (cd / && exec setpriv --reuid "$(id -u "$user")" --regid "$(id -g "$user")" --clear-groups -- env HOME=/ "$@")
    else
        "$@"
    fi
}
