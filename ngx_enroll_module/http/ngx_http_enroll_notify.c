
/* Events out: where it is said, and who on this host takes part. */

#include "ngx_http_enroll_teller.h"
#include "ngx_enroll_text.h"
#include "ngx_enroll_uri.h"

#include <openssl/rand.h>


#define NGX_HTTP_ENROLL_NOTIFY_NAME  255       /* bytes of iss and aud */


typedef struct {
    ngx_http_enroll_main_conf_t    *emcf;
    ngx_http_enroll_teller_t       *tellers;   /* one a partition */
} ngx_http_enroll_notifier_t;


static char *ngx_http_enroll_notify_param(ngx_conf_t *cf,
    ngx_http_enroll_notify_t *notify, ngx_str_t *value);
static ngx_int_t ngx_http_enroll_notify_tellers(ngx_cycle_t *cycle,
    ngx_http_enroll_notifier_t *notifier);
static ngx_int_t ngx_http_enroll_notify_name(ngx_cycle_t *cycle,
    ngx_str_t *name);
static ngx_int_t ngx_http_enroll_notify_listen(
    ngx_http_enroll_notifier_t *notifier);
static void ngx_http_enroll_notify_leave(ngx_event_t *ev);
static void ngx_http_enroll_notify_cleanup(void *data);


