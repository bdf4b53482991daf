# shellcheck shell=bash disable=SC2153 # MODULE is build.sh's
# Writes a server for one application into ROOT: its httpd.conf, and app.conf for an application. For apxs/serve and the
# entrypoint of the Docker image.
# Reads ROOT, MODULE, HOST, PORT, MPM, SHAPE, GIL, VHOST, APP, APP_KIND and PLACE (the folder with the application's code);
# if set, ERROR_LOG, ACCESS_LOG, MORE_CONFIG (a folder with files that come last, at server level) and MPM_NUMBERS (deployed).

# Stops for a path that httpd's configuration or its wildcards would take for something else.
check_path() {
    case $1 in
        *[\"\\\$\*\?\[]* | *$'\n'*) die "$1 has a character in its name that means something in httpd's configuration: rename it or move it." ;;
    esac
}

is_loopback() {
    case $HOST in 127.* | ::1 | localhost) return 0 ;; *) return 1 ;; esac
}

# An IPv6 address in the form of URLs and of Listen.
bracketed() {
    case $1 in *:*) printf '[%s]' "$1" ;; *) printf '%s' "$1" ;; esac
}

write_site() {
    umask 022
    mkdir "$ROOT/run" "$ROOT/htdocs" "$ROOT/state"
    if [ "$APP_KIND" = demo ]; then
        cp -R "$PLACE" "$ROOT/demo"
        give_to_server "$ROOT/demo"
    else
        write_app >"$ROOT/app.conf"
    fi
    write_server >"$ROOT/httpd.conf"
    if is_root; then
        # The folder is passed through by httpd's user; what lies in it is not for everybody.
        chmod 711 "$ROOT"
        chown "$(server_user)" "$ROOT/state"
    fi
    chmod 700 "$ROOT/state"
}

# Makes a copy readable for httpd's user, and for nobody else.
give_to_server() {
    if is_root; then
        chown -R "root:$(id -g "$(server_user)")" "$1"
        chmod -R u=rwX,g=rX,o= "$1"
    fi
}

write_server() {
    local module
    echo "ServerRoot \"$ROOT\""
    is_static "$MPM" || load_module "mpm_$MPM"
    [ "$SHAPE" != itk ] || echo "LoadModule mpm_itk_module \"$MODULES/mpm_itk.so\""
    for module in unixd authz_core authz_host log_config mime dir alias env setenvif headers $(site_modules); do
        ! has_module "$module" || load_module "$module"
    done
    cat <<CONF
LoadModule python_module "$MODULE"
ServerName localhost
Listen $(bracketed "$HOST"):$PORT
DefaultRuntimeDir run
PidFile run/httpd.pid
ErrorLog "${ERROR_LOG:-$ROOT/error.log}"
LogLevel warn python:info
# A file that is edited while httpd sends it must not take the child with it.
EnableMMAP Off
EnableSendfile Off
TraceEnable Off
<Directory "/">
    Require all denied
    AllowOverride None
</Directory>
CONF
    [ -z "${ACCESS_LOG:-}" ] || printf 'CustomLog "%s" "%s"\n' "$ACCESS_LOG" '%h %l %u %t \"%r\" %>s %b'
    if is_root; then
        echo "User $(server_user)"
        echo "Group #$(id -g "$(server_user)")"
    fi
    write_mime_types
    write_mpm
    if [ "$APP_KIND" = demo ]; then
        cat <<CONF
Define DEMO_ROOT "$ROOT/demo"
Define DEMO_PORT $PORT
Define DEMO_STATE "$ROOT/state"
Define DEMO_GIL $GIL
${VHOST:+Define DEMO_VHOST $VHOST}
Include "$ROOT/demo/site.conf"
CONF
        write_more
        return
    fi
    [ "$GIL" = shared ] || echo "PythonInterpreterOptions * gil=$GIL"
    [ "$APP_KIND" != site ] || echo "Define APP \"$PLACE\""
    # A traceback in the browser is for the developer at this machine, not for the network.
    ! is_loopback || echo "PythonDebug On"
    for module in localhost ${VHOST:+"$VHOST"}; do
        cat <<CONF
<VirtualHost *:$PORT>
    ServerName $module
    Include "$ROOT/app.conf"
</VirtualHost>
CONF
    done
    write_more
}

# What an httpd.conf of the application's own may use beside; LoadModule has no place in a virtual host.
site_modules() {
    [ "$APP_KIND" != site ] ||
        echo auth_basic authn_core authn_file authz_user authz_groupfile autoindex deflate expires filter include negotiation rewrite
}

write_more() {
    [ -z "${MORE_CONFIG:-}" ] || echo "IncludeOptional \"$MORE_CONFIG/*.conf\""
}

write_mime_types() {
    if ! has_module mime; then
        return
    elif [ -f /etc/mime.types ]; then
        echo 'TypesConfig "/etc/mime.types"'
    else
        cat <<'CONF'
TypesConfig "/dev/null"
AddType text/html .html
AddType text/css .css
AddType text/javascript .js
AddType application/json .json
AddType image/svg+xml .svg
AddType image/png .png
AddType image/jpeg .jpg .jpeg
CONF
    fi
}

