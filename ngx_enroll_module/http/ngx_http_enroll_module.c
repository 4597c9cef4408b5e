
#include "ngx_http_enroll_module.h"
#include "ngx_http_enroll_notify.h"


#define NGX_HTTP_ENROLL_RETAIN         (30LL * 24 * 60 * 60 * 1000)
#define NGX_HTTP_ENROLL_CACHE          1000


static ngx_int_t ngx_http_enroll_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_enroll_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_enroll_process(ngx_cycle_t *cycle);
static void *ngx_http_enroll_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_enroll_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_enroll_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_enroll_merge_handler(ngx_conf_t *cf,
    ngx_http_enroll_loc_conf_t *prev, ngx_http_enroll_loc_conf_t *conf,
    ngx_http_core_loc_conf_t *clcf);
static char *ngx_http_enroll_merge_endpoint(ngx_conf_t *cf,
    ngx_http_enroll_loc_conf_t *prev, ngx_http_enroll_loc_conf_t *conf);
static void ngx_http_enroll_merge_success(ngx_http_enroll_success_t *prev,
    ngx_http_enroll_success_t *conf);


#define NGX_HTTP_ENROLL_ANYWHERE                                              \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


/* 0: events are kept for ever, and records no longer than they live */
static ngx_http_enroll_bounds_t  ngx_http_enroll_partitions_bounds =
    { 1, 256 };
static ngx_http_enroll_bounds_t  ngx_http_enroll_retain_bounds =
    { 0, 3660 * 24 * 60 * 60 * 1000LL };

/* for as long a session that another host revoked still sees its page */
static ngx_http_enroll_bounds_t  ngx_http_enroll_session_cache_bounds =
    { 0, 60 * 1000 };


