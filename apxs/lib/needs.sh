# shellcheck shell=bash
# Finds out what a machine lacks, says it, and installs it from the distribution.
# A need is one word: rust cc certs libclang python apxs httpd config curl openssl rustfmt clippy mypy lxml peer venv redis.

RUST_MINIMUM=1.85

# What the needs are called in a sentence.
need_name() {
    case $1 in
        rust) echo "Rust $RUST_MINIMUM or newer (cargo)" ;;
        cc) echo "a C compiler" ;;
        certs) echo "certificates for https" ;;
        libclang) echo "libclang" ;;
        python) echo "Python's headers and shared library" ;;
        apxs) echo "httpd's headers (apxs)" ;;
        httpd) echo "httpd" ;;
        config) echo "httpd's configuration" ;;
        peer) echo "mod_python 3.5, to compare with" ;;
        venv) echo "what makes virtual environments" ;;
        redis) echo "a Redis or Valkey server" ;;
        *) echo "$1" ;;
    esac
}

have() {
    case $1 in
        rust) find_rust ;;
        cc) command -v cc >/dev/null && printf '#include <stdlib.h>\n' | cc -E - >/dev/null 2>&1 ;;
        certs) have_certificates ;;
        libclang) have_libclang ;;
        python) choose_python ;;
        apxs) find_apxs && [ -f "$(apxs_query includedir)/httpd.h" ] ;;
        httpd) find_httpd ;;
        config) have_config ;;
        peer) have_peer ;;
        lxml) "$PYTHON" -c 'import lxml.etree' 2>/dev/null ;;
        venv) "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ;;
        redis) command -v valkey-server redis-server redis-check-rdb >/dev/null ;;
        rustfmt) cargo fmt --version >/dev/null 2>&1 ;;
        clippy) cargo clippy --version >/dev/null 2>&1 ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

# Puts the first cargo and rustc that are new enough in front of PATH; others may come before them on PATH.
find_rust() {
    local folder folders
    IFS=: read -r -a folders <<<"$PATH"
    for folder in "${folders[@]}" "${CARGO_HOME:-${HOME:-}/.cargo}/bin" /usr/lib/rust-1.*/bin; do
        if [ -x "$folder/cargo" ] && [ -x "$folder/rustc" ] && rust_new_enough "$folder"; then
            if [ "$(command -v cargo)" != "$folder/cargo" ] || [ "$(command -v rustc)" != "$folder/rustc" ]; then
                PATH=$folder:$PATH
            fi
            return
        fi
    done
    return 1
}

rust_new_enough() {
    local version
    (cd "$REPO" && "$1/cargo" --version) >/dev/null 2>&1 || return 1
    version=$(cd "$REPO" && "$1/rustc" --version 2>/dev/null) || return 1
    version=${version#rustc }
    [ "$(printf '%s\n' "$RUST_MINIMUM" "${version%% *}" | sort -V | head -n 1)" = "$RUST_MINIMUM" ]
}

# Where distributions keep the certificates that they trust.
CERTIFICATES=(/etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/cert.pem)

have_certificates() {
    local file
    for file in "${SSL_CERT_FILE:-}" "${CARGO_HTTP_CAINFO:-}" "${CERTIFICATES[@]}"; do
        [ -z "$file" ] || [ ! -e "$file" ] || return 0
    done
    return 1
}

# libclang, and the headers of the compiler that it reads beside httpd's.
have_libclang() {
    [ -z "${LIBCLANG_PATH:-}" ] || return 0
    compgen -G '/usr/lib*/llvm*/lib*/libclang*.so*' >/dev/null || compgen -G '/usr/lib*/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib/*/libclang*.so*' >/dev/null || return 1
    compgen -G '/usr/lib*/clang/*/include/stddef.h' >/dev/null ||
        compgen -G '/usr/lib*/llvm*/lib*/clang/*/include/stddef.h' >/dev/null
}

have_config() {
    if find_apxs; then
        [ -f "$(httpd_config)" ]
    else
        [ -f /etc/apache2/apache2.conf ] || [ -f /etc/httpd/conf/httpd.conf ]
    fi
}

# Our module can lie under the same name.
have_peer() {
    find_httpd && grep -qs 'mod_python/3\.5' "$MODULES/mod_python.so"
}

# provide NEED...: returns when everything is there, installing what is not.
provide() {
    local need words missing=()
    for need in "$@"; do
        have "$need" || missing+=("$need")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    refuse_the_impossible "${missing[@]}"
    note "this machine lacks $(need_names "${missing[@]}")."
    [[ " $* " != *' rust '* ]] || note "after that the module is built: $(build_words)."
    if command -v apt-get >/dev/null; then
        words="apt-get install $(apt_packages "${missing[@]}")"
        note "to install: $(apt_packages "${missing[@]}")$(apt_size "${missing[@]}")"
        confirm "Install from the distribution with apt-get?" || die "nothing was installed; it takes: $words"
        need_root "Installing packages ($words)"
        apt_install "${missing[@]}"
    elif command -v dnf >/dev/null; then
        words="dnf install $(dnf_packages "${missing[@]}")"
        note "to install: $(dnf_packages "${missing[@]}")"
        confirm "Install from the distribution with dnf?" || die "nothing was installed; it takes: $words"
        need_root "Installing packages ($words)"
        dnf_install "${missing[@]}"
    else
        die "there is neither apt-get nor dnf here: install it by hand, then run this again."
    fi
    hash -r
    for need in "${missing[@]}"; do
        have "$need" || die "the packages are installed, and still there is no $(need_name "$need")$(why_not "$need")."
    done
}

need_names() {
    local need names=''
    for need in "$@"; do
        names+="${names:+, }$(need_name "$need")"
    done
    echo "$names"
}

why_not() {
    [ "$1" != python ] || printf ' to build with: %s %s' "$PYTHON" "${PYTHON_FAULT:-is not there}"
}

# What was chosen by hand is not replaced by a package.
refuse_the_impossible() {
    local need
    for need in "$@"; do
        case $need in
            apxs) [ -z "${APXS:-}" ] || die "APXS=$APXS is not an apxs that runs, or its httpd has no headers." ;;
            httpd) [ -z "${APXS:-}" ] || die "the httpd of APXS=$APXS is not there." ;;
            python)
                [ -z "${PYO3_PYTHON:-}" ] || python_from_distribution ||
                    die "PYO3_PYTHON=$PYO3_PYTHON will not do: $PYTHON $PYTHON_FAULT."
                ;;
            rust)
                if is_root && [ -n "${SUDO_USER:-}" ] && [ -x "$(getent passwd "$SUDO_USER" | cut -d: -f6)/.cargo/bin/cargo" ]; then
                    die "cargo belongs to $SUDO_USER: run this without sudo, it asks for root where it needs it."
                fi
                ;;
        esac
    done
}

