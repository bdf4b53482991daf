# shellcheck shell=bash
# Builds the module for the chosen httpd and Python.

# The needs of a build; nothing but certificates for crates' registry is about the network.
# shellcheck disable=SC2034 # for the commands
BUILD_NEEDS=(rust cc certs libclang python apxs)

# Fills MODULE with the module's path. MOD_PYTHON_SO names one that is built already.
build_module() {
    local output fault=''
    if [ -n "${MOD_PYTHON_SO:-}" ]; then
        MODULE=$(readlink -f "$MOD_PYTHON_SO")
        [ -f "$MODULE" ] || die "MOD_PYTHON_SO=$MOD_PYTHON_SO is not a file."
        return
    fi
    if find_built; then
        note "the module for $HTTPD and Python $PYTHON_VERSION was built before from these sources: $MODULE"
        return
    fi
    choose_target
    choose_certificates
    note "building for $HTTPD and $PYTHON ($PYTHON_VERSION); $(build_words)"
    BUILD_LOG=$(mktemp "${TMPDIR:-/tmp}/mod_python-build.XXXXXX")
    output=$(cargo_build) || fault=$(why_cargo_failed)
    rm -f "$BUILD_LOG"
    [ -z "${fault:-}" ] || die "the build failed${fault% }; what cargo said is above."
    # cargo names what it made wherever its target folder is.
    MODULE=$(grep -oE '"[^"]*/libmod_python\.so"' <<<"$output" | tail -n 1 | tr -d '"')
    [ -n "$MODULE" ] || die "cargo built no libmod_python.so."
    give_back_target
    keep_built
}

# Its errors and its progress are shown, and kept in BUILD_LOG for why_cargo_failed.
cargo_build() {
    if on_terminal; then export CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=80 CARGO_TERM_COLOR=always; fi
    cd "$REPO"
    { PYO3_PYTHON=$PYTHON cargo build --release --message-format=json-render-diagnostics 2>&1 >&3 | tee "$BUILD_LOG" >&2; } 3>&1
}

# What a build is, for somebody who decides whether to begin it.
build_words() {
    echo "the first time cargo fetches $(grep -cs '^name = ' "$REPO/Cargo.lock") packages (5 MB) and compiles for 1 to 3 minutes"
}

# A sentence about the network, if that is what failed.
why_cargo_failed() {
    if grep -qsiE 'certificate|SSL peer|unable to get local issuer' "$BUILD_LOG"; then
        printf ': a certificate on the way to crates.io is not known to %s. If this network inspects TLS, add its CA to the system, or name it: CARGO_HTTP_CAINFO=/path/of/ca.pem %s' \
            "${CARGO_HTTP_CAINFO:-cargo}" "$ME"
    elif grep -qsE 'Could not resolve host|Failed to connect|Could not connect|[Tt]imeout was reached' "$BUILD_LOG"; then
        printf ': there is no way to crates.io from here. The network, or its proxy (HTTPS_PROXY), has to be there the first time'
    else
        printf ' '
    fi
}

# cargo is told the certificates that the other programs of this machine use, among which is the CA of a network that inspects TLS.
choose_certificates() {
    local file
    [ -z "${CARGO_HTTP_CAINFO:-}" ] || return 0
    for file in "${SSL_CERT_FILE:-}" "${CURL_CA_BUNDLE:-}" "${REQUESTS_CA_BUNDLE:-}" "${CERTIFICATES[@]}"; do
        if [ -n "$file" ] && [ -f "$file" ]; then
            export CARGO_HTTP_CAINFO=$file
            return
        fi
    done
}

# Modules that were built before, by their sources, httpd and Python: any checkout of the same sources finds them.
built_folder() {
    local cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mod_python
    # What somebody else can write is not loaded into httpd.
    [ ! -e "$cache" ] || [ -O "$cache" ] || return 1
    printf '%s/built/%s\n' "$cache" "$(built_key)"
}

built_key() {
    {
        (cd "$REPO" && find Cargo.toml Cargo.lock build.rs wrapper.h src include python/mod_python -type f \
            ! -path '*/__pycache__/*' ! -name '*.so' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
        printf '%s\n' "$PYTHON" "$PYTHON_VERSION" "$HTTPD" "$(apxs_query HTTPD_MMN)" "$(apxs_query includedir)" "$(rustc --version)" "${RUSTFLAGS:-}"
    } | sha256sum | cut -c 1-32
}

find_built() {
    local folder
    folder=$(built_folder) && [ -O "$folder/mod_python.so" ] || return 1
    MODULE=$folder/mod_python.so
    touch "$folder"
}

# The five that were used last are kept.
keep_built() {
    local folder old
    folder=$(built_folder) && mkdir -p "$folder" && cp "$MODULE" "$folder/mod_python.so.new" || return 0
    mv "$folder/mod_python.so.new" "$folder/mod_python.so"
    while read -r old; do
        rm -rf -- "${folder%/*}/$old"
    done < <(cd "${folder%/*}" && ls -t | tail -n +6)
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
