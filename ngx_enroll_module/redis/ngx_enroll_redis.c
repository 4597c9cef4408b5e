
/*
 * The topology: which server an operation goes to. There is one.
 */

#include "ngx_enroll_redis_node.h"


struct ngx_enroll_redis_s {
    ngx_enroll_redis_node_t   node;
};


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
    if (cln == NULL) {
        ngx_free(redis);
        return NULL;
    }

    cln->handler = ngx_enroll_redis_cleanup;
    cln->data = redis;

    ngx_enroll_redis_node_init(&redis->node, conf, ngx_cycle->log);

    return redis;
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
    ngx_free(redis);
}
