/*
 * A module of httpd that runs Python through mod_python's optional functions. What it does is the request's query string, one
 * step after the other with '|' in between; the body of the response says what each has given.
 *
 *     acquire=NAME   mp_acquire_interpreter(), of NULL for an empty name      release    mp_release_interpreter()
 *     objects        puts req, server and conn into the namespace             run=CODE   runs CODE there; shows the variable out
 *     detached=URI   runs a subrequest while the thread is detached           thread     releases on a thread of its own
 */
#include "mod_python.h"

#include <pthread.h>

#include "apr_strings.h"
#include "http_config.h"
#include "http_connection.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"

static APR_OPTIONAL_FN_TYPE(mp_acquire_interpreter) *acquire;
static APR_OPTIONAL_FN_TYPE(mp_release_interpreter) *release;
static APR_OPTIONAL_FN_TYPE(mp_get_request_object) *request_object;
static APR_OPTIONAL_FN_TYPE(mp_get_server_object) *server_object;
static APR_OPTIONAL_FN_TYPE(mp_get_connection_object) *connection_object;

static const char *connection_code;
static int in_parent;

static void retrieve(void)
{
    acquire = APR_RETRIEVE_OPTIONAL_FN(mp_acquire_interpreter);
    release = APR_RETRIEVE_OPTIONAL_FN(mp_release_interpreter);
    request_object = APR_RETRIEVE_OPTIONAL_FN(mp_get_request_object);
    server_object = APR_RETRIEVE_OPTIONAL_FN(mp_get_server_object);
    connection_object = APR_RETRIEVE_OPTIONAL_FN(mp_get_connection_object);
}

/* Puts an object into the namespace; without one, says so. A new reference is given up. */
static const char *put(PyObject *names, const char *name, PyObject *object, int is_new)
{
    if (!object) {
        return "NULL ";
    }
    PyDict_SetItemString(names, name, object);
    if (is_new) {
        Py_DECREF(object);
    }
    return "";
}

/* Runs code; the variable out as text, or the exception. */
static const char *run(apr_pool_t *pool, PyObject *names, const char *code)
{
    const char *text = "";
    PyObject *result, *out, *shown = NULL;
    PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins());
    result = PyRun_String(code, Py_file_input, names, names);
    if (!result) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyErr_NormalizeException(&type, &value, &traceback);
        shown = PyObject_Repr(value);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
    }
    else if ((out = PyDict_GetItemString(names, "out"))) {
        shown = PyObject_Str(out);
    }
    if (shown && PyUnicode_AsUTF8(shown)) {
        text = apr_pstrdup(pool, PyUnicode_AsUTF8(shown));
    }
    PyErr_Clear();
    Py_XDECREF(result);
    Py_XDECREF(shown);
    return text;
}

static void *release_elsewhere(void *unused)
{
    release();
    return unused;
}

/* A namespace belongs to the interpreter that made it. */
#define DEPTH 8

static int content(request_rec *r)
{
    PyObject *names[DEPTH] = { NULL };
    int depth = 0;
    char *step, *state, *text;

    if (!r->handler || strcmp(r->handler, "caller")) {
        return DECLINED;
    }
    text = apr_pstrdup(r->pool, r->args ? r->args : "");
    ap_unescape_url_keep2f(text, 1);
    for (step = apr_strtok(text, "|", &state); step; step = apr_strtok(NULL, "|", &state)) {
        char *argument = strchr(step, '=');
        if (argument) {
            *argument++ = '\0';
        }
        if (!strcmp(step, "acquire") && depth < DEPTH) {
            if (acquire(argument && *argument ? argument : NULL)) {
                names[depth++] = PyDict_New();
                ap_rputs("acquired\n", r);
            }
            else {
                ap_rputs("not acquired\n", r);
            }
        }
        else if (!strcmp(step, "release")) {
            if (depth) {
                depth--;
                Py_CLEAR(names[depth]);
            }
            release();
            ap_rputs("released\n", r);
        }
        else if (!strcmp(step, "objects")) {
            /* Without a namespace they are NULL. */
            PyObject *into = depth ? names[depth - 1] : NULL;
            ap_rprintf(r, "%s", put(into, "req", request_object(r), 0));
            ap_rprintf(r, "%s", put(into, "again", request_object(r), 0));
            ap_rprintf(r, "%s", put(into, "server", server_object(r->server), 1));
            ap_rprintf(r, "%s", put(into, "conn", connection_object(r->connection), 1));
            ap_rputs("objects\n", r);
        }
        else if (!strcmp(step, "run") && depth) {
            ap_rprintf(r, "%s\n", run(r->pool, names[depth - 1], argument));
        }
        else if (!strcmp(step, "detached") && depth) {
            PyThreadState *attached = PyEval_SaveThread();
            request_rec *part = ap_sub_req_lookup_uri(argument, r, r->output_filters);
            int status = ap_run_sub_req(part);
            PyEval_RestoreThread(attached);
            ap_rprintf(r, "\ndetached %d\n", status);
            ap_destroy_sub_req(part);
        }
        else if (!strcmp(step, "thread")) {
            pthread_t thread;
            pthread_create(&thread, NULL, release_elsewhere, NULL);
            pthread_join(thread, NULL);
            ap_rputs("thread\n", r);
        }
        else {
            return HTTP_BAD_REQUEST;
        }
    }
    return OK;
}

static int connection(conn_rec *c)
{
    PyObject *names;
    const char *answer;
    if (!connection_code) {
        return DECLINED;
    }
    if (!acquire("localhost")) {
        return DONE;
    }
    names = PyDict_New();
    put(names, "conn", connection_object(c), 1);
    put(names, "server", server_object(c->base_server), 1);
    answer = run(c->pool, names, connection_code);
    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, c, "caller: %s", answer);
    Py_DECREF(names);
    release();
    return strcmp(answer, "pass") ? OK : DECLINED;
}

static int configured(apr_pool_t *pool, apr_pool_t *log, apr_pool_t *temporary, server_rec *s)
{
    if (in_parent && ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        acquire = APR_RETRIEVE_OPTIONAL_FN(mp_acquire_interpreter);
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "caller: %s", acquire("localhost") ? "acquired" : "NULL in the parent");
    }
    return OK;
}

static const char *set_connection(cmd_parms *cmd, void *unused, const char *code)
{
    connection_code = code;
    return NULL;
}

static const char *set_parent(cmd_parms *cmd, void *unused, int on)
{
    in_parent = on;
    return NULL;
}

static int forget(apr_pool_t *pool, apr_pool_t *log, apr_pool_t *temporary)
{
    connection_code = NULL;
    in_parent = 0;
    return OK;
}

static const command_rec commands[] = {
    AP_INIT_RAW_ARGS("CallerConnection", set_connection, NULL, RSRC_CONF, "code that is run for each connection"),
    AP_INIT_FLAG("CallerInParent", set_parent, NULL, RSRC_CONF, "whether to try in the parent"),
    { NULL }
};

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(configured, NULL, NULL, APR_HOOK_LAST);
    ap_hook_optional_fn_retrieve(retrieve, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_process_connection(connection, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(content, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(caller) = { STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, register_hooks };