static ngx_conf_enum_t  ngx_http_enroll_fences[] = {
    { ngx_string("incarnation"), NGX_HTTP_ENROLL_FENCE_INCARNATION },
    { ngx_string("sequence"), NGX_HTTP_ENROLL_FENCE_SEQUENCE },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_enroll_commands[] = {

    { ngx_string("enroll_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_enroll_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_keys"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_keys,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_class"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_enroll_class_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_enroll_issuer_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_prover"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_enroll_prover_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_FLAG,
      ngx_http_enroll_enable,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, enable),
      NULL },

    { ngx_string("enroll_endpoint"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_enroll_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_success"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_1MORE,
      ngx_http_enroll_success,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_authenticator"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_enroll_authenticator_place,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_partitions"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_set_number,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_enroll_main_conf_t, partitions),
      &ngx_http_enroll_partitions_bounds },

    { ngx_string("enroll_retain"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_enroll_set_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, retain),
      &ngx_http_enroll_retain_bounds },

    { ngx_string("enroll_events_retain"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_enroll_set_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, events_retain),
      &ngx_http_enroll_retain_bounds },

    { ngx_string("enroll_session_cache"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_enroll_set_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, session_cache),
      &ngx_http_enroll_session_cache_bounds },

    { ngx_string("enroll_fence"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, fence),
      &ngx_http_enroll_fences },

    { ngx_string("enroll_log"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_enroll_log,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, log),
      NULL },

    { ngx_string("enroll_journal"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_enroll_journal,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_url"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, url),
      NULL },

    { ngx_string("enroll_issue"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_enroll_issue,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_redeem"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_redeem,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_revoke"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_enroll_revoke,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_approve"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_enroll_approve,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_prove"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_enroll_prove,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_prove_at"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, prove_at),
      NULL },

    { ngx_string("enroll_assertion"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE2,
      ngx_http_enroll_assertion,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_jwks"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_enroll_serve_jwks,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_enroll_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_notify"),
      NGX_HTTP_SRV_CONF|NGX_CONF_TAKE3,
      ngx_http_enroll_notify,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    NGX_HTTP_ENROLL_REDIS_COMMANDS,

      ngx_null_command
};


static ngx_http_module_t  ngx_http_enroll_module_ctx = {
    ngx_http_enroll_preconfiguration,      /* preconfiguration */
    ngx_http_enroll_init,                  /* postconfiguration */

    ngx_http_enroll_create_main_conf,      /* create main configuration */
    ngx_http_enroll_init_main_conf,        /* init main configuration */

    ngx_http_enroll_create_srv_conf,       /* create server configuration */
    ngx_http_enroll_merge_srv_conf,        /* merge server configuration */

    ngx_http_enroll_create_loc_conf,       /* create location configuration */
    ngx_http_enroll_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_enroll_module = {
    NGX_MODULE_V1,
    &ngx_http_enroll_module_ctx,           /* module context */
    ngx_http_enroll_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_enroll_journal_module,        /* init module */
    ngx_http_enroll_process,               /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_enroll_redact_exit,           /* exit process */
    ngx_http_enroll_redact_exit,           /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_enroll_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_enroll_variables_init(cf);
}


static ngx_int_t
ngx_http_enroll_init(ngx_conf_t *cf)
{
    ngx_array_t                  *log;
    ngx_http_handler_pt          *h;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_enroll_main_conf_t  *emcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);

    if (ngx_http_enroll_check_slices(cf, emcf) != NGX_OK) {
        return NGX_ERROR;
    }

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_enroll_bearer_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_enroll_bearer_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_enroll_guard_handler;

    /* log handlers run in their order: before that of the access log */

    log = &cmcf->phases[NGX_HTTP_LOG_PHASE].handlers;

    if (ngx_array_push(log) == NULL) {
        return NGX_ERROR;
    }

    h = log->elts;
    ngx_memmove(&h[1], &h[0], (log->nelts - 1) * sizeof(ngx_http_handler_pt));
    h[0] = ngx_http_enroll_bearer_log_handler;

    if (ngx_http_enroll_outcome_init(cf) != NGX_OK
        || ngx_http_enroll_notify_init(cf) != NGX_OK
        || ngx_http_enroll_journal_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_enroll_pages_init(cf);
}


static ngx_int_t
ngx_http_enroll_process(ngx_cycle_t *cycle)
{
    if (ngx_http_enroll_journal_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_enroll_notify_process(cycle);
}


static void *
ngx_http_enroll_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_main_conf_t));
    if (emcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     emcf->keys = NULL;
     *     emcf->zone = NULL;
     *     emcf->landing = { 0, NULL };
     *     emcf->refusal = { 0, NULL };
     *     emcf->notify = NULL;
     *     emcf->journal = NULL;
     */

    emcf->partitions = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&emcf->classes, cf->pool, 4,
                       sizeof(ngx_http_enroll_class_t *))
        != NGX_OK
        || ngx_array_init(&emcf->issuers, cf->pool, 4,
                          sizeof(ngx_http_enroll_issuer_t *))
           != NGX_OK
        || ngx_array_init(&emcf->provers, cf->pool, 2,
                          sizeof(ngx_http_enroll_prover_t *))
           != NGX_OK
        || ngx_array_init(&emcf->logs, cf->pool, 4, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&emcf->slices, cf->pool, 4,
                          sizeof(ngx_http_enroll_slice_t))
           != NGX_OK)
    {
        return NULL;
    }

    return emcf;
}


static char *
ngx_http_enroll_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = conf;

    ngx_conf_init_uint_value(emcf->partitions, 1);

    if (ngx_http_enroll_classes_init(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_enroll_issuers_init(cf, conf);
}


static void *
ngx_http_enroll_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_enroll_srv_conf_t  *escf;

    escf = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_srv_conf_t));
    if (escf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     escf->begins = 0;
     *     escf->guarded = 0;
     */

    if (ngx_array_init(&escf->closed, cf->pool, 4,
                       sizeof(ngx_http_enroll_place_t))
        != NGX_OK
        || ngx_array_init(&escf->ours, cf->pool, 4,
                          sizeof(ngx_http_enroll_place_t))
           != NGX_OK)
    {
        return NULL;
    }

    return escf;
}


static char *
ngx_http_enroll_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    /*
     * begins, closed, ours and guarded are a server's own: there is nothing
     * to inherit
     */

    return NGX_CONF_OK;
}


static void *
ngx_http_enroll_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_enroll_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->success = { 0 };
     *     conf->handler = NULL;
     *     conf->issuers = NULL;
     *     conf->issuer_names = NULL;
     *     conf->provers = NULL;
     *     conf->prover_names = NULL;
     *     conf->url = NULL;
     *     conf->prove_at = NULL;
     *     conf->target = { 0, NULL };
     *     conf->authenticator = { 0, NULL };
     *     conf->assertion_iss = { 0, NULL };
     *     conf->assertion_aud = { 0, NULL };
     *     conf->assertion_where = { NULL, 0 };
     *     conf->where = { NULL, 0 };
     *     conf->ledger = { NULL };
     */

    conf->enable = NGX_CONF_UNSET;
    conf->endpoint = NGX_CONF_UNSET_UINT;
    conf->optional = NGX_CONF_UNSET;
    conf->retain = NGX_CONF_UNSET_MSEC;
    conf->events_retain = NGX_CONF_UNSET_MSEC;
    conf->session_cache = NGX_CONF_UNSET_MSEC;
    conf->fence = NGX_CONF_UNSET_UINT;
    conf->log = NGX_CONF_UNSET_PTR;

    ngx_http_enroll_redis_create_conf(&conf->redis);

    return conf;
}


