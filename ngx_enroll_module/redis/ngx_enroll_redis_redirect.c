
/*
 * What becomes of an operation that a node of a cluster has refused: it goes
 * where MOVED and ASK say, or is tried again a little later.
 */

#include "ngx_enroll_redis_cluster.h"
#include "ngx_enroll_redis_op.h"


#define NGX_ENROLL_REDIS_REDIRECTS  5
#define NGX_ENROLL_REDIS_AGAIN      20   /* ms until TRYAGAIN is obeyed */


static ngx_int_t ngx_enroll_redis_redirect_later(
    ngx_enroll_redis_cluster_t *cluster, ngx_enroll_redis_op_t *op);
static ngx_int_t ngx_enroll_redis_redirect_follow(
    ngx_enroll_redis_cluster_t *cluster, ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_op_t *op);
static ngx_int_t ngx_enroll_redis_redirect_asking(ngx_enroll_redis_op_t *op,
    ngx_uint_t ask);


ngx_int_t
ngx_enroll_redis_redirect(ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_op_t *op, const char *failure)
{
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = node->keeper_data;

    if (cluster->leaving || op->slot >= NGX_ENROLL_SLOTS) {
        return NGX_DECLINED;
    }

    if (ngx_strcmp(failure, "MOVED") == 0 || ngx_strcmp(failure, "ASK") == 0)
    {
        return ngx_enroll_redis_redirect_follow(cluster, node, op);
    }

    if (ngx_strcmp(failure, "TRYAGAIN") == 0) {
        return ngx_enroll_redis_redirect_later(cluster, op);
    }

    ngx_enroll_redis_map_refresh(cluster);

    return NGX_DECLINED;
}


/* Part of the keys are here, part elsewhere: it takes a moment. */

static ngx_int_t
ngx_enroll_redis_redirect_later(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op)
{
    if (ngx_enroll_redis_redirect_asking(op, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_enroll_redis_cluster_wait(cluster, op);

    if (!cluster->again.timer_set) {
        ngx_add_timer(&cluster->again, NGX_ENROLL_REDIS_AGAIN);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_redirect_follow(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_node_t *node, ngx_enroll_redis_op_t *op)
{
    ngx_uint_t                  i;
    const ngx_str_t            *host;
    ngx_enroll_redirect_t       redirect;
    ngx_enroll_redis_member_t  *member;

    if (ngx_enroll_redirect(&op->reply.str, &redirect) != NGX_OK
        || redirect.slot != op->slot)
    {
        return NGX_DECLINED;
    }

    if (!redirect.ask) {
        ngx_enroll_redis_map_refresh(cluster);
    }

    if (op->redirects == NGX_ENROLL_REDIS_REDIRECTS) {
        return NGX_DECLINED;
    }

    host = redirect.host.len ? &redirect.host : &node->conf->host;

    member = ngx_enroll_redis_member(cluster, host, redirect.port, &i);

    if (member == NULL
        || ngx_enroll_redis_redirect_asking(op, redirect.ask) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    member->used = 1;
    member->node.unused = 0;

    if (!redirect.ask) {
        cluster->slots[op->slot] = (u_char) (i + 1);
    }

    op->redirects++;

    ngx_enroll_redis_node_send(&member->node, op);

    return NGX_OK;
}


/* To be written as if for the first time, with or without ASKING. */

static ngx_int_t
ngx_enroll_redis_redirect_asking(ngx_enroll_redis_op_t *op, ngx_uint_t ask)
{
    static const ngx_str_t  asking = ngx_string("*1\r\n$6\r\nASKING\r\n");

    u_char  *p;

    if (op->asking) {
        op->asking = 0;
        op->command.data += asking.len;
        op->command.len -= asking.len;
    }

    /* what was refused was not executed, but perhaps the time before */
    op->written = op->repeated;

    if (!ask) {
        return NGX_OK;
    }

    /* in one piece, so that nothing comes between them */

    p = ngx_pnalloc(op->pool, asking.len + op->command.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_cpymem(p, asking.data, asking.len), op->command.data,
               op->command.len);

    op->asking = 1;
    op->command.data = p;
    op->command.len += asking.len;

    return NGX_OK;
}
