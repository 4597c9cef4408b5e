
/*
 * The directives that say which Redis, in the manner of proxy_*: flat, and
 * inherited one by one. A place where none of them is given shares what its
 * parent finished, and so the connections of the worker.
 */

#ifndef _NGX_HTTP_ENROLL_REDIS_H_INCLUDED_
#define _NGX_HTTP_ENROLL_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_enroll_redis.h"
#include "ngx_http_enroll_bounds.h"


#define NGX_HTTP_ENROLL_REDIS_PORT           6379
#define NGX_HTTP_ENROLL_REDIS_SENTINEL_PORT  26379


typedef struct ngx_http_enroll_redis_shared_s  ngx_http_enroll_redis_shared_t;

typedef struct {
    ngx_url_t                        *url;       /* NULL: unset; an array */
    ngx_uint_t                        nurls;
    ngx_enroll_redis_topology_e       topology;
    ngx_str_t                         master;
    const char                       *directive; /* that said so */
    u_char                           *file;      /* where it was given */
    ngx_uint_t                        line;

    ngx_str_t                         user;
    ngx_str_t                         password;
    ngx_str_t                         sentinel_user;
    ngx_str_t                         sentinel_password;
    ngx_int_t                         database;

    ngx_msec_t                        timeout;
    ngx_int_t                         queue;
    ngx_int_t                         failures;
    ngx_msec_t                        retry;

    ngx_int_t                         replicas;  /* 0: off */
    ngx_msec_t                        wait;

    ngx_flag_t                        ssl;
    ngx_flag_t                        ssl_verify;
    ngx_str_t                         ssl_trusted_certificate;
    ngx_str_t                         ssl_name;
    ngx_str_t                         ssl_certificate;
    ngx_str_t                         ssl_certificate_key;
    ngx_uint_t                        ssl_protocols;

    /* what is made of them; NULL: no enroll_redis here */
    const ngx_enroll_redis_conf_t    *ready;
    ngx_http_enroll_redis_shared_t   *shared;    /* ready and its client */
} ngx_http_enroll_redis_conf_t;


/* conf is a part of what ngx_pcalloc() returned. */
void ngx_http_enroll_redis_create_conf(ngx_http_enroll_redis_conf_t *conf);

/* After ngx_http_core_module's own merge, for its resolver. */
char *ngx_http_enroll_redis_merge_conf(ngx_conf_t *cf,
    ngx_http_enroll_redis_conf_t *prev, ngx_http_enroll_redis_conf_t *conf);

/*
 * The worker's client for conf, created on first use. NULL: no memory, or no
 * enroll_redis there.
 */
ngx_enroll_redis_t *ngx_http_enroll_redis_client(
    ngx_http_enroll_redis_conf_t *conf, ngx_log_t *log);

/*
 * What tells the ledger there from others, with so many partitions: 16 bytes.
 * It is the same in another configuration that says the same. Only where a
 * Redis is configured.
 */
void ngx_http_enroll_redis_name(const ngx_http_enroll_redis_conf_t *conf,
    ngx_uint_t partitions, u_char *name);


char *ngx_http_enroll_redis_address(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_redis_sentinel(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_redis_cluster(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_redis_wait(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_redis_string(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_redis_password_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_redis_protocols(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

extern ngx_http_enroll_bounds_t  ngx_http_enroll_redis_database_bounds;
extern ngx_http_enroll_bounds_t  ngx_http_enroll_redis_timeout_bounds;
extern ngx_http_enroll_bounds_t  ngx_http_enroll_redis_queue_bounds;
extern ngx_http_enroll_bounds_t  ngx_http_enroll_redis_failures_bounds;
extern ngx_http_enroll_bounds_t  ngx_http_enroll_redis_retry_bounds;


/*
 * Entries for the module's table of commands, whose location conf,
 * ngx_http_enroll_loc_conf_t, has this part as its member redis.
 */

#define ngx_http_enroll_redis_command(name, args, set, member, post)          \
                                                                              \
    { ngx_string(name),                                                       \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|args,            \
      set,                                                                    \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_enroll_loc_conf_t, member),                           \
      post }

#define NGX_HTTP_ENROLL_REDIS_COMMANDS                                        \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis", NGX_CONF_TAKE1,             \
        ngx_http_enroll_redis_address, redis, NULL),                          \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_sentinel", NGX_CONF_2MORE,    \
        ngx_http_enroll_redis_sentinel, redis, NULL),                         \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_sentinel_user",               \
        NGX_CONF_TAKE1, ngx_http_enroll_redis_string,                         \
        redis.sentinel_user, NULL),                                           \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_sentinel_password_file",      \
        NGX_CONF_TAKE1, ngx_http_enroll_redis_password_file,                  \
        redis.sentinel_password, NULL),                                       \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_cluster", NGX_CONF_1MORE,     \
        ngx_http_enroll_redis_cluster, redis, NULL),                          \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_user", NGX_CONF_TAKE1,        \
        ngx_http_enroll_redis_string, redis.user, NULL),                      \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_password_file",               \
        NGX_CONF_TAKE1, ngx_http_enroll_redis_password_file,                  \
        redis.password, NULL),                                                \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_database", NGX_CONF_TAKE1,    \
        ngx_http_enroll_set_number, redis.database,                         \
        &ngx_http_enroll_redis_database_bounds),                              \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_timeout", NGX_CONF_TAKE1,     \
        ngx_http_enroll_set_time, redis.timeout,                            \
        &ngx_http_enroll_redis_timeout_bounds),                               \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_queue", NGX_CONF_TAKE1,       \
        ngx_http_enroll_set_number, redis.queue,                            \
        &ngx_http_enroll_redis_queue_bounds),                                 \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_failures", NGX_CONF_TAKE1,    \
        ngx_http_enroll_set_number, redis.failures,                         \
        &ngx_http_enroll_redis_failures_bounds),                              \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_retry", NGX_CONF_TAKE1,       \
        ngx_http_enroll_set_time, redis.retry,                              \
        &ngx_http_enroll_redis_retry_bounds),                                 \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_wait", NGX_CONF_TAKE12,       \
        ngx_http_enroll_redis_wait, redis, NULL),                             \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_ssl", NGX_CONF_FLAG,          \
        ngx_conf_set_flag_slot, redis.ssl, NULL),                             \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_ssl_verify", NGX_CONF_FLAG,   \
        ngx_conf_set_flag_slot, redis.ssl_verify, NULL),                      \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_ssl_trusted_certificate",     \
        NGX_CONF_TAKE1, ngx_http_enroll_redis_string,                         \
        redis.ssl_trusted_certificate, NULL),                                 \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_ssl_name", NGX_CONF_TAKE1,    \
        ngx_http_enroll_redis_string, redis.ssl_name, NULL),                  \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_ssl_certificate",             \
        NGX_CONF_TAKE1, ngx_http_enroll_redis_string,                         \
        redis.ssl_certificate, NULL),                                         \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_ssl_certificate_key",         \
        NGX_CONF_TAKE1, ngx_http_enroll_redis_string,                         \
        redis.ssl_certificate_key, NULL),                                     \
                                                                              \
    ngx_http_enroll_redis_command("enroll_redis_ssl_protocols",               \
        NGX_CONF_1MORE, ngx_http_enroll_redis_protocols,                      \
        redis.ssl_protocols, NULL)


#endif /* _NGX_HTTP_ENROLL_REDIS_H_INCLUDED_ */