apt_packages() {
    local need rust
    rust=$(apt_rust)
    for need in "$@"; do
        case $need in
            rust) echo "${rust:-cargo}" ;;
            cc) echo "gcc libc6-dev" ;;
            certs) echo ca-certificates ;;
            libclang) echo libclang-dev ;;
            python) python_packages dev ;;
            apxs) echo apache2-dev ;;
            httpd) echo apache2-bin ;;
            config) echo apache2 ;;
            peer) echo libapache2-mod-python ;;
            lxml) echo python3-lxml ;;
            venv) python_packages venv ;;
            # The server is in it, under another name, and no service is started
            redis) echo redis-tools ;;
            rustfmt) case $rust in cargo-web) echo rustfmt-web ;; cargo-1.*) echo "rustfmt-${rust#cargo-}" ;; *) echo rustfmt ;; esac ;;
            clippy)
                case $rust in
                    cargo-web) echo rust-web-clippy ;;
                    cargo-1.*) echo "rust-${rust#cargo-}-clippy" ;;
                    *) echo rust-clippy ;;
                esac
                ;;
            *) echo "$need" ;;
        esac
    done | paste -sd ' '
}

# Whether packages can add to the Rust that is here: rustup has components of its own.
rust_from_distribution() {
    ! find_rust || dpkg-query -S "$(readlink -f "$(command -v cargo)")" >/dev/null 2>&1 ||
        rpm -qf "$(readlink -f "$(command -v cargo)")" >/dev/null 2>&1
}

# The package with a cargo that is new enough: the one in use, else cargo itself, Debian 12's cargo-web, Ubuntu's cargo-1.N.
apt_rust() {
    local package version
    if find_rust && package=$(dpkg-query -S "$(readlink -f "$(command -v cargo)")" 2>/dev/null); then
        echo "${package%%:*}"
        return
    fi
    for package in cargo cargo-web $(apt-cache pkgnames cargo-1. 2>/dev/null | grep -E '^cargo-1\.[0-9]+$' | sort -rV); do
        version=$(LC_ALL=C apt-cache policy "$package" 2>/dev/null | sed -n 's/^  Candidate: //p')
        if [ -n "$version" ] && [ "$version" != '(none)' ] && dpkg --compare-versions "$version" ge "$RUST_MINIMUM"; then
            echo "$package"
            return
        fi
    done
}

# With what they need in turn, as far as apt knows without asking the network.
apt_size() {
    local packages
    packages=$(apt_packages "$@")
    # shellcheck disable=SC2086 # a list of names
    apt-get install --print-uris -qq --no-install-recommends $packages 2>/dev/null |
        awk '{ bytes += $3; count++ } END { if (count) printf " (%d packages, %.0f MB to fetch)", count, bytes / 1e6 }'
}

apt_install() {
    local packages
    quietly as_root apt-get update || note "apt-get update had errors; going on with what it knows."
    if [[ " $* " == *' rust '* && -z $(apt_rust) ]]; then
        die "this release has no Rust $RUST_MINIMUM: install it from https://rustup.rs, then run this again."
    fi
    packages=$(apt_packages "$@")
    note "installing $packages"
    # shellcheck disable=SC2086 # a list of names
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        install -y --no-install-recommends $packages || die "apt-get could not install them; its words are above."
}

# Progress is for somebody who watches; errors are for everybody.
quietly() {
    if on_terminal; then "$@"; else "$@" >/dev/null; fi
}

dnf_packages() {
    local need
    for need in "$@"; do
        case $need in
            rust) echo "cargo rust" ;;
            cc) echo "gcc glibc-devel redhat-rpm-config" ;;
            certs) echo ca-certificates ;;
            libclang) echo clang-devel ;;
            python) python_packages devel ;;
            apxs) echo "httpd-devel redhat-rpm-config" ;;
            httpd | config) echo httpd ;;
            mypy | lxml) echo "python3-$need" ;;
            venv) echo python3-pip ;;
            redis) echo valkey ;;
            *) echo "$need" ;;
        esac
    done | paste -sd ' '
}

dnf_install() {
    local packages
    packages=$(dnf_packages "$@")
    note "installing $packages"
    # shellcheck disable=SC2086 # a list of names
    quietly as_root dnf install -y $packages || die "dnf could not install them; its words are above."
}