write_mpm() {
    if [ "${MPM_NUMBERS:-}" = deployed ]; then write_deployed_numbers; else write_small_numbers; fi
}

# For visitors. The two limits are high, since they bound what a file of MORE_CONFIG can ask for.
write_deployed_numbers() {
    case $SHAPE in
        prefork | itk)
            printf '%s\n' 'StartServers 4' 'MinSpareServers 4' 'MaxSpareServers 12' 'ServerLimit 1024' 'MaxRequestWorkers 64'
            ;;
        winnt)
            printf '%s\n' 'ServerLimit 1' 'StartServers 1' 'ThreadLimit 512' 'ThreadsPerChild 64' 'MaxRequestWorkers 64' \
                'MinSpareThreads 1' 'MaxSpareThreads 512' 'MaxConnectionsPerChild 0'
            ;;
        *)
            printf '%s\n' 'StartServers 3' 'ServerLimit 64' 'ThreadLimit 64' 'ThreadsPerChild 16' 'MaxRequestWorkers 128' \
                'MinSpareThreads 16' 'MaxSpareThreads 96'
            ;;
    esac
}

# For one developer: few, so that children can be told apart; several of them, so that there is something to tell.
write_small_numbers() {
    case $SHAPE in
        prefork | itk) printf '%s\n' 'StartServers 4' 'MinSpareServers 2' 'MaxSpareServers 8' 'ServerLimit 32' 'MaxRequestWorkers 32' ;;
        winnt)
            printf '%s\n' 'ServerLimit 1' 'StartServers 1' 'ThreadLimit 64' 'ThreadsPerChild 64' 'MaxRequestWorkers 64' \
                'MinSpareThreads 1' 'MaxSpareThreads 64' 'MaxConnectionsPerChild 0'
            ;;
        *)
            printf '%s\n' 'StartServers 3' 'ServerLimit 6' 'ThreadLimit 16' 'ThreadsPerChild 16' 'MaxRequestWorkers 96' \
                'MinSpareThreads 16' 'MaxSpareThreads 96'
            ;;
    esac
}

# The same lines go into each virtual host.
write_app() {
    local name names pattern index=''
    # Python takes the text between httpd's double quotes, in single ones of its own.
    printf "PythonPath \"['%s'] + sys.path\"\n" "${PLACE//\'/\\x27}"
    if [ "$APP_KIND" = site ]; then
        cat <<CONF
DocumentRoot "$PLACE"
<FilesMatch "^httpd\.conf$|^Dockerfile$|^\.">
    Require all denied
</FilesMatch>
CONF
        deny_folders
        cat <<CONF
Include "$PLACE/httpd.conf"
CONF
        return
    fi
    if [ "$APP_KIND" = module ]; then
        cat <<CONF
DocumentRoot "$ROOT/htdocs"
<Location "/">
    Require all granted
    SetHandler mod_python
    PythonHandler $APP
</Location>
CONF
        return
    fi
    names=$(handlers_in "$PLACE")
    cat <<CONF
DocumentRoot "$PLACE"
<Directory "$PLACE">
    Options FollowSymLinks
    Require all granted
</Directory>
# Files are served as they are; source, compiled code, copies that editors make, a Dockerfile and hidden files never.
<FilesMatch "\.py[cdo]?([~.].*)?$|^Dockerfile$|^\.|~$">
    Require all denied
</FilesMatch>
CONF
    deny_folders
    [ ! -e "$PLACE/index.html" ] || index='file'
    for name in $names; do
        pattern="^/$name(\\.py)?(/|$)"
        if [ "$name" = index ] && [ -z "$index" ]; then index='handler' pattern+='|^/$'; fi
        cat <<CONF
<LocationMatch "$pattern">
    Require all granted
    SetHandler mod_python
    PythonHandler $name
</LocationMatch>
CONF
    done
    echo "DirectoryIndex index.html"
    if [ -z "$index" ]; then
        write_index "$names" >"$ROOT/htdocs/index.html"
        cat <<CONF
AliasMatch "^/$" "$ROOT/htdocs/index.html"
<Directory "$ROOT/htdocs">
    Require all granted
</Directory>
CONF
    fi
}

# Hidden folders, such as a checkout's .git, and compiled code.
deny_folders() {
    cat <<'CONF'
<LocationMatch "/(\.|__pycache__(/|$))">
    Require all denied
</LocationMatch>
CONF
}

# A folder without an index of its own is shown as the list of its handlers.
write_index() {
    local name
    echo '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    echo '<title>Handlers</title><style>body{font:1rem/1.6 sans-serif;margin:2rem}</style><h1>Handlers</h1><ul>'
    for name in $1; do
        printf '<li><a href="/%s">/%s</a></li>\n' "$name" "$name"
    done
    echo '</ul></html>'
}
