
#include "ngx_http_enroll_journal.h"


static void ngx_http_enroll_ctx_cleanup(void *data);


ngx_http_enroll_ctx_t *
ngx_http_enroll_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = ngx_http_enroll_ctx_find(r);
    if (ctx) {
        return ctx;
    }

    /* the pool's list serves to find it again: see ctx_find */

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_enroll_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_enroll_ctx_cleanup;

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_enroll_ctx_t));
    ctx->request = r->main;

    ngx_http_set_ctx(r->main, ctx, ngx_http_enroll_module);

    return ctx;
}


ngx_http_enroll_ctx_t *
ngx_http_enroll_ctx_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_enroll_ctx_t  *ctx;

    r = r->main;
    ctx = ngx_http_get_module_ctx(r, ngx_http_enroll_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect has wiped r->ctx */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_enroll_ctx_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_enroll_module);
            break;
        }
    }

    return ctx;
}


static void
ngx_http_enroll_ctx_cleanup(void *data)
{
    ngx_http_enroll_ctx_detach(data);
}


void
ngx_http_enroll_ctx_detach(void *data)
{
    ngx_http_enroll_ctx_t *ctx = data;

    if (ctx->call) {
        ngx_enroll_call_detach(ctx->call);
        ctx->call = NULL;
    }
}


void
ngx_http_enroll_ctx_answered(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_result_t *result)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_http_set_log_request(r->connection->log, r);

    ctx->call = NULL;
    ctx->told = (result->nevents > 0);
    ctx->reason = result->verdict;
}


ngx_enroll_ledger_t *
ngx_http_enroll_ledger(ngx_http_request_t *r)
{
    u_char                        name[NGX_ENROLL_DIGEST_LEN];
    ngx_enroll_ledger_t          *ledger;
    ngx_http_enroll_loc_conf_t   *elcf;
    ngx_http_enroll_main_conf_t  *emcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    ledger = &elcf->ledger;

    if (ledger->redis == NULL) {
        emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

        ledger->redis = ngx_http_enroll_redis_client(&elcf->redis,
                                                     ngx_cycle->log);
        ledger->keys = emcf->keys;
        ledger->partitions = emcf->partitions;
        ledger->retain = elcf->retain;
        ledger->events_retain = elcf->events_retain;
        ledger->sequence = (elcf->fence == NGX_HTTP_ENROLL_FENCE_SEQUENCE);
        ledger->journal = emcf->journal ? ngx_http_enroll_journal_write
                                        : NULL;
        ledger->observe = ngx_http_enroll_observe;
        ledger->data = elcf;

        if (ledger->redis == NULL) {
            return NULL;
        }

        ngx_http_enroll_redis_name(&elcf->redis, emcf->partitions, name);
        ledger->seen = ngx_http_enroll_zone_seen(emcf->zone, name,
                                                 emcf->partitions);

        if (ledger->seen == NULL) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "enroll: enroll_zone has no room for what was seen "
                          "of the ledger: make it larger");
            ledger->redis = NULL;
            return NULL;
        }
    }

    return ledger;
}


ngx_enroll_ledger_t *
ngx_http_enroll_ledger_attended(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_enroll_ctx_detach;
    cln->data = ctx;

    return ngx_http_enroll_ledger(r);
}
