
/*
 * Where an operation goes in a cluster, and those that wait to learn it.
 */

#include "ngx_enroll_redis_cluster.h"
#include "ngx_enroll_redis_op.h"


static void ngx_enroll_redis_cluster_timeout(ngx_event_t *ev);
static void ngx_enroll_redis_cluster_again(ngx_event_t *ev);
static void ngx_enroll_redis_cluster_closed(ngx_enroll_redis_node_t *node,
    ngx_uint_t harmless);


const ngx_enroll_redis_keeper_t  ngx_enroll_redis_cluster_keeper = {
    ngx_enroll_redis_redirect,
    ngx_enroll_redis_cluster_closed
};


void
ngx_enroll_redis_cluster_init(ngx_enroll_redis_cluster_t *cluster,
    const ngx_enroll_redis_conf_t *conf)
{
    cluster->conf = conf;

    ngx_queue_init(&cluster->waiting);

    cluster->again.handler = ngx_enroll_redis_cluster_again;
    cluster->again.data = cluster;
    cluster->again.log = ngx_cycle->log;
    cluster->again.cancelable = 1;

    cluster->sweep.handler = ngx_enroll_redis_members_sweep;
    cluster->sweep.data = cluster;
    cluster->sweep.log = ngx_cycle->log;

    ngx_enroll_redis_map_init(cluster);
}


void
ngx_enroll_redis_cluster_send(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op)
{
    if (cluster->leaving) {
        ngx_enroll_redis_op_fail(op, ngx_enroll_redis_shutdown);
        return;
    }

    if (cluster->mapped) {
        ngx_enroll_redis_cluster_route(cluster, op);
        return;
    }

    /* in a worker that leaves nobody probes but those who ask */

    if (cluster->down && !ngx_exiting) {
        ngx_enroll_redis_op_fail(op, "circuit open");
        return;
    }

    ngx_enroll_redis_cluster_wait(cluster, op);
    ngx_enroll_redis_map_refresh(cluster);
}


ngx_enroll_redis_node_t *
ngx_enroll_redis_cluster_node(ngx_enroll_redis_cluster_t *cluster,
    ngx_uint_t slot)
{
    ngx_uint_t  n;

    if (slot >= NGX_ENROLL_SLOTS) {
        return NULL;
    }

    n = cluster->slots[slot];

    return n ? &cluster->members[n - 1]->node : NULL;
}


void
ngx_enroll_redis_cluster_stat(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_stat_t *stat)
{
    ngx_uint_t                  i;
    ngx_enroll_redis_stat_t     one;
    ngx_enroll_redis_member_t  *member;

    ngx_memzero(stat, sizeof(ngx_enroll_redis_stat_t));

    stat->waiting = cluster->nwaiting;
    stat->circuit_open = cluster->down;
    stat->failure = cluster->failure;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member == NULL) {
            continue;
        }

        ngx_enroll_redis_node_stat(&member->node, &one);

        stat->connected += one.connected;
        stat->waiting += one.waiting;
        stat->pending += one.pending;

        if (member->used) {
            /* part of the subjects are without a ledger */
            stat->circuit_open |= one.circuit_open;

            if (one.failure) {
                stat->failure = one.failure;
            }
        }
    }
}


ngx_int_t
ngx_enroll_redis_cluster_stat_node(ngx_enroll_redis_cluster_t *cluster,
    ngx_uint_t n, ngx_enroll_redis_stat_t *stat)
{
    ngx_uint_t                  i;
    ngx_enroll_redis_member_t  *member;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member && member->used && n-- == 0) {
            ngx_enroll_redis_node_stat(&member->node, stat);
            return NGX_OK;
        }
    }

    return NGX_DONE;
}


void
ngx_enroll_redis_cluster_destroy(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_uint_t              i;
    ngx_queue_t            *q;
    ngx_enroll_redis_op_t  *op;

    cluster->leaving = 1;

    ngx_enroll_redis_map_destroy(cluster);

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        if (cluster->members[i]) {
            ngx_enroll_redis_node_destroy(&cluster->members[i]->node);
            ngx_free(cluster->members[i]);
        }
    }

    while (!ngx_queue_empty(&cluster->waiting)) {
        q = ngx_queue_head(&cluster->waiting);
        ngx_queue_remove(q);

        op = ngx_queue_data(q, ngx_enroll_redis_op_t, queue);

        if (op->timer.timer_set) {
            ngx_del_timer(&op->timer);
        }

        ngx_destroy_pool(op->pool);
    }

    if (cluster->again.timer_set) {
        ngx_del_timer(&cluster->again);
    }

    if (cluster->sweep.posted) {
        ngx_delete_posted_event(&cluster->sweep);
    }
}


void
ngx_enroll_redis_cluster_route(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op)
{
    ngx_uint_t                  n;
    ngx_enroll_redis_member_t  *member;

    if (op->slot >= NGX_ENROLL_SLOTS) {
        member = ngx_enroll_redis_member_any(cluster);

    } else {
        n = cluster->slots[op->slot];
        member = n ? cluster->members[n - 1] : NULL;
    }

    if (member) {
        ngx_enroll_redis_node_send(&member->node, op);
        return;
    }

    cluster->failure = "no node has the slot";

    ngx_enroll_redis_op_fail(op, cluster->failure);
    ngx_enroll_redis_map_refresh(cluster);
}


void
ngx_enroll_redis_cluster_wait(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op)
{
    if (cluster->nwaiting >= cluster->conf->queue) {
        ngx_enroll_redis_op_fail(op, "queue full");
        return;
    }

    op->node = cluster;
    op->timer.handler = ngx_enroll_redis_cluster_timeout;
    op->timer.data = op;
    op->timer.log = ngx_cycle->log;

    if (!op->timer.timer_set) {
        ngx_add_timer(&op->timer, cluster->conf->timeout);
    }

    ngx_queue_insert_tail(&cluster->waiting, &op->queue);
    cluster->nwaiting++;
}


static void
ngx_enroll_redis_cluster_timeout(ngx_event_t *ev)
{
    ngx_enroll_redis_op_t       *op;
    ngx_enroll_redis_cluster_t  *cluster;

    op = ev->data;
    cluster = op->node;

    ngx_queue_remove(&op->queue);
    cluster->nwaiting--;

    ngx_enroll_redis_op_fail(op, "timeout");
}


static void
ngx_enroll_redis_cluster_again(ngx_event_t *ev)
{
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = ev->data;

    if (cluster->mapped) {
        ngx_enroll_redis_cluster_retry(cluster);
    }
}


void
ngx_enroll_redis_cluster_retry(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_uint_t    n;
    ngx_queue_t  *q;

    for (n = cluster->nwaiting; n && cluster->nwaiting; n--) {
        q = ngx_queue_head(&cluster->waiting);
        ngx_queue_remove(q);
        cluster->nwaiting--;

        ngx_enroll_redis_cluster_route(cluster,
                          ngx_queue_data(q, ngx_enroll_redis_op_t, queue));
    }
}


void
ngx_enroll_redis_cluster_fail(ngx_enroll_redis_cluster_t *cluster,
    const char *failure)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&cluster->waiting)) {
        q = ngx_queue_head(&cluster->waiting);
        ngx_queue_remove(q);
        cluster->nwaiting--;

        ngx_enroll_redis_op_fail(ngx_queue_data(q, ngx_enroll_redis_op_t,
                                                queue),
                                 failure);
    }
}


static void
ngx_enroll_redis_cluster_closed(ngx_enroll_redis_node_t *node,
    ngx_uint_t harmless)
{
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = node->keeper_data;

    if (cluster->leaving) {
        return;
    }

    if (node->leaving) {
        /* worker_shutdown_timeout */
        cluster->leaving = 1;
        ngx_enroll_redis_cluster_fail(cluster, ngx_enroll_redis_shutdown);
        return;
    }

    if (!harmless) {
        ngx_enroll_redis_map_refresh(cluster);
    }

    if (node->unused) {
        ngx_post_event(&cluster->sweep, &ngx_posted_events);
    }
}
