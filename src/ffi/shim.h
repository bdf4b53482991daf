/* Functions for the macros and inline functions of httpd and APR, which Rust cannot call. */
#ifndef MOD_PYTHON_SHIM_H
#define MOD_PYTHON_SHIM_H

#include "httpd.h"
#include "apr_buckets.h"
#include "util_filter.h"
#include "mod_include.h"
#include "mod_log_config.h"

int mp_shim_brigade_empty(apr_bucket_brigade *bb);
int mp_shim_brigade_is_ending(apr_bucket_brigade *bb);
apr_bucket *mp_shim_brigade_first(apr_bucket_brigade *bb);
int mp_shim_bucket_is_eos(apr_bucket *b);
int mp_shim_bucket_is_metadata(apr_bucket *b);
apr_status_t mp_shim_bucket_read(apr_bucket *b, const char **data, apr_size_t *len, apr_read_type_e block);
void mp_shim_bucket_delete(apr_bucket *b);
void mp_shim_brigade_append(apr_bucket_brigade *bb, apr_bucket *b);
int mp_shim_bucket_is_flush(apr_bucket *b);
/* The next bucket of a brigade, NULL at its end. */
apr_bucket *mp_shim_bucket_next(apr_bucket_brigade *bb, apr_bucket *b);
int mp_shim_is_sentinel(apr_bucket_brigade *bb, apr_bucket *b);
/* The HTTP status of an error bucket, 0 for any other bucket. */
int mp_shim_bucket_error(apr_bucket *b);
/* Moves a bucket to the end of another brigade. */
void mp_shim_bucket_move(apr_bucket *b, apr_bucket_brigade *bb);
/* Moves all buckets of a brigade to the end of another. */
void mp_shim_brigade_concat(apr_bucket_brigade *to, apr_bucket_brigade *from);
apr_status_t mp_shim_bucket_split(apr_bucket *b, apr_size_t at);
apr_status_t mp_shim_bucket_setaside(apr_bucket *b, apr_pool_t *p);
void mp_shim_brigade_write(apr_bucket_brigade *bb, const char *data, apr_size_t length);
/* A bucket outside any brigade: copies it, destroys it. */
apr_status_t mp_shim_bucket_copy(apr_bucket *b, apr_bucket **copy);
void mp_shim_bucket_destroy(apr_bucket *b);
/* How many buckets share the file of a file bucket. */
int mp_shim_bucket_file_references(apr_bucket *b);
/* EnableSendfile as a flag for apr_file_open, and EnableMMAP. */
apr_int32_t mp_shim_sendfile_flag(request_rec *r);
int mp_shim_mmap_enabled(request_rec *r);
/* Optional functions of mod_ssl; NULL if it is not loaded. */
int mp_shim_ssl_is_https(conn_rec *c);
char *mp_shim_ssl_var_lookup(apr_pool_t *p, server_rec *s, conn_rec *c, request_rec *r, char *name);
/* Bit fields in some releases of httpd 2.4, plain members in others. */
int mp_shim_conn_aborted(const conn_rec *c);
int mp_shim_conn_double_reverse(const conn_rec *c);
int mp_shim_generation(void);
apr_time_t mp_shim_restart_time(void);
/* core's per-server settings that have no accessor. */
unsigned int mp_shim_server_loglevel(const server_rec *s);
/* mod_include's optional functions: registers a tag; 0 if mod_include is not loaded. */
typedef apr_status_t mp_ssi_handler(include_ctx_t *ctx, ap_filter_t *f, apr_bucket_brigade *bb);
int mp_shim_ssi_register(const char *tag, mp_ssi_handler *handler);
/* The next parameter of a tag, its entities decoded; a NULL name at the end. */
void mp_shim_ssi_next(include_ctx_t *ctx, char **name, char **value);
/* Writes SSIErrorMsg into the page. */
void mp_shim_ssi_error(include_ctx_t *ctx, ap_filter_t *f, apr_bucket_brigade *bb);

/* mod_log_config's optional function: registers an item of LogFormat; 0 if mod_log_config is not loaded. */
int mp_shim_log_register(apr_pool_t *p, const char *tag, ap_log_handler_fn_t *item);

#endif
