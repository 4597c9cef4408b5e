
#include "ngx_http_enroll_redis.h"
#include "ngx_http_enroll_secret.h"
#include "ngx_enroll_script.h"

#include <ngx_md5.h>


#define NGX_HTTP_ENROLL_REDIS_PASSWORD_MAX  1024

/* that can be waited for, and for how long: what a timeout allows, below */
#define NGX_HTTP_ENROLL_REDIS_REPLICAS_MAX  100
#define NGX_HTTP_ENROLL_REDIS_WAIT_MAX      20000

/* intermediates between Redis' certificate and the trusted one */
#define NGX_HTTP_ENROLL_REDIS_SSL_DEPTH  3


struct ngx_http_enroll_redis_shared_s {
    ngx_enroll_redis_conf_t    conf;
    ngx_enroll_redis_t        *client;           /* this worker's */
};


static ngx_uint_t ngx_http_enroll_redis_given(
    const ngx_http_enroll_redis_conf_t *conf);
static void ngx_http_enroll_redis_merge(ngx_http_enroll_redis_conf_t *prev,
    ngx_http_enroll_redis_conf_t *conf);
static char *ngx_http_enroll_redis_finish_main(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *main);
static char *ngx_http_enroll_redis_finish(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf);
static char *ngx_http_enroll_redis_users(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf);
static char *ngx_http_enroll_redis_times(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf);
static char *ngx_http_enroll_redis_servers(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_enroll_redis_conf_t *ready);
static ngx_resolver_t *ngx_http_enroll_redis_resolver(ngx_conf_t *cf,
    const ngx_http_enroll_redis_conf_t *conf, ngx_msec_t *timeout);
static char *ngx_http_enroll_redis_locate(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, const ngx_url_t *at,
    ngx_enroll_redis_conf_t *ready);
static char *ngx_http_enroll_redis_ssl(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_enroll_redis_conf_t *ready);
static char *ngx_http_enroll_redis_ssl_check(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_enroll_redis_conf_t *ready);
static ngx_str_t ngx_http_enroll_redis_host(const ngx_url_t *url);
static char *ngx_http_enroll_redis_ssl_files(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_ssl_t *ssl);
static char *ngx_http_enroll_redis_error(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, const char *message);
static char *ngx_http_enroll_redis_addresses(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_uint_t first, in_port_t port);
static char *ngx_http_enroll_redis_url(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_url_t *url);


ngx_http_enroll_bounds_t
    ngx_http_enroll_redis_database_bounds = { 0, NGX_MAX_INT32_VALUE };
ngx_http_enroll_bounds_t
    ngx_http_enroll_redis_timeout_bounds = { 1, 60000 };
ngx_http_enroll_bounds_t
    ngx_http_enroll_redis_queue_bounds = { 1, 1000000 };
ngx_http_enroll_bounds_t
    ngx_http_enroll_redis_failures_bounds = { 1, 1000 };
ngx_http_enroll_bounds_t
    ngx_http_enroll_redis_retry_bounds = { 10, 60000 };


ngx_enroll_redis_t *
ngx_http_enroll_redis_client(ngx_http_enroll_redis_conf_t *conf,
    ngx_log_t *log)
{
    ngx_http_enroll_redis_shared_t  *shared;

    shared = conf->shared;

    if (shared == NULL) {
        return NULL;
    }

    if (shared->client == NULL) {
        shared->client = ngx_enroll_redis_create(&shared->conf, log);
    }

    return shared->client;
}


void
ngx_http_enroll_redis_name(const ngx_http_enroll_redis_conf_t *conf,
    ngx_uint_t partitions, u_char *name)
{
    ngx_md5_t                       md5;
    ngx_uint_t                      i;
    const ngx_enroll_redis_conf_t  *ready;

    ready = conf->ready;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, &partitions, sizeof(ngx_uint_t));
    ngx_md5_update(&md5, &ready->topology,
                   sizeof(ngx_enroll_redis_topology_e));
    ngx_md5_update(&md5, &ready->database, sizeof(ngx_uint_t));
    ngx_md5_update(&md5, ready->address.data, ready->address.len);

    for (i = 0; i < ready->nservers; i++) {
        ngx_md5_update(&md5, " ", 1);
        ngx_md5_update(&md5, ready->servers[i].address.data,
                       ready->servers[i].address.len);
    }

    ngx_md5_final(name, &md5);
}


