/* CPython 3.11: sets the thread state that PyGILState_* use on a thread. Later versions do this themselves. */
#define Py_BUILD_CORE 1
#include <Python.h>
#if PY_VERSION_HEX >= 0x030C0000
#error "only up to CPython 3.11"
#endif
#include "internal/pycore_pymem.h"
#include "internal/pycore_runtime.h"

int mp_gilstate_bind(PyThreadState *state)
{
    return PyThread_tss_set(&_PyRuntime.gilstate.autoTSSkey, state);
}

/* Py_NewInterpreter attaches the new thread state in its midst, and then runs what may use PyGILState_*: tracemalloc at each allocation,
   site. No callback comes in between, but allocations do: while an interpreter is made, they see to it that the attached state is meant. */

/* This thread is in Py_NewInterpreter, which has not attached the new state yet. */
static __thread int is_making;

static void follow(void)
{
    PyThreadState *current;

    if (!is_making || (current = _PyThreadState_UncheckedGet()) == NULL)
        return;
    /* Without the GIL it would be another thread's. */
    if (current != PyThread_tss_get(&_PyRuntime.gilstate.autoTSSkey) && current->thread_id == PyThread_get_thread_ident()) {
        mp_gilstate_bind(current);
        is_making = 0;
    }
}

/* Functions in front of an allocator's own. Other threads allocate while they are put there: they have the same context, so that it does
   not matter which of the old and new fields a thread reads. What they stand before is noted once and never changes. */
struct layer {
    PyMemAllocatorEx below;
    PyMemAllocatorEx above;
};

#define LAYER(name) \
    static struct layer name; \
    static void *name##_malloc(void *ctx, size_t size) \
    { \
        follow(); \
        return name.below.malloc(ctx, size); \
    } \
    static void *name##_calloc(void *ctx, size_t count, size_t size) \
    { \
        follow(); \
        return name.below.calloc(ctx, count, size); \
    } \
    static void *name##_realloc(void *ctx, void *old, size_t size) \
    { \
        follow(); \
        return name.below.realloc(ctx, old, size); \
    } \
    static void name##_free(void *ctx, void *old) \
    { \
        name.below.free(ctx, old); \
    } \
    static struct layer name = { .above = { NULL, name##_malloc, name##_calloc, name##_realloc, name##_free } };

/* tracemalloc can be begun and ended meanwhile, and puts its own functions in front: one layer for either case, so that none ever comes to
   stand before itself. */
LAYER(plain)
LAYER(traced)

static struct layer *layer_in_use;

void mp_gilstate_begin_making(void)
{
    struct layer *layer = _Py_tracemalloc_config.tracing ? &traced : &plain;
    PyMemAllocatorEx top;

    is_making = 1;
    layer_in_use = layer;
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &top);
    if (top.malloc == layer->above.malloc)
        return;
    if (layer->below.malloc == NULL) {
        layer->below = top;
        layer->above.ctx = top.ctx;
    }
    if (top.malloc == layer->below.malloc && top.ctx == layer->below.ctx)
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &layer->above);
}

void mp_gilstate_end_making(void)
{
    PyMemAllocatorEx top;

    is_making = 0;
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &top);
    if (top.malloc == layer_in_use->above.malloc)
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &layer_in_use->below);
}
