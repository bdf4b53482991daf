#include "shim.h"

#include "ap_mpm.h"
#include "apr_optional.h"
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "mod_ssl.h"
#include "scoreboard.h"

int mp_shim_brigade_empty(apr_bucket_brigade *bb)
{
    return APR_BRIGADE_EMPTY(bb);
}

int mp_shim_brigade_is_ending(apr_bucket_brigade *bb)
{
    return !APR_BRIGADE_EMPTY(bb) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb));
}

apr_bucket *mp_shim_brigade_first(apr_bucket_brigade *bb)
{
    return APR_BRIGADE_FIRST(bb);
}

int mp_shim_bucket_is_eos(apr_bucket *b)
{
    return APR_BUCKET_IS_EOS(b);
}

int mp_shim_bucket_is_metadata(apr_bucket *b)
{
    return APR_BUCKET_IS_METADATA(b);
}

apr_status_t mp_shim_bucket_read(apr_bucket *b, const char **data, apr_size_t *len, apr_read_type_e block)
{
    return apr_bucket_read(b, data, len, block);
}

void mp_shim_bucket_delete(apr_bucket *b)
{
    apr_bucket_delete(b);
}

void mp_shim_brigade_append(apr_bucket_brigade *bb, apr_bucket *b)
{
    APR_BRIGADE_INSERT_TAIL(bb, b);
}

/* apr_brigade_write gives every write a bucket of its own once the last buffer is full. This starts a new buffer first. */
void mp_shim_brigade_write(apr_bucket_brigade *bb, const char *data, apr_size_t length)
{
    if (length < APR_BUCKET_BUFF_SIZE) {
        apr_bucket *last = APR_BRIGADE_LAST(bb);
        apr_size_t room = 0;
        if (!APR_BRIGADE_EMPTY(bb) && APR_BUCKET_IS_HEAP(last)) {
            const apr_bucket_heap *heap = last->data;
            if (heap->refcount.refcount == 1) {
                room = heap->alloc_len - ((apr_size_t)last->start + last->length);
            }
        }
        if (length > room) {
            char *buffer = apr_bucket_alloc(APR_BUCKET_BUFF_SIZE, bb->bucket_alloc);
            last = apr_bucket_heap_create(buffer, APR_BUCKET_BUFF_SIZE, apr_bucket_free, bb->bucket_alloc);
            last->length = 0;
            APR_BRIGADE_INSERT_TAIL(bb, last);
        }
    }
    apr_brigade_write(bb, NULL, NULL, data, length);
}

apr_status_t mp_shim_bucket_copy(apr_bucket *b, apr_bucket **copy)
{
    return apr_bucket_copy(b, copy);
}

void mp_shim_bucket_destroy(apr_bucket *b)
{
    apr_bucket_destroy(b);
}

int mp_shim_bucket_file_references(apr_bucket *b)
{
    return APR_BUCKET_IS_FILE(b) ? ((apr_bucket_file *)b->data)->refcount.refcount : 0;
}

static const core_dir_config *core_config(request_rec *r)
{
    return ap_get_core_module_config(r->per_dir_config);
}

apr_int32_t mp_shim_sendfile_flag(request_rec *r)
{
#if APR_HAS_SENDFILE
    return core_config(r)->enable_sendfile == ENABLE_SENDFILE_ON ? APR_SENDFILE_ENABLED : 0;
#else
    return 0;
#endif
}

int mp_shim_mmap_enabled(request_rec *r)
{
    return core_config(r)->enable_mmap != ENABLE_MMAP_OFF;
}

/* Optional functions are looked up at each call: mod_ssl may be loaded before or after this module. */
int mp_shim_ssl_is_https(conn_rec *c)
{
    APR_OPTIONAL_FN_TYPE(ssl_is_https) *is_https = APR_RETRIEVE_OPTIONAL_FN(ssl_is_https);
    return is_https ? is_https(c) : 0;
}

char *mp_shim_ssl_var_lookup(apr_pool_t *p, server_rec *s, conn_rec *c, request_rec *r, char *name)
{
    APR_OPTIONAL_FN_TYPE(ssl_var_lookup) *lookup = APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);
    return lookup ? lookup(p, s, c, r, name) : NULL;
}

int mp_shim_conn_aborted(const conn_rec *c)
{
    return c->aborted;
}

int mp_shim_conn_double_reverse(const conn_rec *c)
{
    return c->double_reverse;
}

int mp_shim_generation(void)
{
    int generation = 0;
    ap_mpm_query(AP_MPMQ_GENERATION, &generation);
    return generation;
}

apr_time_t mp_shim_restart_time(void)
{
    global_score *global = ap_get_scoreboard_global();
    return global ? global->restart_time : 0;
}

unsigned int mp_shim_server_loglevel(const server_rec *s)
{
    return (unsigned int)s->log.level;
}

int mp_shim_bucket_is_flush(apr_bucket *b)
{
    return APR_BUCKET_IS_FLUSH(b);
}

void mp_shim_bucket_move(apr_bucket *b, apr_bucket_brigade *bb)
{
    APR_BUCKET_REMOVE(b);
    APR_BRIGADE_INSERT_TAIL(bb, b);
}

void mp_shim_brigade_concat(apr_bucket_brigade *to, apr_bucket_brigade *from)
{
    APR_BRIGADE_CONCAT(to, from);
}

apr_status_t mp_shim_bucket_split(apr_bucket *b, apr_size_t at)
{
    return apr_bucket_split(b, at);
}

apr_status_t mp_shim_bucket_setaside(apr_bucket *b, apr_pool_t *p)
{
    return apr_bucket_setaside(b, p);
}

int mp_shim_is_sentinel(apr_bucket_brigade *bb, apr_bucket *b)
{
    return b == APR_BRIGADE_SENTINEL(bb);
}

int mp_shim_bucket_error(apr_bucket *b)
{
    return AP_BUCKET_IS_ERROR(b) ? ((ap_bucket_error *)b->data)->status : 0;
}

apr_bucket *mp_shim_bucket_next(apr_bucket_brigade *bb, apr_bucket *b)
{
    apr_bucket *next = APR_BUCKET_NEXT(b);
    return next == APR_BRIGADE_SENTINEL(bb) ? NULL : next;
}

static APR_OPTIONAL_FN_TYPE(ap_ssi_get_tag_and_value) *ssi_get_tag_and_value;

int mp_shim_ssi_register(const char *tag, mp_ssi_handler *handler)
{
    APR_OPTIONAL_FN_TYPE(ap_register_include_handler) *add = APR_RETRIEVE_OPTIONAL_FN(ap_register_include_handler);
    ssi_get_tag_and_value = APR_RETRIEVE_OPTIONAL_FN(ap_ssi_get_tag_and_value);
    if (!add || !ssi_get_tag_and_value) {
        return 0;
    }
    add((char *)tag, handler);
    return 1;
}

void mp_shim_ssi_next(include_ctx_t *ctx, char **name, char **value)
{
    ssi_get_tag_and_value(ctx, name, value, SSI_VALUE_DECODED);
}

void mp_shim_ssi_error(include_ctx_t *ctx, ap_filter_t *f, apr_bucket_brigade *bb)
{
    SSI_CREATE_ERROR_BUCKET(ctx, f, bb);
}

int mp_shim_log_register(apr_pool_t *p, const char *tag, ap_log_handler_fn_t *item)
{
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *add = APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);
    if (!add) {
        return 0;
    }
    add(p, (char *)tag, item, 0);
    return 1;
}