void
ngx_http_enroll_redis_create_conf(ngx_http_enroll_redis_conf_t *conf)
{
    conf->url = NULL;
    conf->nurls = 0;
    conf->topology = NGX_ENROLL_REDIS_SINGLE;
    ngx_str_null(&conf->master);
    conf->directive = NULL;
    conf->file = NULL;
    conf->line = 0;

    ngx_str_null(&conf->user);
    ngx_str_null(&conf->password);
    ngx_str_null(&conf->sentinel_user);
    ngx_str_null(&conf->sentinel_password);
    conf->database = NGX_CONF_UNSET;

    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->queue = NGX_CONF_UNSET;
    conf->failures = NGX_CONF_UNSET;
    conf->retry = NGX_CONF_UNSET_MSEC;

    conf->replicas = NGX_CONF_UNSET;
    conf->wait = NGX_CONF_UNSET_MSEC;

    conf->ssl = NGX_CONF_UNSET;
    conf->ssl_verify = NGX_CONF_UNSET;
    ngx_str_null(&conf->ssl_trusted_certificate);
    ngx_str_null(&conf->ssl_name);
    ngx_str_null(&conf->ssl_certificate);
    ngx_str_null(&conf->ssl_certificate_key);
    conf->ssl_protocols = 0;

    conf->ready = NULL;
    conf->shared = NULL;
}


