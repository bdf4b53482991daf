# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # set and read across these files
# What is served and how: the application (APP), the process model (SHAPE), the GIL, the address. For apxs/serve and the
# entrypoint of the Docker image, which set these from options or from the environment.

# Stops for a setting that makes no sense, before anything is looked for.
check_settings() {
    case $SHAPE in '' | prefork | worker | event | winnt | itk) ;; *) usage_error "the MPM is prefork, worker, event, winnt or itk, not '$SHAPE'." ;; esac
    case $GIL in shared | own) ;; *) usage_error "the GIL is shared or own, not '$GIL'." ;; esac
    if ! [[ $PORT =~ ^[1-9][0-9]{0,4}$ ]] || [ "$PORT" -gt 65535 ]; then
        usage_error "the port is a number from 1 to 65535, not '$PORT'."
    fi
    [[ $HOST =~ ^[A-Za-z0-9.:_-]+$ ]] || usage_error "the host is an address of this machine, not '$HOST'."
    [ -z "$VHOST" ] || [[ $VHOST =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]] || usage_error "the virtual host is a host name, not '$VHOST'."
}

# Tells what APP is (APP_KIND, APP_NAME), and where its code lies (PLACE).
read_app() {
    local module
    if [ -z "$APP" ]; then
        APP_KIND=demo PLACE=$REPO/apxs/demo APP_NAME="the demo"
    elif [ -d "$APP" ]; then
        PLACE=$(cd "$APP" && pwd -P) APP_NAME=$APP
        if [ -f "$PLACE/httpd.conf" ]; then
            APP_KIND=site
            return
        fi
        APP_KIND=folder
        [ -n "$(handlers_in "$PLACE")" ] || usage_error "no .py file in $APP defines handler(req), and it has no httpd.conf."
    elif [[ $APP =~ ^[A-Za-z_][A-Za-z0-9_.]*::[A-Za-z_][A-Za-z0-9_.]*$ ]]; then
        APP_KIND=module PLACE=$(pwd -P) APP_NAME=$APP
        module=${APP%%::*}
        module=${module//./\/}
        [ -f "$module.py" ] || [ -d "$module" ] || usage_error "the current directory has no module ${APP%%::*}."
    elif [[ $APP == *.py && -f $APP ]]; then
        usage_error "$APP is a file: serve its folder, or go there and serve $(basename "$APP" .py)::handler."
    else
        usage_error "there is no folder $APP, and it is no module::handler either."
    fi
}

# The file name that a module of the folder $1 would be served under, for each that defines handler at its top level.
handlers_in() {
    local file name
    for file in "$1"/*.py; do
        name=${file##*/}
        name=${name%.py}
        [[ $name =~ ^[A-Za-z][A-Za-z0-9_]*$ ]] || continue
        ! grep -qE '^((async[[:space:]]+)?def|class)[[:space:]]+handler\b|^handler[[:space:]]*[:=]|^from[[:space:]].*[[:space:]]import[[:space:]].*\bhandler\b' "$file" ||
            echo "$name"
    done
}

# Fills MPM, the one that httpd loads for SHAPE.
choose_mpm() {
    local available wanted=$SHAPE
    available=$(httpd_mpms)
    case $SHAPE in winnt) wanted='event worker' ;; itk) wanted=prefork ;; '') wanted='event worker prefork' ;; esac
    for MPM in $wanted; do
        ! grep -qx "$MPM" <<<"$available" || break
        MPM=''
    done
    [ -n "$MPM" ] || die "$HTTPD has no MPM for '${SHAPE:-event}'; it has: ${available//$'\n'/, }."
    case $SHAPE in
        winnt) ;;
        itk)
            [ -f "$MODULES/mpm_itk.so" ] || die "$HTTPD has no mpm_itk: install libapache2-mpm-itk (Debian, Ubuntu)."
            is_root || die "mpm_itk gives each connection to another user, which only root can: run this as root."
            ;;
        *) SHAPE=$MPM ;;
    esac
}

check_gil() {
    [ "$GIL" = own ] || return 0
    local version=${PYTHON_VERSION:-}
    [ -z "${MOD_PYTHON_SO:-}" ] || version=$(module_python "$MOD_PYTHON_SO")
    [ "$(printf '%s\n' 3.12 "$version" | sort -V | head -n 1)" = 3.12 ] ||
        die "an own GIL needs Python 3.12 or later, and this is ${version:-unknown}."
}

# The status with which GET $2 is answered under the name $1; fails where there is none within 10 seconds.
status_now() {
    local address=$HOST status
    # A container may have no IPv6 but for the socket: each address of the name is tried.
    case $HOST in 0.0.0.0) address=127.0.0.1 ;; ::) address=localhost ;; esac
    (
        exec 4<>"/dev/tcp/$address/$PORT"
        printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$1" >&4
        read -r -t 10 _ status _ <&4
        [[ $status =~ ^[1-5][0-9][0-9]$ ]] && printf '%s' "$status"
    ) 2>/dev/null
}
