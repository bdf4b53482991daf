/* Reads a request's body in the ways of other modules, and says what it got: one letter of the query for each call.
 *   l  a line        s  five bytes, to look at only        r  five bytes        n  five bytes, if they are there        e  all
 */
#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"
#include "apr_strings.h"
#include "util_filter.h"

static int reader(request_rec *r)
{
    const char *call;
    if (!r->handler || strcmp(r->handler, "reader")) {
        return DECLINED;
    }
    ap_set_content_type(r, "text/plain");
    for (call = r->args ? r->args : ""; *call; call++) {
        apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
        ap_input_mode_t mode = *call == 'l' ? AP_MODE_GETLINE
                             : *call == 's' ? AP_MODE_SPECULATIVE
                             : *call == 'e' ? AP_MODE_EXHAUSTIVE : AP_MODE_READBYTES;
        apr_read_type_e block = *call == 'n' ? APR_NONBLOCK_READ : APR_BLOCK_READ;
        apr_status_t rv = ap_get_brigade(r->input_filters, bb, mode, block, *call == 'l' ? 0 : 5);
        char *data = NULL;
        apr_size_t length = 0;
        int ends = !APR_BRIGADE_EMPTY(bb) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb));
        if (rv != APR_SUCCESS) {
            ap_rprintf(r, "(%s)", APR_STATUS_IS_EAGAIN(rv) ? "later" : apr_itoa(r->pool, rv));
            continue;
        }
        apr_brigade_pflatten(bb, &data, &length, r->pool);
        ap_rprintf(r, "(%c ", *call);
        if (length) {
            ap_rwrite(data, (int)length, r);
        }
        ap_rputs(ends ? "$)" : ")", r);
    }
    return OK;
}

static void hooks(apr_pool_t *pool)
{
    ap_hook_handler(reader, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA reader_module = { STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks };
