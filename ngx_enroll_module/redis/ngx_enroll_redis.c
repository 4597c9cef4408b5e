
/*
 * The topology: which server an operation goes to. There is one, where the
 * configuration or the sentinels say, or a cluster of them.
 */

#include "ngx_enroll_redis_cluster.h"
#include "ngx_enroll_redis_sentinel.h"


struct ngx_enroll_redis_s {
    ngx_enroll_redis_node_t        node;
    ngx_enroll_redis_sentinel_t   *sentinel;     /* NULL: none is asked */
    ngx_enroll_redis_cluster_t    *cluster;      /* NULL: there is one node */
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

    if (conf->topology == NGX_ENROLL_REDIS_CLUSTER) {
        redis->cluster = ngx_calloc(sizeof(ngx_enroll_redis_cluster_t), log);
        if (redis->cluster == NULL) {
            return NGX_ERROR;
        }

        ngx_enroll_redis_cluster_init(redis->cluster, conf);
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
    if (redis->cluster) {
        ngx_enroll_redis_cluster_send(redis->cluster, op);
        return;
    }

    if (redis->sentinel) {
        ngx_enroll_redis_sentinel_check(redis->sentinel);
    }

    ngx_enroll_redis_node_send(&redis->node, op);
}


void
ngx_enroll_redis_replicated(ngx_enroll_redis_t *redis,
    const ngx_enroll_redis_op_t *op)
{
    ngx_enroll_redis_node_t  *node;

    node = redis->cluster
           ? ngx_enroll_redis_cluster_node(redis->cluster, op->slot)
           : &redis->node;

    if (node) {
        ngx_enroll_redis_node_replicated(node, op);
    }
}


void
ngx_enroll_redis_stat(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_stat_t *stat)
{
    if (redis->cluster) {
        ngx_enroll_redis_cluster_stat(redis->cluster, stat);
        return;
    }

    ngx_enroll_redis_node_stat(&redis->node, stat);
}


ngx_int_t
ngx_enroll_redis_stat_node(ngx_enroll_redis_t *redis, ngx_uint_t n,
    ngx_enroll_redis_stat_t *stat)
{
    if (redis->cluster) {
        return ngx_enroll_redis_cluster_stat_node(redis->cluster, n, stat);
    }

    if (n) {
        return NGX_DONE;
    }

    ngx_enroll_redis_node_stat(&redis->node, stat);

    return NGX_OK;
}


static void
ngx_enroll_redis_cleanup(void *data)
{
    ngx_enroll_redis_t  *redis;

    redis = data;

    if (redis->cluster) {
        ngx_enroll_redis_cluster_destroy(redis->cluster);
        ngx_free(redis->cluster);

    } else {
        ngx_enroll_redis_node_destroy(&redis->node);
    }

    if (redis->sentinel) {
        ngx_enroll_redis_sentinel_destroy(redis->sentinel);
        ngx_free(redis->sentinel);
    }

    ngx_free(redis);
}