char *
ngx_http_enroll_notify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t  *emcf = conf;

    u_char                    *p;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_enroll_notify_t  *notify;

    if (emcf->notify) {
        return "is duplicate: one place in the configuration tells others";
    }

    notify = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_notify_t));
    if (notify == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (!ngx_enroll_uri_canonical(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid uri \"%V\": it is that of an internal "
                           "location of this server, and begins with a slash",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    notify->uri = value[1];
    p = ngx_strlchr(value[1].data, value[1].data + value[1].len, '?');

    if (p) {
        notify->uri.len = p - value[1].data;
        notify->args.data = p + 1;
        notify->args.len = value[1].len - notify->uri.len - 1;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_enroll_notify_param(cf, notify, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    notify->server = ngx_http_conf_get_module_srv_conf(cf,
                                                       ngx_http_core_module);
    ngx_http_enroll_where(cf, &notify->where);
    emcf->notify = notify;

    return NGX_CONF_OK;
}


/* of two parameters that are not the same both are there */

static char *
ngx_http_enroll_notify_param(ngx_conf_t *cf, ngx_http_enroll_notify_t *notify,
    ngx_str_t *value)
{
    ngx_str_t  *to;

    to = NULL;

    if (ngx_strncmp(value->data, "iss=", 4) == 0) {
        to = &notify->iss;

    } else if (ngx_strncmp(value->data, "aud=", 4) == 0) {
        to = &notify->aud;
    }

    if (to && to->len == 0) {
        to->data = value->data + 4;
        to->len = value->len - 4;

        if (to->len && to->len <= NGX_HTTP_ENROLL_NOTIFY_NAME
            && ngx_enroll_text_is_printable(to))
        {
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\": \"enroll_notify\" takes "
                       "iss=URL and aud=URL, each once and of 1 to %d "
                       "printable characters", value,
                       NGX_HTTP_ENROLL_NOTIFY_NAME);

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_enroll_notify_init(ngx_conf_t *cf)
{
    const char                   *wants;
    ngx_http_handler_pt          *h;
    ngx_http_enroll_notify_t     *notify;
    ngx_http_enroll_loc_conf_t   *elcf;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);
    notify = emcf->notify;

    if (notify == NULL) {
        return NGX_OK;
    }

    elcf = notify->server->ctx->loc_conf[ngx_http_enroll_module.ctx_index];

    wants = emcf->zone == NULL
            ? "a shared zone: say \"enroll_zone enroll 10m\" in http"
            : emcf->keys == NULL
            ? "keys: say \"enroll_keys file\" in http"
            : emcf->keys->signer == NULL
            ? "a key to sign by: an EC key with its private part, of the "
              "curve P-256, in the file of \"enroll_keys\""
            : elcf->redis.ready == NULL
            ? "a Redis: say \"enroll_redis address\" in its server"
            : NULL;

    if (wants) {
        (void) ngx_http_enroll_conf_error(cf, &notify->where,
                                          "\"enroll_notify\" needs %s", wants);
        return NGX_ERROR;
    }

    /* handlers run from the last to the first */

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_enroll_send_handler;

    return NGX_OK;
}


ngx_int_t
ngx_http_enroll_notify_process(ngx_cycle_t *cycle)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_enroll_notifier_t   *notifier;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_enroll_module);

    /* a worker that dies is replaced by one of its number */

    if (emcf == NULL
        || emcf->notify == NULL
        || ngx_process != NGX_PROCESS_WORKER
        || ngx_worker != 0)
    {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cycle->pool,
                               sizeof(ngx_http_enroll_notifier_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    notifier = cln->data;
    notifier->emcf = emcf;

    if (ngx_http_enroll_notify_tellers(cycle, notifier) != NGX_OK) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_enroll_notify_cleanup;

    return ngx_http_enroll_notify_listen(notifier);
}


static ngx_int_t
ngx_http_enroll_notify_tellers(ngx_cycle_t *cycle,
    ngx_http_enroll_notifier_t *notifier)
{
    ngx_str_t                     name;
    ngx_uint_t                    i;
    ngx_enroll_redis_t           *redis;
    ngx_http_enroll_teller_t     *tellers;
    ngx_http_enroll_loc_conf_t   *elcf;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = notifier->emcf;
    elcf = emcf->notify->server->ctx->loc_conf[
                                            ngx_http_enroll_module.ctx_index];

    redis = ngx_http_enroll_redis_client(&elcf->redis, cycle->log);
    tellers = ngx_pcalloc(cycle->pool, emcf->partitions
                                       * sizeof(ngx_http_enroll_teller_t));

    if (redis == NULL
        || tellers == NULL
        || ngx_http_enroll_notify_name(cycle, &name) != NGX_OK)
    {
        return NGX_ERROR;
    }

    notifier->tellers = tellers;

    for (i = 0; i < emcf->partitions; i++) {
        tellers[i].conf = emcf->notify;
        tellers[i].emcf = emcf;
        tellers[i].redis = redis;
        tellers[i].name = name;
        tellers[i].partition = i;

        ngx_http_enroll_teller_start(&tellers[i]);
    }

    return NGX_OK;
}


/* whoever looks into Redis wants to know who it is */

static ngx_int_t
ngx_http_enroll_notify_name(ngx_cycle_t *cycle, ngx_str_t *name)
{
    uint32_t  random;

    name->data = ngx_pnalloc(cycle->pool, cycle->hostname.len
                                          + 2 * NGX_INT64_LEN);

    if (name->data == NULL
        || RAND_bytes((u_char *) &random, sizeof(random)) != 1)
    {
        return NGX_ERROR;
    }

    name->len = ngx_sprintf(name->data, "%V:%P:%08xD", &cycle->hostname,
                            ngx_pid, random)
                - name->data;

    return NGX_OK;
}


/*
 * nginx tells its idle connections when the worker is to leave. One that
 * never gets anything to read hears of it for us: what is held is given back,
 * and the next worker need not wait until the lease is over.
 */

static ngx_int_t
ngx_http_enroll_notify_listen(ngx_http_enroll_notifier_t *notifier)
{
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = ngx_socket(AF_UNIX, SOCK_STREAM, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                      ngx_socket_n " failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(s, ngx_cycle->log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return NGX_ERROR;
    }

    c->data = notifier;
    c->log = ngx_cycle->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_http_enroll_notify_leave;
    c->idle = 1;

    return NGX_OK;
}


static void
ngx_http_enroll_notify_leave(ngx_event_t *ev)
{
    ngx_uint_t                   i;
    ngx_connection_t            *c;
    ngx_http_enroll_notifier_t  *notifier;

    c = ev->data;
    notifier = c->data;

    ngx_close_connection(c);

    for (i = 0; i < notifier->emcf->partitions; i++) {
        ngx_http_enroll_teller_leave(&notifier->tellers[i]);
    }
}


static void
ngx_http_enroll_notify_cleanup(void *data)
{
    ngx_http_enroll_notifier_t *notifier = data;

    ngx_uint_t  i;

    for (i = 0; i < notifier->emcf->partitions; i++) {
        ngx_http_enroll_teller_drop(&notifier->tellers[i]);
    }
}