char *
ngx_http_enroll_redis_merge_conf(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *prev, ngx_http_enroll_redis_conf_t *conf)
{
    ngx_uint_t       given;
    ngx_msec_t       timeout;
    ngx_resolver_t  *resolver;

    given = ngx_http_enroll_redis_given(conf);

    if (prev->url && prev->ready == NULL && !given) {

        /* http{} itself is never merged */

        if (ngx_http_enroll_redis_finish_main(cf, prev) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_http_enroll_redis_merge(prev, conf);

    if (conf->url == NULL) {
        return NGX_CONF_OK;
    }

    resolver = ngx_http_enroll_redis_resolver(cf, conf, &timeout);

    if (!given
        && prev->ready->resolver == resolver
        && prev->ready->resolver_timeout == timeout)
    {
        conf->ready = prev->ready;
        conf->shared = prev->shared;
        return NGX_CONF_OK;
    }

    return ngx_http_enroll_redis_finish(cf, conf);
}


static ngx_uint_t
ngx_http_enroll_redis_given(const ngx_http_enroll_redis_conf_t *conf)
{
    return conf->url
           || conf->user.data
           || conf->password.data
           || conf->sentinel_user.data
           || conf->sentinel_password.data
           || conf->database != NGX_CONF_UNSET
           || conf->timeout != NGX_CONF_UNSET_MSEC
           || conf->queue != NGX_CONF_UNSET
           || conf->failures != NGX_CONF_UNSET
           || conf->retry != NGX_CONF_UNSET_MSEC
           || conf->replicas != NGX_CONF_UNSET
           || conf->ssl != NGX_CONF_UNSET
           || conf->ssl_verify != NGX_CONF_UNSET
           || conf->ssl_trusted_certificate.data
           || conf->ssl_name.data
           || conf->ssl_certificate.data
           || conf->ssl_certificate_key.data
           || conf->ssl_protocols;
}


static void
ngx_http_enroll_redis_merge(ngx_http_enroll_redis_conf_t *prev,
    ngx_http_enroll_redis_conf_t *conf)
{
    if (conf->url == NULL) {
        conf->url = prev->url;
        conf->nurls = prev->nurls;
        conf->topology = prev->topology;
        conf->master = prev->master;
        conf->directive = prev->directive;
        conf->file = prev->file;
        conf->line = prev->line;
    }

    ngx_conf_merge_str_value(conf->user, prev->user, "");
    ngx_conf_merge_str_value(conf->password, prev->password, "");
    ngx_conf_merge_str_value(conf->sentinel_user, prev->sentinel_user, "");
    ngx_conf_merge_str_value(conf->sentinel_password,
                             prev->sentinel_password, "");
    ngx_conf_merge_value(conf->database, prev->database, 0);

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 500);
    ngx_conf_merge_value(conf->queue, prev->queue, 1024);
    ngx_conf_merge_value(conf->failures, prev->failures, 5);
    ngx_conf_merge_msec_value(conf->retry, prev->retry, 500);

    ngx_conf_merge_value(conf->replicas, prev->replicas, 0);
    ngx_conf_merge_msec_value(conf->wait, prev->wait, 0);

    ngx_conf_merge_value(conf->ssl, prev->ssl, 0);
    ngx_conf_merge_value(conf->ssl_verify, prev->ssl_verify, 1);
    ngx_conf_merge_str_value(conf->ssl_trusted_certificate,
                             prev->ssl_trusted_certificate, "");
    ngx_conf_merge_str_value(conf->ssl_name, prev->ssl_name, "");
    ngx_conf_merge_str_value(conf->ssl_certificate,
                             prev->ssl_certificate, "");
    ngx_conf_merge_str_value(conf->ssl_certificate_key,
                             prev->ssl_certificate_key, "");

    if (conf->ssl_protocols == 0) {
        conf->ssl_protocols = prev->ssl_protocols
                              ? prev->ssl_protocols
                              : NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3;
    }
}


static char *
ngx_http_enroll_redis_finish_main(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *main)
{
    ngx_http_enroll_redis_conf_t  none;

    ngx_http_enroll_redis_create_conf(&none);
    ngx_http_enroll_redis_merge(&none, main);

    return ngx_http_enroll_redis_finish(cf, main);
}


static char *
ngx_http_enroll_redis_finish(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf)
{
    ngx_enroll_redis_conf_t         *ready;
    ngx_http_enroll_redis_shared_t  *shared;

    shared = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_redis_shared_t));
    if (shared == NULL) {
        return NGX_CONF_ERROR;
    }

    ready = &shared->conf;

    if (ngx_http_enroll_redis_users(cf, conf) != NGX_CONF_OK
        || ngx_http_enroll_redis_times(cf, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ready->user = conf->user;
    ready->password = conf->password;
    ready->database = conf->database;
    ready->timeout = conf->timeout;
    ready->queue = conf->queue;
    ready->failures = conf->failures;
    ready->retry = conf->retry;
    ready->replicas = conf->replicas;
    ready->wait = conf->wait;
    ready->probe = ngx_enroll_script_probe;

    ready->topology = conf->topology;
    ready->master = conf->master;

    if (conf->ssl
        && ngx_http_enroll_redis_ssl(cf, conf, ready) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->topology != NGX_ENROLL_REDIS_SINGLE) {
        if (ngx_http_enroll_redis_servers(cf, conf, ready) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }

    } else if (ngx_http_enroll_redis_locate(cf, conf, conf->url, ready)
               != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    conf->ready = ready;
    conf->shared = shared;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_redis_users(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf)
{
    if (conf->user.len && conf->password.len == 0) {
        return ngx_http_enroll_redis_error(cf, conf,
                  "\"enroll_redis_user\" needs \"enroll_redis_password_file\"");
    }

    if (conf->sentinel_user.len && conf->sentinel_password.len == 0) {
        return ngx_http_enroll_redis_error(cf, conf,
                                  "\"enroll_redis_sentinel_user\" needs "
                                  "\"enroll_redis_sentinel_password_file\"");
    }

    return NGX_CONF_OK;
}


/*
 * A call may have to wait for those before it, then for its own replicas: that
 * these are missing must not look as if Redis were.
 */

static char *
ngx_http_enroll_redis_times(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf)
{
    u_char  message[256],
            wait[NGX_HTTP_ENROLL_TIME_LEN],
            timeout[NGX_HTTP_ENROLL_TIME_LEN],
            least[NGX_HTTP_ENROLL_TIME_LEN];

    if (3 * conf->wait <= conf->timeout) {
        return NGX_CONF_OK;
    }

    *ngx_snprintf(message, sizeof(message) - 1,
                  "\"enroll_redis_wait\" of %s needs "
                  "\"enroll_redis_timeout %s\" or more, it is %s: a call may "
                  "have to wait for others first, and Redis takes its time",
                  ngx_http_enroll_time(wait, conf->wait),
                  ngx_http_enroll_time(least, 3 * conf->wait),
                  ngx_http_enroll_time(timeout, conf->timeout)) = '\0';

    return ngx_http_enroll_redis_error(cf, conf, (char *) message);
}


/* Those who are asked where the master is, or who has which slots. */

static char *
ngx_http_enroll_redis_servers(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_enroll_redis_conf_t *ready)
{
    ngx_uint_t                i;
    ngx_enroll_redis_conf_t  *servers, *server;

    if (conf->topology == NGX_ENROLL_REDIS_CLUSTER && conf->database) {
        return ngx_http_enroll_redis_error(cf, conf,
                              "a cluster has no databases, "
                              "\"enroll_redis_database\" must be 0");
    }

    servers = ngx_pcalloc(cf->pool,
                          conf->nurls * sizeof(ngx_enroll_redis_conf_t));
    if (servers == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < conf->nurls; i++) {
        server = &servers[i];
        *server = *ready;

        server->asked = 1;

        if (conf->topology == NGX_ENROLL_REDIS_SENTINEL) {
            server->user = conf->sentinel_user;
            server->password = conf->sentinel_password;
        }

        if (ngx_http_enroll_redis_locate(cf, conf, &conf->url[i], server)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        if (conf->ssl && server->ssl_name.len == 0) {
            server->ssl_name = ngx_http_enroll_redis_host(&conf->url[i]);
        }
    }

    ready->address = conf->master.len ? conf->master : conf->url->url;
    ready->servers = servers;
    ready->nservers = conf->nurls;
    ready->resolver = ngx_http_enroll_redis_resolver(cf, conf,
                                                  &ready->resolver_timeout);
    return NGX_CONF_OK;
}


/*
 * The resolver that finds Redis at run time, or NULL: it is found now. What
 * others tell may always be a name.
 */

static ngx_resolver_t *
ngx_http_enroll_redis_resolver(ngx_conf_t *cf,
    const ngx_http_enroll_redis_conf_t *conf, ngx_msec_t *timeout)
{
    ngx_http_core_loc_conf_t  *clcf;

    *timeout = 0;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if ((conf->url->naddrs && conf->topology == NGX_ENROLL_REDIS_SINGLE)
        || clcf->resolver == NULL
        || clcf->resolver->connections.nelts == 0)
    {
        return NULL;
    }

    *timeout = clcf->resolver_timeout;

    return clcf->resolver;
}


static char *
ngx_http_enroll_redis_locate(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, const ngx_url_t *at,
    ngx_enroll_redis_conf_t *ready)
{
    ngx_url_t  url;

    /* a copy: a place with a resolver may inherit the name */
    url = *at;

    ready->address = url.url;
    ready->host = url.host;
    ready->port = url.port;
    ready->resolver = ngx_http_enroll_redis_resolver(cf, conf,
                                                  &ready->resolver_timeout);

    if (url.naddrs == 0 && ready->resolver == NULL) {

        if (ngx_inet_resolve_host(cf->pool, &url) != NGX_OK) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "%s in \"%s %V\", name a host that resolves "
                          "now, or set \"resolver\" in %s:%ui",
                          url.err ? url.err : "no memory", conf->directive,
                          &url.url, conf->file, conf->line);
            return NGX_CONF_ERROR;
        }
    }

    ready->addrs = url.addrs;
    ready->naddrs = url.naddrs;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_redis_ssl(ngx_conf_t *cf, ngx_http_enroll_redis_conf_t *conf,
    ngx_enroll_redis_conf_t *ready)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    if (ngx_http_enroll_redis_ssl_check(cf, conf, ready) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, conf->ssl_protocols, NULL) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    ready->ssl = ssl;
    ready->ssl_verify = conf->ssl_verify;

    return ngx_http_enroll_redis_ssl_files(cf, conf, ssl);
}


static char *
ngx_http_enroll_redis_ssl_check(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_enroll_redis_conf_t *ready)
{
    if (conf->ssl_certificate.len && conf->ssl_certificate_key.len == 0) {
        return ngx_http_enroll_redis_error(cf, conf,
                                  "\"enroll_redis_ssl_certificate\" needs "
                                  "\"enroll_redis_ssl_certificate_key\"");
    }

    if (conf->ssl_verify && conf->ssl_trusted_certificate.len == 0) {
        return ngx_http_enroll_redis_error(cf, conf,
                          "\"enroll_redis_ssl on\" needs "
                          "\"enroll_redis_ssl_trusted_certificate\" to know "
                          "Redis by (or \"enroll_redis_ssl_verify off\", "
                          "which trusts anybody)");
    }

    ready->ssl_name = conf->ssl_name;

    if (conf->ssl_name.len || conf->topology != NGX_ENROLL_REDIS_SINGLE) {
        /* else it is the name of whom they tell */
        return NGX_CONF_OK;
    }

    if (conf->url->family == AF_UNIX) {

        if (conf->ssl_verify) {
            return ngx_http_enroll_redis_error(cf, conf,
                          "\"enroll_redis_ssl on\" with a unix socket needs "
                          "\"enroll_redis_ssl_name\", the name in Redis' "
                          "certificate");
        }

        return NGX_CONF_OK;
    }

    ready->ssl_name = ngx_http_enroll_redis_host(conf->url);

    return NGX_CONF_OK;
}


static ngx_str_t
ngx_http_enroll_redis_host(const ngx_url_t *url)
{
    ngx_str_t  host;

    host = url->host;

    if (host.data[0] == '[') {
        host.data++;
        host.len -= 2;
    }

    return host;
}


static char *
ngx_http_enroll_redis_ssl_files(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_ssl_t *ssl)
{
    if (conf->ssl_certificate.len
        && ngx_ssl_certificate(cf, ssl, &conf->ssl_certificate,
                               &conf->ssl_certificate_key, NULL)
           != NGX_OK)
    {
        return ngx_http_enroll_redis_error(cf, conf,
                          "\"enroll_redis_ssl_certificate\" and its key must "
                          "be PEM files that belong together");
    }

    if (conf->ssl_trusted_certificate.len
        && ngx_ssl_trusted_certificate(cf, ssl,
                                       &conf->ssl_trusted_certificate,
                                       NGX_HTTP_ENROLL_REDIS_SSL_DEPTH)
           != NGX_OK)
    {
        return ngx_http_enroll_redis_error(cf, conf,
                          "\"enroll_redis_ssl_trusted_certificate\" must be "
                          "a PEM file of CA certificates");
    }

    return NGX_CONF_OK;
}


/* cf has passed the directive when this is found. */

static char *
ngx_http_enroll_redis_error(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, const char *message)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "%s, for \"%s %V\" in %s:%ui", message, conf->directive,
                  conf->master.len ? &conf->master : &conf->url->url,
                  conf->file, conf->line);

    return NGX_CONF_ERROR;
}


