/* What CPython has no function for: the thread states of one interpreter with their threads, and the exception that each handles. */
#include <patchlevel.h>
#if PY_VERSION_HEX < 0x030C0000
#define Py_BUILD_CORE 1
#include <Python.h>
#include "internal/pycore_runtime.h"
#else
#include <Python.h>
#endif

struct mp_thread_state {
    PyThreadState *state;
    unsigned long thread;
};

/* The attached interpreter's states, as many as there is room for; how many there are. Others can add some at the head meanwhile. */
size_t mp_thread_states(struct mp_thread_state *found, size_t room)
{
    size_t count = 0;
    PyThreadState *state;
#if PY_VERSION_HEX < 0x030C0000
    /* Up to 3.11 a new state is in the list before it is filled in. */
    PyThread_acquire_lock(_PyRuntime.interpreters.mutex, WAIT_LOCK);
#endif
    for (state = PyInterpreterState_ThreadHead(PyInterpreterState_Get()); state != NULL; state = PyThreadState_Next(state)) {
        if (count < room) {
            found[count].state = state;
            found[count].thread = state->thread_id;
        }
        count++;
    }
#if PY_VERSION_HEX < 0x030C0000
    PyThread_release_lock(_PyRuntime.interpreters.mutex);
#endif
    return count;
}

/* The exception that a state handles; borrowed, or NULL. */
PyObject *mp_handled_exception(PyThreadState *state)
{
    _PyErr_StackItem *item = state->exc_info;
    while (item != NULL && (item->exc_value == NULL || item->exc_value == Py_None)) {
        item = item->previous_item;
    }
    return item == NULL ? NULL : item->exc_value;
}
