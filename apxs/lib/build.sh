# shellcheck shell=bash
# Builds the module for the chosen httpd and Python.

# The needs of a build; nothing but certificates for crates' registry is about the network.
# shellcheck disable=SC2034 # for the commands
BUILD_NEEDS=(rust cc certs libclang python apxs)

# Fills MODULE with the module's path. MOD_PYTHON_SO names one that is built already.
build_module() {
    local output
    if [ -n "${MOD_PYTHON_SO:-}" ]; then
        MODULE=$(readlink -f "$MOD_PYTHON_SO")
        [ -f "$MODULE" ] || die "MOD_PYTHON_SO=$MOD_PYTHON_SO is not a file."
        return
    fi
    choose_target
    note "building for $HTTPD and $PYTHON ($PYTHON_VERSION)"
    output=$(cd "$REPO" && PYO3_PYTHON=$PYTHON cargo build --release --message-format=json-render-diagnostics) ||
        die "the build failed; what cargo said is above."
    # cargo names what it made wherever its target folder is.
    MODULE=$(grep -oE '"[^"]*/libmod_python\.so"' <<<"$output" | tail -n 1 | tr -d '"')
    [ -n "$MODULE" ] || die "cargo built no libmod_python.so."
    give_back_target
}

# A checkout of somebody else's is built in the user's cache.
choose_target() {
    local place=$REPO/target
    [ -e "$place" ] || place=$REPO
    if [ -z "${CARGO_TARGET_DIR:-}" ] && [ ! -w "$place" ]; then
        export CARGO_TARGET_DIR=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mod_python/target
        note "$place is not writable; building in $CARGO_TARGET_DIR"
    fi
}

# What root built in somebody's checkout stays that person's.
give_back_target() {
    if is_root && [ -z "${CARGO_TARGET_DIR:-}" ] && [ -d "$REPO/target" ] && [ "$(stat -c %u "$REPO")" != 0 ]; then
        chown -R --reference="$REPO" "$REPO/target"
    fi
}

# The Python that MODULE runs, as X.Y.
module_python() {
    ldd "$1" 2>/dev/null | sed -nE 's/.*libpython([0-9]+\.[0-9]+).*/\1/p' | head -n 1
}
