# shellcheck shell=bash
# Chooses the Python that the module is built for and that runs inside httpd.

PYTHON=/usr/bin/python3 PYTHON_VERSION='' PYTHON_FAULT=''

# Prints three lines on the Python $1: its executable (of a virtual environment, that which it was made with), its version, and what keeps it from being built for (or nothing).
python_facts() {
    "$1" -I - <<'PYTHON' 2>/dev/null
import os, sys, sysconfig

value = sysconfig.get_config_var
folders = [value("LIBDIR") or "", os.path.join(value("LIBDIR") or "", value("MULTIARCH") or ""), value("LIBPL") or ""]
library = value("LDLIBRARY") or ""
if sys.version_info < (3, 11):
    fault = "is older than 3.11"
elif not value("Py_ENABLE_SHARED"):
    fault = "was built without a shared libpython"
elif not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    fault = "has no headers"
elif not any(os.path.exists(os.path.join(folder, library)) for folder in folders):
    fault = "has no shared libpython"
else:
    fault = ""
print(sys._base_executable)
print("%d.%d.%d" % sys.version_info[:3])
print(fault)
PYTHON
}

# shellcheck disable=SC2034 # the version is read by the commands
# Looks at the Python $1 and fills PYTHON, PYTHON_VERSION and PYTHON_FAULT.
look_at_python() {
    local facts
    PYTHON=$1 PYTHON_VERSION='' PYTHON_FAULT='does not run'
    facts=$(python_facts "$1") || return 0
    { read -r PYTHON; read -r PYTHON_VERSION; read -r PYTHON_FAULT; } <<<"$facts"$'\n'
    if is_root && ! as_server "$PYTHON" -I -c 'import encodings, json' >/dev/null 2>&1; then
        PYTHON_FAULT="cannot be run by httpd's user $(server_user)"
    fi
}

# Chooses: PYO3_PYTHON, else that of the virtual environment VENV, else the python3 on PATH, else the distribution's. Fails if none is fit, with PYTHON at the one
# that packages could make fit.
choose_python() {
    local found first=''
    if [ -n "${PYO3_PYTHON:-}" ]; then
        if ! found=$(command -v "$PYO3_PYTHON"); then
            PYTHON=$PYO3_PYTHON PYTHON_FAULT='is not there'
            return 1
        fi
        look_at_python "$found"
        [ -z "$PYTHON_FAULT" ]
        return
    fi
    for found in ${VENV:+"$VENV/bin/python"} "$(command -v python3 || true)" /usr/bin/python3; do
        if [ ! -x "$found" ]; then continue; fi
        look_at_python "$found"
        # Root's home is not where httpd's user should have to read.
        if is_root && [[ -z $PYTHON_FAULT && $(readlink -f "$PYTHON") == "$(getent passwd 0 | cut -d: -f6)"/* ]]; then
            PYTHON_FAULT="is in root's home"
        fi
        if [ -z "$PYTHON_FAULT" ]; then
            [ -z "$first" ] || note "$first; taking $PYTHON (PYO3_PYTHON chooses another)."
            export PYO3_PYTHON=$PYTHON
            return
        fi
        [ -n "$first" ] || first="$PYTHON $PYTHON_FAULT"
    done
    PYTHON=/usr/bin/python3
    return 1
}

# A Python that can run the command, whatever the module is built for.
any_python() {
    local candidate
    for candidate in "${PYO3_PYTHON:-}" "$(command -v python3 || true)" /usr/bin/python3; do
        if [ -n "$candidate" ] && "$candidate" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# The distribution's packages with headers and shared library belong to its own Pythons only.
python_from_distribution() {
    case $PYTHON in /usr/bin/python3 | /usr/bin/python3.*) return 0 ;; *) return 1 ;; esac
}

# python3 and python3-dev, or python3.X and python3.X-dev for one that was named so.
python_packages() {
    printf '%s %s-%s\n' "${PYTHON##*/}" "${PYTHON##*/}" "$1"
}