char *
ngx_http_enroll_redis_address(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_redis_conf_t  *rcf;

    rcf = (ngx_http_enroll_redis_conf_t *) ((u_char *) conf + cmd->offset);

    return ngx_http_enroll_redis_addresses(cf, rcf, 1,
                                           NGX_HTTP_ENROLL_REDIS_PORT);
}


char *
ngx_http_enroll_redis_cluster(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_redis_conf_t  *rcf;

    rcf = (ngx_http_enroll_redis_conf_t *) ((u_char *) conf + cmd->offset);

    if (rcf->url == NULL) {
        rcf->topology = NGX_ENROLL_REDIS_CLUSTER;
    }

    return ngx_http_enroll_redis_addresses(cf, rcf, 1,
                                           NGX_HTTP_ENROLL_REDIS_PORT);
}


char *
ngx_http_enroll_redis_sentinel(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    u_char                         c;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_enroll_redis_conf_t  *rcf;

    rcf = (ngx_http_enroll_redis_conf_t *) ((u_char *) conf + cmd->offset);

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        c = value[1].data[i];

        if (c <= ' ' || c >= 0x7f || c == '"') {
            break;
        }
    }

    if (value[1].len == 0 || i < value[1].len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"enroll_redis_sentinel\" needs the name that the "
                           "sentinels know the master by, in printable "
                           "characters, before their addresses");
        return NGX_CONF_ERROR;
    }

    if (rcf->url == NULL) {
        rcf->topology = NGX_ENROLL_REDIS_SENTINEL;
        rcf->master = value[1];
    }

    return ngx_http_enroll_redis_addresses(cf, rcf, 2,
                                         NGX_HTTP_ENROLL_REDIS_SENTINEL_PORT);
}


