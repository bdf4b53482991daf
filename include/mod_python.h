/*
 * The optional functions that mod_python exports to other httpd modules; mod_python 3 had the same ones.
 *
 *     APR_OPTIONAL_FN_TYPE(mp_acquire_interpreter) *acquire = APR_RETRIEVE_OPTIONAL_FN(mp_acquire_interpreter);
 *
 * Retrieve them in an optional_fn_retrieve hook or later: they are NULL if mod_python is not loaded. Call them in child processes,
 * on the thread that serves the request or connection.
 */
#ifndef MOD_PYTHON_H
#define MOD_PYTHON_H

#include <Python.h>

#include "apr_optional.h"
#include "httpd.h"

/*
 * Attaches the calling thread to the named interpreter and creates it if it does not exist; NULL names the main interpreter.
 * Returns NULL on failure (the error log says why); there is then nothing to release. Calls nest.
 *
 * Until the release the thread holds the interpreter's GIL. Release it around slow operations (Py_BEGIN_ALLOW_THREADS) and
 * around calls to httpd that may run other handlers.
 */
APR_DECLARE_OPTIONAL_FN(PyInterpreterState *, mp_acquire_interpreter, (const char *name));

/* Releases the interpreter of the thread's latest mp_acquire_interpreter() that did not return NULL. */
APR_DECLARE_OPTIONAL_FN(void, mp_release_interpreter, (void));

/*
 * The Python objects for httpd's records, in the interpreter that the thread acquired last; NULL if it has acquired none.
 * A request object is a borrowed reference to the object that handlers of that interpreter see. The others are new references.
 * The objects can be used until the release; after it, request and connection objects raise RuntimeError.
 */
APR_DECLARE_OPTIONAL_FN(PyObject *, mp_get_request_object, (request_rec *r));
APR_DECLARE_OPTIONAL_FN(PyObject *, mp_get_server_object, (server_rec *s));
APR_DECLARE_OPTIONAL_FN(PyObject *, mp_get_connection_object, (conn_rec *c));

#endif
