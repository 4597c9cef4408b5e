
#include "ngx_http_enroll_module.h"


#define NGX_HTTP_ENROLL_RETAIN         (30LL * 24 * 60 * 60 * 1000)
#define NGX_HTTP_ENROLL_CACHE          1000
#define NGX_HTTP_ENROLL_CACHE_MAX      60000


static ngx_int_t ngx_http_enroll_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_enroll_init(ngx_conf_t *cf);
static void *ngx_http_enroll_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_enroll_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_enroll_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_enroll_merge_endpoint(ngx_conf_t *cf,
    ngx_http_enroll_loc_conf_t *prev, ngx_http_enroll_loc_conf_t *conf);
static void ngx_http_enroll_merge_success(ngx_http_enroll_success_t *prev,
    ngx_http_enroll_success_t *conf);
static char *ngx_http_enroll_check(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *conf);
static char *ngx_http_enroll_resolve_issuers(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *conf);

static char *ngx_http_enroll_enable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_success(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_success_param(ngx_conf_t *cf,
    ngx_http_enroll_success_t *success, ngx_str_t *value);
static char *ngx_http_enroll_log(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_handler(ngx_conf_t *cf, void *conf,
    ngx_http_handler_pt handler);
static char *ngx_http_enroll_names(ngx_conf_t *cf,
    ngx_http_enroll_loc_conf_t *elcf);
static char *ngx_http_enroll_issue(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_redeem(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_revoke(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#define NGX_HTTP_ENROLL_ANYWHERE                                              \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


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

    { ngx_string("enroll_retain"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, retain),
      NULL },

    { ngx_string("enroll_events_retain"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, events_retain),
      NULL },

    { ngx_string("enroll_session_cache"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, session_cache),
      NULL },

    { ngx_string("enroll_log"),
      NGX_HTTP_ENROLL_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_enroll_log,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, log),
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

    { ngx_string("enroll_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_enroll_status,
      NGX_HTTP_LOC_CONF_OFFSET,
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
    NULL,                                  /* init module */
    NULL,                                  /* init process */
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
    ngx_array_t                *log;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

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

    if (ngx_http_enroll_outcome_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_enroll_pages_init(cf);
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
     */

    emcf->partitions = 1;

    if (ngx_array_init(&emcf->classes, cf->pool, 4,
                       sizeof(ngx_http_enroll_class_t *))
        != NGX_OK
        || ngx_array_init(&emcf->issuers, cf->pool, 4,
                          sizeof(ngx_http_enroll_issuer_t *))
           != NGX_OK
        || ngx_array_init(&emcf->logs, cf->pool, 4, sizeof(void *))
           != NGX_OK)
    {
        return NULL;
    }

    return emcf;
}


static char *
ngx_http_enroll_init_main_conf(ngx_conf_t *cf, void *conf)
{
    return ngx_http_enroll_issuers_init(cf, conf);
}


static void *
ngx_http_enroll_create_srv_conf(ngx_conf_t *cf)
{
    /* begins = 0 by ngx_pcalloc() */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_srv_conf_t));
}


static char *
ngx_http_enroll_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    /* begins is counted within a server: there is nothing to inherit */

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
     *     conf->handler = 0;
     *     conf->issuers = NULL;
     *     conf->issuer_names = NULL;
     *     conf->url = NULL;
     *     conf->target = { 0, NULL };
     *     conf->where = { NULL, 0 };
     *     conf->ledger = { NULL };
     */

    conf->enable = NGX_CONF_UNSET;
    conf->endpoint = NGX_CONF_UNSET_UINT;
    conf->optional = NGX_CONF_UNSET;
    conf->retain = NGX_CONF_UNSET_MSEC;
    conf->events_retain = NGX_CONF_UNSET_MSEC;
    conf->session_cache = NGX_CONF_UNSET_MSEC;
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
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_msec_value(conf->retain, prev->retain,
                              NGX_HTTP_ENROLL_RETAIN);
    ngx_conf_merge_msec_value(conf->events_retain, prev->events_retain, 0);
    ngx_conf_merge_msec_value(conf->session_cache, prev->session_cache,
                              NGX_HTTP_ENROLL_CACHE);
    ngx_conf_merge_ptr_value(conf->log, prev->log, NULL);

    if (conf->url == NULL) {
        conf->url = prev->url;
    }

    ngx_http_enroll_merge_success(&prev->success, &conf->success);

    /*
     * handler, issuers, issuer_names and target are a location's own;
     * ledger is made by the worker that asks it first
     */

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


static char *
ngx_http_enroll_merge_endpoint(ngx_conf_t *cf,
    ngx_http_enroll_loc_conf_t *prev, ngx_http_enroll_loc_conf_t *conf)
{
    ngx_conf_merge_uint_value(conf->endpoint, prev->endpoint,
                              NGX_HTTP_ENROLL_NONE);
    ngx_conf_merge_value(conf->optional, prev->optional, 0);

    if (conf->endpoint != NGX_HTTP_ENROLL_NONE && !conf->enable) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "\"enroll_endpoint\" needs \"enroll on\" in the server");
    }

    if (conf->session_cache > NGX_HTTP_ENROLL_CACHE_MAX) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "invalid \"enroll_session_cache\": a session that was "
                   "revoked would still pass, 1m is the most");
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

    conf->nstatuses = 3;
    conf->statuses[0] = NGX_HTTP_OK;
    conf->statuses[1] = NGX_HTTP_CREATED;
    conf->statuses[2] = NGX_HTTP_NO_CONTENT;
}


/* what a location needs that was to be said elsewhere */

static char *
ngx_http_enroll_check(ngx_conf_t *cf, ngx_http_enroll_main_conf_t *emcf,
    ngx_http_enroll_loc_conf_t *conf)
{
    ngx_uint_t   ledger;
    const char  *wants;

    ledger = conf->handler || (conf->endpoint & NGX_HTTP_ENROLL_CLOSED);

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

    return ngx_http_enroll_resolve_issuers(cf, emcf, conf);
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
    }

    if (conf->handler == NGX_HTTP_ENROLL_ISSUE && conf->url == NULL) {
        return ngx_http_enroll_conf_error(cf, &conf->where,
                   "\"enroll_issue\" needs \"enroll_url\": the public address "
                   "of the enroll_redeem location, to make links of");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    if (elcf->where.file == NULL) {
        ngx_http_enroll_where(cf, &elcf->where);
    }

    return ngx_conf_set_flag_slot(cf, cmd, conf);
}


static char *
ngx_http_enroll_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_enroll_srv_conf_t  *escf;

    static ngx_conf_enum_t  endpoints[] = {
        { ngx_string("open"), NGX_HTTP_ENROLL_OPEN },
        { ngx_string("page"), NGX_HTTP_ENROLL_PAGE },
        { ngx_string("begin"), NGX_HTTP_ENROLL_BEGIN },
        { ngx_string("finish"), NGX_HTTP_ENROLL_FINISH },
        { ngx_null_string, 0 }
    };

    if (elcf->endpoint != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; endpoints[i].name.len; i++) {
        if (ngx_strcmp(value[1].data, endpoints[i].name.data) == 0) {
            elcf->endpoint = endpoints[i].value;
        }
    }

    if (elcf->endpoint == NGX_CONF_UNSET_UINT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid endpoint \"%V\": it is one of \"open\", "
                           "\"page\", \"begin\", \"finish\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    elcf->optional = 0;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "optional") != 0
            || elcf->endpoint == NGX_HTTP_ENROLL_OPEN)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": \"optional\" may "
                               "follow \"page\", \"begin\" or \"finish\"",
                               &value[2]);
            return NGX_CONF_ERROR;
        }

        elcf->optional = 1;
    }

    if (elcf->endpoint == NGX_HTTP_ENROLL_BEGIN) {
        escf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_enroll_module);
        escf->begins++;
    }

    ngx_http_enroll_where(cf, &elcf->where);

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_success(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_http_enroll_success_t  *success;

    success = &elcf->success;

    if (success->set) {
        return "is duplicate";
    }

    success->set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_enroll_success_param(cf, success, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (success->nstatuses == 0 && success->variable == NULL) {
        success->nstatuses = 3;
        success->statuses[0] = NGX_HTTP_OK;
        success->statuses[1] = NGX_HTTP_CREATED;
        success->statuses[2] = NGX_HTTP_NO_CONTENT;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_success_param(ngx_conf_t *cf,
    ngx_http_enroll_success_t *success, ngx_str_t *value)
{
    u_char                            *p;
    ngx_int_t                          status;
    ngx_http_compile_complex_value_t   ccv;

    if (value->data[0] == '$' && success->variable == NULL) {

        success->variable = ngx_palloc(cf->pool,
                                       sizeof(ngx_http_complex_value_t));
        if (success->variable == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = value;
        ccv.complex_value = success->variable;

        return ngx_http_compile_complex_value(&ccv) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p && p > value->data && success->member.len == 0) {
        *p = '\0';
        success->member.data = value->data;
        success->member.len = p - value->data;
        success->value.data = p + 1;
        success->value.len = value->data + value->len - p - 1;
        return NGX_CONF_OK;
    }

    status = ngx_atoi(value->data, value->len);

    if (status >= 200 && status < 400
        && success->nstatuses < NGX_HTTP_ENROLL_STATUSES_MAX)
    {
        success->statuses[success->nstatuses++] = status;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\": \"enroll_success\" takes "
                       "statuses from 200 to 399, one $variable, and one "
                       "member=value of a JSON body", value);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_enroll_log(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    ngx_str_t  *value;

    if (elcf->log != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    elcf->log = ngx_conf_open_file(cf->cycle, &value[1]);

    return elcf->log ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_enroll_handler(ngx_conf_t *cf, void *conf,
    ngx_http_handler_pt handler)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (elcf->handler) {
        return "is duplicate, or a second handler for the same location";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = handler;

    ngx_http_enroll_where(cf, &elcf->where);

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_names(ngx_conf_t *cf, ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    elcf->issuer_names = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
    if (elcf->issuer_names == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        name = ngx_array_push(elcf->issuer_names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_issue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    rv = ngx_http_enroll_handler(cf, conf, ngx_http_enroll_issue_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    elcf->handler = NGX_HTTP_ENROLL_ISSUE;

    return ngx_http_enroll_names(cf, elcf);
}


static char *
ngx_http_enroll_redeem(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_enroll_handler(cf, conf, ngx_http_enroll_redeem_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    if (value[1].data[0] != '/' || value[1].data[1] == '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid target \"%V\": it is the path of a page "
                           "endpoint on this server, and begins with a "
                           "slash", &value[1]);
        return NGX_CONF_ERROR;
    }

    elcf->handler = NGX_HTTP_ENROLL_REDEEM;
    elcf->target = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    char  *rv;

    rv = ngx_http_enroll_handler(cf, conf, ngx_http_enroll_revoke_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    elcf->handler = NGX_HTTP_ENROLL_REVOKE;

    return ngx_http_enroll_names(cf, elcf);
}


static char *
ngx_http_enroll_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    char  *rv;

    rv = ngx_http_enroll_handler(cf, conf, ngx_http_enroll_status_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    elcf->handler = NGX_HTTP_ENROLL_STATUS;

    return NGX_CONF_OK;
}
