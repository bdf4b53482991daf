/* The smallest C code that enters Python: takes the GIL with one thread state, calls a Python function, which sets type
 * and length and writes through three C functions. No request object, no configuration, no import: what is left is what
 * CPython costs. One process and one thread only (prefork). */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"
#include "apr_strings.h"

static PyThreadState *thread_state;
static PyObject *function;
static request_rec *current;

static PyObject *set_content_type(PyObject *self, PyObject *value)
{
    const char *text = PyUnicode_AsUTF8(value);
    if (!text)
        return NULL;
    ap_set_content_type(current, apr_pstrdup(current->pool, text));
    Py_RETURN_NONE;
}

static PyObject *set_content_length(PyObject *self, PyObject *value)
{
    long length = PyLong_AsLong(value);
    if (length == -1 && PyErr_Occurred())
        return NULL;
    ap_set_content_length(current, length);
    Py_RETURN_NONE;
}

static PyObject *write_text(PyObject *self, PyObject *value)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(value, &size);
    if (!text)
        return NULL;
    PyThreadState *state = PyEval_SaveThread(); /* a write may block */
    ap_rwrite(text, (int)size, current);
    PyEval_RestoreThread(state);
    Py_RETURN_NONE;
}

static PyMethodDef callbacks[] = {
    {"set_content_type", set_content_type, METH_O, NULL},
    {"set_content_length", set_content_length, METH_O, NULL},
    {"write", write_text, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static const char source[] =
    "def handler():\n"
    "    set_content_type('text/plain')\n"
    "    set_content_length(13)\n"
    "    write('Hello, world!')\n"
    "    return 0\n";

static void child_init(apr_pool_t *p, server_rec *s)
{
    Py_InitializeEx(0);
    PyObject *main_module = PyImport_AddModule("__main__");
    PyObject *names = PyModule_GetDict(main_module);
    PyModule_AddFunctions(main_module, callbacks);
    Py_XDECREF(PyRun_String(source, Py_file_input, names, names));
    function = PyDict_GetItemString(names, "handler");
    Py_XINCREF(function);
    thread_state = PyEval_SaveThread();
}

static int enter_handler(request_rec *r)
{
    int status = HTTP_INTERNAL_SERVER_ERROR;

    if (!r->handler || strcmp(r->handler, "bench-enter") != 0)
        return DECLINED;
    PyEval_RestoreThread(thread_state);
    current = r;
    PyObject *result = function ? PyObject_CallNoArgs(function) : NULL;
    if (result) {
        status = (int)PyLong_AsLong(result);
        Py_DECREF(result);
    }
    else {
        PyErr_Print();
    }
    thread_state = PyEval_SaveThread();
    return status;
}

static void register_hooks(apr_pool_t *p)
{
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(enter_handler, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA enter_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks
};
