
/*
 * The topology: which server an operation goes to. There is one, and it is
 * where the configuration or the sentinels say.
 */

#include "ngx_enroll_redis_sentinel.h"


struct ngx_enroll_redis_s {
    ngx_enroll_redis_node_t        node;
    ngx_enroll_redis_sentinel_t   *sentinel;     /* NULL: none is asked */
};


static ngx_int_t ngx_enroll_redis_init(ngx_enroll_redis_t *redis,
    const ngx_enroll_redis_conf_t *conf, ngx_log_t *log);
static void ngx_enroll_redis_cleanup(void *data);


ngx_enroll_redis_t *
ngx_enroll_redis_create(const ngx_enroll_redis_conf_t *conf, ngx_log_t *log)
{
    ngx_pool_cleanup_t  *cln;
    ngx_enroll_redis_t  *redis;

    redis = ngx_calloc(sizeof(ngx_enroll_redis_t), log);
    if (redis == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(ngx_cycle->pool, 0);

    if (cln == NULL || ngx_enroll_redis_init(redis, conf, log) != NGX_OK) {
        ngx_free(redis);
        return NULL;
    }

    cln->handler = ngx_enroll_redis_cleanup;
    cln->data = redis;

    return redis;
}


static ngx_int_t
ngx_enroll_redis_init(ngx_enroll_redis_t *redis,
    const ngx_enroll_redis_conf_t *conf, ngx_log_t *log)
{
    if (conf->topology == NGX_ENROLL_REDIS_SINGLE) {
        ngx_enroll_redis_node_init(&redis->node, conf, ngx_cycle->log);
        return NGX_OK;
    }

    redis->sentinel = ngx_calloc(sizeof(ngx_enroll_redis_sentinel_t), log);
    if (redis->sentinel == NULL) {
        return NGX_ERROR;
    }

    ngx_enroll_redis_sentinel_init(redis->sentinel, &redis->node, conf);

    return NGX_OK;
}


void
ngx_enroll_redis_send(ngx_enroll_redis_t *redis, ngx_enroll_redis_op_t *op)
{
    ngx_enroll_redis_node_send(&redis->node, op);
}


void
ngx_enroll_redis_stat(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_stat_t *stat)
{
    ngx_enroll_redis_node_stat(&redis->node, stat);
}


static void
ngx_enroll_redis_cleanup(void *data)
{
    ngx_enroll_redis_t  *redis;

    redis = data;

    ngx_enroll_redis_node_destroy(&redis->node);

    if (redis->sentinel) {
        ngx_enroll_redis_sentinel_destroy(redis->sentinel);
        ngx_free(redis->sentinel);
    }

    ngx_free(redis);
}
