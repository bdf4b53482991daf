/*
 * For modules of httpd that use mod_python's interpreters: the optional functions that it publishes, as mod_python 3 had them.
 *
 *     APR_OPTIONAL_FN_TYPE(mp_acquire_interpreter) *acquire = APR_RETRIEVE_OPTIONAL_FN(mp_acquire_interpreter);
 *
 * Retrieve them in an optional_fn_retrieve hook or later: they are NULL where mod_python is not loaded. Call them in children,
 * on the thread that serves the request or connection.
 */
#ifndef MOD_PYTHON_H
#define MOD_PYTHON_H

#include <Python.h>

#include "apr_optional.h"
#include "httpd.h"

/*
 * Attaches the calling thread to the interpreter of that name, which is made if need be; NULL names the main interpreter.
 * Returns NULL when that is not possible (the error log says why); then there is nothing to release. Calls nest.
 *
 * Until the release the thread holds the interpreter's GIL. Let go of it around what takes long (Py_BEGIN_ALLOW_THREADS), a call
 * of httpd's that may run other handlers included.
 */
APR_DECLARE_OPTIONAL_FN(PyInterpreterState *, mp_acquire_interpreter, (const char *name));

/* Undoes the thread's latest mp_acquire_interpreter() that did not return NULL. */
APR_DECLARE_OPTIONAL_FN(void, mp_release_interpreter, (void));

/*
 * The Python objects of httpd's records, in the interpreter that the thread has acquired last; NULL if it has acquired none.
 * Those of requests are borrowed references: the same object that handlers of that interpreter see. The others are new ones.
 * What they stand for can be used until the release; kept longer, requests and connections raise RuntimeError.
 */
APR_DECLARE_OPTIONAL_FN(PyObject *, mp_get_request_object, (request_rec *r));
APR_DECLARE_OPTIONAL_FN(PyObject *, mp_get_server_object, (server_rec *s));
APR_DECLARE_OPTIONAL_FN(PyObject *, mp_get_connection_object, (conn_rec *c));

#endif
