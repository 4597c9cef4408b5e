
/*
 * A token that this host knows to be spent is presented again. The tombstone
 * answers, and nobody waits for Redis; but where somebody acts upon replays
 * (on_replay revoke, enroll_notify) the ledger hears of the first one.
 */

#include "ngx_http_enroll_module.h"


static ngx_uint_t ngx_http_enroll_replay_matters(
    ngx_http_enroll_main_conf_t *emcf);


void
ngx_http_enroll_replay(ngx_http_request_t *r, ngx_http_enroll_ctx_t *ctx,
    ngx_uint_t partition, const u_char *id, const u_char *session)
{
    ngx_enroll_rule_t            *rules;
    ngx_enroll_bearer_t           bearer;
    ngx_enroll_ledger_t          *ledger;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    if (ngx_http_enroll_replay_own(ctx, id)
        || !ngx_http_enroll_replay_matters(emcf)
        || !ngx_http_enroll_zone_replayed(emcf->zone, id))
    {
        return;
    }

    ngx_memzero(&bearer, sizeof(ngx_enroll_bearer_t));
    bearer.partition = partition;
    bearer.id = id;
    bearer.session = session;
    bearer.client = r->connection->addr_text;

    ledger = ngx_http_enroll_ledger(r);
    rules = ngx_http_enroll_rules(r, NGX_HTTP_ENROLL_NONE, 0,
                                  &bearer.nrules);
    bearer.rules = rules;

    if (ledger && rules) {
        ngx_enroll_replay(ledger, &bearer);
    }
}


static ngx_uint_t
ngx_http_enroll_replay_matters(ngx_http_enroll_main_conf_t *emcf)
{
    ngx_uint_t                 i;
    ngx_http_enroll_class_t  **classes;

    classes = emcf->classes.elts;

    for (i = 0; i < emcf->classes.nelts; i++) {
        if (classes[i]->policy.replay_revokes) {
            return 1;
        }
    }

    return emcf->notify != NULL;
}


ngx_uint_t
ngx_http_enroll_replay_own(ngx_http_enroll_ctx_t *ctx, const u_char *id)
{
    return ctx->bearer == NGX_HTTP_ENROLL_BEARER_SESSION
           && ngx_memcmp(ctx->id, id, NGX_ENROLL_DIGEST_LEN) == 0;
}
