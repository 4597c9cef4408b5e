
/* What a location needs that is said elsewhere. */

#include "ngx_http_enroll_journal.h"


static char *ngx_http_enroll_check_repeats(ngx_conf_t *cf,
    ngx_http_enroll_loc_conf_t *conf);
static char *ngx_http_enroll_check_slice(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *conf);
static ngx_uint_t ngx_http_enroll_is_module(ngx_module_t *module,
    const char *name);
static char *ngx_http_enroll_resolve_issuers(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *conf);
static char *ngx_http_enroll_check_push(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *conf,
    ngx_http_enroll_issuer_t *issuer);
static char *ngx_http_enroll_resolve_provers(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *conf);


/* what a location needs that was to be said elsewhere */

char *
ngx_http_enroll_check(ngx_conf_t *cf, ngx_http_enroll_main_conf_t *emcf,
    ngx_http_enroll_loc_conf_t *conf)
{
    ngx_uint_t   ledger;
    const char  *wants;

    /* the public keys are this configuration's */
    ledger = (conf->handler && conf->handler != ngx_http_enroll_jwks_handler)
             || (conf->endpoint & NGX_HTTP_ENROLL_CLOSED);

    if (!conf->enable && !conf->handler) {
        return NGX_CONF_OK;
    }

    wants = conf->handler ? "this location" : "\"enroll on\"";

    if (emcf->zone == NULL) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "%s needs a shared zone: say \"enroll_zone enroll 10m\" "
                   "in http", wants);
    }

    if (emcf->keys == NULL) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "%s needs keys: say \"enroll_keys file\" in http", wants);
    }

    if (emcf->journal && conf->log == emcf->journal->file) {
        return ngx_http_enroll_conf_error(cf, &emcf->journal->where,
                   "the journal \"%V\" is an enroll_log, too: it needs a "
                   "file of its own", &conf->log->name);
    }

    if (!ledger) {
        return NGX_CONF_OK;
    }

    if (conf->redis.ready == NULL) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "the ledger needs a Redis: say \"enroll_redis address\"");
    }

    if (emcf->classes.nelts == 0) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "there is no class: say \"enroll_class standard { ttl "
                   "24h; }\" in http");
    }

    if (ngx_http_enroll_check_repeats(cf, conf) != NGX_CONF_OK
        || ngx_http_enroll_check_slice(cf, emcf, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_resolve_provers(cf, emcf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_enroll_resolve_issuers(cf, emcf, conf);
}


/*
 * nginx can be told to send a POST to the next upstream after one has got it:
 * then a finish would reach the IdP twice (I2). Or to answer from a cache what
 * the IdP should have been asked, with what it said to somebody else. All
 * modules that proxy begin their location's configuration with that of the
 * upstream.
 */

static char *
ngx_http_enroll_check_repeats(ngx_conf_t *cf,
    ngx_http_enroll_loc_conf_t *conf)
{
    ngx_uint_t                 i, j;
    ngx_module_t             **modules;
    ngx_http_conf_ctx_t       *ctx;
    ngx_http_upstream_conf_t  *ucf;

    static const char  *names[] = { "proxy", "fastcgi", "uwsgi", "scgi",
                                    "grpc" };

    if (!(conf->endpoint & NGX_HTTP_ENROLL_CLOSED)) {
        return NGX_CONF_OK;
    }

    ctx = cf->ctx;
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        for (j = 0; j < sizeof(names) / sizeof(names[0]); j++) {

            if (!ngx_http_enroll_is_module(modules[i], names[j])) {
                continue;
            }

            ucf = ctx->loc_conf[modules[i]->ctx_index];

#if (NGX_HTTP_CACHE)

            if (ucf->cache) {
                return ngx_http_enroll_conf_error(cf, &conf->where,
                           "\"%s_cache\" would answer a bearer with what the "
                           "IdP said to another: say \"%s_cache off\" in "
                           "this location", names[j], names[j]);
            }

#endif

            if (conf->endpoint == NGX_HTTP_ENROLL_FINISH
                && (ucf->next_upstream & NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT))
            {
                return ngx_http_enroll_conf_error(cf, &conf->where,
                           "\"%s_next_upstream\" with \"non_idempotent\" "
                           "would send a finish to the IdP twice: say "
                           "\"%s_next_upstream error\" in this location",
                           names[j], names[j]);
            }
        }
    }

    return NGX_CONF_OK;
}


/*
 * It repeats a request for each part, and passes no phase by that. Its
 * configuration is merged after ours, so it is looked at later.
 */

static char *
ngx_http_enroll_check_slice(ngx_conf_t *cf, ngx_http_enroll_main_conf_t *emcf,
    ngx_http_enroll_loc_conf_t *conf)
{
    ngx_uint_t                 i;
    ngx_module_t             **modules;
    ngx_http_conf_ctx_t       *ctx;
    ngx_http_enroll_slice_t   *slice;

    if (conf->endpoint != NGX_HTTP_ENROLL_FINISH
        && conf->endpoint != NGX_HTTP_ENROLL_BEGIN)
    {
        return NGX_CONF_OK;
    }

    ctx = cf->ctx;
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        if (!ngx_http_enroll_is_module(modules[i], "slice_filter")) {
            continue;
        }

        slice = ngx_array_push(&emcf->slices);
        if (slice == NULL) {
            return NGX_CONF_ERROR;
        }

        slice->size = ctx->loc_conf[modules[i]->ctx_index];
        slice->where = &conf->where;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_enroll_check_slices(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf)
{
    ngx_uint_t                i;
    ngx_http_enroll_slice_t  *slice;

    slice = emcf->slices.elts;

    for (i = 0; i < emcf->slices.nelts; i++) {

        if (*slice[i].size) {
            (void) ngx_http_enroll_conf_error(cf, slice[i].where,
                       "\"slice\" could send a request to the IdP more than "
                       "once: say \"slice 0\" in this location");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_enroll_is_module(ngx_module_t *module, const char *name)
{
    u_char  full[64];

    (void) ngx_snprintf(full, sizeof(full), "ngx_http_%s_module%Z", name);

    return ngx_strcmp(module->name, full) == 0;
}


static char *
ngx_http_enroll_resolve_issuers(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *conf)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_enroll_issuer_t  **issuer;

    if (conf->issuer_names == NULL) {
        return NGX_CONF_OK;
    }

    conf->issuers = ngx_array_create(cf->pool, conf->issuer_names->nelts,
                                     sizeof(ngx_http_enroll_issuer_t *));
    if (conf->issuers == NULL) {
        return NGX_CONF_ERROR;
    }

    name = conf->issuer_names->elts;

    for (i = 0; i < conf->issuer_names->nelts; i++) {
        issuer = ngx_array_push(conf->issuers);
        if (issuer == NULL) {
            return NGX_CONF_ERROR;
        }

        *issuer = ngx_http_enroll_issuer_named(emcf, &name[i]);

        if (*issuer == NULL) {
            return ngx_http_enroll_conf_error(cf, &conf->where,
                       "unknown issuer \"%V\": declare it with "
                       "enroll_issuer", &name[i]);
        }

        if (ngx_http_enroll_check_push(cf, emcf, conf, *issuer)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->handler == ngx_http_enroll_issue_handler && conf->url == NULL) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "\"enroll_issue\" needs \"enroll_url\": the public address "
                   "of the enroll_redeem location, to make links of");
    }

    return NGX_CONF_OK;
}


/* a security event token gets no token as an answer, and names no requester */

static char *
ngx_http_enroll_check_push(ngx_conf_t *cf, ngx_http_enroll_main_conf_t *emcf,
    ngx_http_enroll_loc_conf_t *conf, ngx_http_enroll_issuer_t *issuer)
{
    ngx_http_enroll_class_t  *class;

    if (issuer->jwks == NULL
        || conf->handler != ngx_http_enroll_issue_handler)
    {
        return NGX_CONF_OK;
    }

    class = ngx_http_enroll_class_find(emcf, issuer->classes->elts);

    if (class->deliver.len == 0) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "\"enroll_issue\" of issuer \"%V\", which pushes security "
                   "event tokens, needs \"deliver\" in enroll_class \"%V\": "
                   "their answers have no body", &issuer->name,
                   &class->policy.name);
    }

    if (class->policy.approvals) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "\"enroll_issue\" of issuer \"%V\", which pushes security "
                   "event tokens, needs \"approvals 0\" in enroll_class "
                   "\"%V\": they name no requester", &issuer->name,
                   &class->policy.name);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_resolve_provers(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *conf)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_enroll_prover_t  **prover;

    if (conf->prover_names == NULL) {
        return NGX_CONF_OK;
    }

    conf->provers = ngx_array_create(cf->pool, conf->prover_names->nelts,
                                     sizeof(ngx_http_enroll_prover_t *));
    if (conf->provers == NULL) {
        return NGX_CONF_ERROR;
    }

    name = conf->prover_names->elts;

    for (i = 0; i < conf->prover_names->nelts; i++) {
        prover = ngx_array_push(conf->provers);
        if (prover == NULL) {
            return NGX_CONF_ERROR;
        }

        *prover = ngx_http_enroll_prover_named(emcf, &name[i]);

        if (*prover == NULL) {
            return ngx_http_enroll_conf_error(cf, &conf->where,
                       "unknown prover \"%V\": declare it with "
                       "enroll_prover", &name[i]);
        }
    }

    return NGX_CONF_OK;
}