static char *
ngx_http_enroll_redis_addresses(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *conf, ngx_uint_t first, in_port_t port)
{
    ngx_str_t   *value;
    ngx_url_t   *url;
    ngx_uint_t   i;

    value = cf->args->elts;

    if (conf->url) {
        if (ngx_strcmp(conf->directive, value[0].data) == 0) {
            return "is duplicate";
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" and \"%s\" exclude each other, say one of "
                           "them", &value[0], conf->directive);
        return NGX_CONF_ERROR;
    }

    conf->nurls = cf->args->nelts - first;

    url = ngx_pcalloc(cf->pool, conf->nurls * sizeof(ngx_url_t));
    if (url == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < conf->nurls; i++) {
        url[i].url = value[first + i];
        url[i].default_port = port;

        if (ngx_http_enroll_redis_url(cf, conf, &url[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    conf->url = url;
    conf->directive = (const char *) value[0].data;
    conf->file = cf->conf_file->file.name.data;
    conf->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_redis_url(ngx_conf_t *cf, ngx_http_enroll_redis_conf_t *conf,
    ngx_url_t *url)
{
    ngx_str_t   *value, given;
    ngx_uint_t   single;

    value = cf->args->elts;
    single = (conf->topology == NGX_ENROLL_REDIS_SINGLE);
    given = url->url;

    url->no_resolve = 1;

    if (ngx_parse_url(cf->pool, url) != NGX_OK
        || (url->family == AF_UNIX && !single))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"%V %V\", it must be "
                           "\"host[:port]\", \"address[:port]\"%s "
                           "\"[IPv6 address][:port]\"%s",
                           url->err ? url->err : "invalid address",
                           &value[0], &given, single ? "," : " or",
                           single ? " or \"unix:/path\"" : "");
        return NGX_CONF_ERROR;
    }

    /* the resolver's way */
    if (url->naddrs == 0) {
        ngx_strlow(url->host.data, url->host.data, url->host.len);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_enroll_redis_wait(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                      n, time;
    ngx_str_t                     *value;
    ngx_http_enroll_redis_conf_t  *rcf;

    rcf = (ngx_http_enroll_redis_conf_t *) ((u_char *) conf + cmd->offset);

    if (rcf->replicas != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        rcf->replicas = 0;
        rcf->wait = 0;
        return NGX_CONF_OK;
    }

    n = NGX_ERROR;
    time = NGX_ERROR;

    if (cf->args->nelts == 3) {
        n = ngx_atoi(value[1].data, value[1].len);
        time = ngx_parse_time(&value[2], 0);
    }

    if (n < 1 || n > NGX_HTTP_ENROLL_REDIS_REPLICAS_MAX
        || time < 1 || time > NGX_HTTP_ENROLL_REDIS_WAIT_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must be \"off\", or how many replicas, 1 "
                           "to %d, and a time from 1ms to %ds", &value[0],
                           NGX_HTTP_ENROLL_REDIS_REPLICAS_MAX,
                           NGX_HTTP_ENROLL_REDIS_WAIT_MAX / 1000);
        return NGX_CONF_ERROR;
    }

    rcf->replicas = n;
    rcf->wait = (ngx_msec_t) time;

    return NGX_CONF_OK;
}


char *
ngx_http_enroll_redis_string(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "must not be empty";
    }

    return ngx_conf_set_str_slot(cf, cmd, conf);
}


char *
ngx_http_enroll_redis_password_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    u_char     *end;
    ngx_str_t  *value, *password, text;

    password = (ngx_str_t *) ((u_char *) conf + cmd->offset);

    if (password->data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_enroll_secret_read(cf, &value[1],
                                    "the password in its first line",
                                    NGX_HTTP_ENROLL_REDIS_PASSWORD_MAX, &text)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    end = ngx_strlchr(text.data, text.data + text.len, LF);

    if (end == NULL) {
        end = text.data + text.len;
    }

    if (end > text.data && *(end - 1) == CR) {
        end--;
    }

    password->len = end - text.data;
    password->data = ngx_pnalloc(cf->pool, password->len + 1);

    if (password->data) {
        ngx_memcpy(password->data, text.data, password->len);
    }

    ngx_http_enroll_secret_free(&text);

    if (password->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": the first line of \"%V\" must be the "
                           "password, 1 to %d bytes", &value[0], &value[1],
                           NGX_HTTP_ENROLL_REDIS_PASSWORD_MAX);
        return NGX_CONF_ERROR;
    }

    return password->data ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_enroll_redis_protocols(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t   *value;
    ngx_uint_t  *np, i;

    np = (ngx_uint_t *) ((u_char *) conf + cmd->offset);

    if (*np) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "TLSv1.2") == 0) {
            *np |= NGX_SSL_TLSv1_2;

        } else if (ngx_strcmp(value[i].data, "TLSv1.3") == 0) {
            *np |= NGX_SSL_TLSv1_3;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\", it must be "
                               "\"TLSv1.2\" or \"TLSv1.3\"",
                               &value[i], &value[0]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
