/* The smallest content handler in C: what httpd itself costs, the floor for every comparison. */
#include <string.h>

#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"

static int floor_handler(request_rec *r)
{
    if (!r->handler || strcmp(r->handler, "bench-floor") != 0)
        return DECLINED;
    ap_set_content_type(r, "text/plain");
    ap_set_content_length(r, 13);
    ap_rwrite("Hello, world!", 13, r);
    return OK;
}

static void register_hooks(apr_pool_t *p)
{
    ap_hook_handler(floor_handler, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA floor_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks
};