static char *
ngx_http_enroll_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_enroll_loc_conf_t  *prev = parent;
    ngx_http_enroll_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_enroll_srv_conf_t   *escf;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);
    escf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_enroll_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_conf_merge_value(conf->enable, prev->enable, 0);

    /* the headers in the proxy's name go on all of a server's locations */

    if (conf->enable) {
        escf->guarded = 1;
    }

    ngx_conf_merge_msec_value(conf->retain, prev->retain,
                              NGX_HTTP_ENROLL_RETAIN);
    ngx_conf_merge_msec_value(conf->events_retain, prev->events_retain, 0);
    ngx_conf_merge_uint_value(conf->fence, prev->fence,
                              NGX_HTTP_ENROLL_FENCE_INCARNATION);
    ngx_conf_merge_msec_value(conf->session_cache, prev->session_cache,
                              NGX_HTTP_ENROLL_CACHE);
    ngx_conf_merge_ptr_value(conf->log, prev->log, NULL);

    if (conf->url == NULL) {
        conf->url = prev->url;
    }

    if (conf->prove_at == NULL) {
        conf->prove_at = prev->prove_at;
    }

    ngx_conf_merge_str_value(conf->authenticator, prev->authenticator, "");

    ngx_http_enroll_merge_success(&prev->success, &conf->success);

    /* assertion_iss, assertion_aud, assertion_where */

    if (ngx_http_enroll_assertion_merge(cf, emcf, prev, conf)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* ledger is made by the worker that asks it first */

    if (ngx_http_enroll_merge_handler(cf, prev, conf, clcf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_redis_merge_conf(cf, &prev->redis, &conf->redis)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (emcf->keys
        && ngx_http_enroll_redact_log(cf, clcf->error_log) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_merge_endpoint(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->where.file == NULL) {
        conf->where = prev->where;
    }

    return ngx_http_enroll_check(cf, emcf, conf);
}


/*
 * A handler, and with it issuers, provers (issuer_names, prover_names) and
 * target, is a location's own, but for the if and limit_except blocks in it.
 */

static char *
ngx_http_enroll_merge_handler(ngx_conf_t *cf,
    ngx_http_enroll_loc_conf_t *prev, ngx_http_enroll_loc_conf_t *conf,
    ngx_http_core_loc_conf_t *clcf)
{
    if (conf->handler == NULL
        && clcf->handler == NULL
        && (clcf->noname || clcf->lmt_excpt))
    {
        conf->handler = prev->handler;
        conf->issuer_names = prev->issuer_names;
        conf->issuers = prev->issuers;
        conf->prover_names = prev->prover_names;
        conf->provers = prev->provers;
        conf->target = prev->target;

        clcf->handler = conf->handler;
    }

    if (conf->handler == NULL) {
        return NGX_CONF_OK;
    }

    /* what does not fit would go to a file, with the token in it */

    if (clcf->client_body_buffer_size < NGX_HTTP_ENROLL_BODY_MAX) {
        clcf->client_body_buffer_size = NGX_HTTP_ENROLL_BODY_MAX;
    }

    if (clcf->handler != conf->handler) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "another content handler (such as proxy_pass) stands in "
                   "the same location as this one: they need a location "
                   "each");
    }

    if (conf->endpoint != NGX_CONF_UNSET_UINT) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "\"enroll_endpoint\" stands in the same location as one "
                   "of the module's own handlers: they need a location each");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_merge_endpoint(ngx_conf_t *cf,
    ngx_http_enroll_loc_conf_t *prev, ngx_http_enroll_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_core_srv_conf_t    *cscf;
    ngx_http_enroll_loc_conf_t  *slcf;

    ngx_conf_merge_uint_value(conf->endpoint, prev->endpoint,
                              NGX_HTTP_ENROLL_NONE);
    ngx_conf_merge_value(conf->optional, prev->optional, 0);

    if (conf->endpoint == NGX_HTTP_ENROLL_NONE) {
        return NGX_CONF_OK;
    }

    /* a server that is guarded here and there would not be guarded */

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    slcf = cscf->ctx->loc_conf[ngx_http_enroll_module.ctx_index];

    if (!conf->enable || slcf->enable != 1) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "\"enroll_endpoint\" needs \"enroll on\" in the server");
    }

    /* a finish that goes to a file is not read */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->endpoint == NGX_HTTP_ENROLL_FINISH
        && clcf->client_body_buffer_size < NGX_ENROLL_RESPONSE_MAX)
    {
        clcf->client_body_buffer_size = NGX_ENROLL_RESPONSE_MAX;
    }

    return NGX_CONF_OK;
}


static void
ngx_http_enroll_merge_success(ngx_http_enroll_success_t *prev,
    ngx_http_enroll_success_t *conf)
{
    if (conf->set) {
        return;
    }

    if (prev->set) {
        *conf = *prev;
        return;
    }

    ngx_http_enroll_success_default(conf);
}
