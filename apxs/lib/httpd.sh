# shellcheck shell=bash
# The httpd that apxs names, or the distribution's: its programs, folders and modules.

# Fills APXS_PATH from APXS, else from PATH.
find_apxs() {
    local candidate
    for candidate in ${APXS:+"$APXS"} ${APXS:-apxs apxs2}; do
        APXS_PATH=$(command -v "$candidate") && "$APXS_PATH" -q HTTPD_MMN >/dev/null 2>&1 && return
    done
    APXS_PATH=''
    return 1
}

apxs_query() {
    local value
    value=$("$APXS_PATH" -q "exp_$1" 2>/dev/null) && [ -n "$value" ] || value=$("$APXS_PATH" -q "$1" 2>/dev/null)
    printf '%s\n' "$value"
}

# Fills HTTPD and MODULES (the folder).
find_httpd() {
    if [ -n "${APXS_PATH:-}" ] || find_apxs; then
        HTTPD=$(apxs_query sbindir)/$(apxs_query progname)
        MODULES=$(apxs_query libexecdir)
    else
        HTTPD=$(command -v apache2 || command -v httpd) || return 1
        # Where Debian and Fedora keep them: without its headers, httpd does not tell.
        for MODULES in /usr/lib/apache2/modules /usr/lib64/httpd/modules /usr/lib/httpd/modules; do
            [ ! -d "$MODULES" ] || break
        done
    fi
    [ -x "$HTTPD" ]
}

httpd_config() {
    printf '%s/%s.conf\n' "$(apxs_query sysconfdir)" "$(apxs_query progname)"
}
