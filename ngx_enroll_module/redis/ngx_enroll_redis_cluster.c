
#include "ngx_enroll_redis_cluster.h"
#include "ngx_enroll_redis_op.h"


#define NGX_ENROLL_REDIS_REDIRECTS  5
#define NGX_ENROLL_REDIS_REFRESH    100  /* ms between two, at least */
#define NGX_ENROLL_REDIS_AGAIN      20   /* ms until TRYAGAIN is obeyed */


static ngx_enroll_redis_member_t *ngx_enroll_redis_cluster_member(
    ngx_enroll_redis_cluster_t *cluster, const ngx_str_t *host,
    ngx_uint_t port, ngx_uint_t *index);
static void ngx_enroll_redis_cluster_route(
    ngx_enroll_redis_cluster_t *cluster, ngx_enroll_redis_op_t *op);
static ngx_enroll_redis_member_t *ngx_enroll_redis_cluster_any(
    ngx_enroll_redis_cluster_t *cluster);
static void ngx_enroll_redis_cluster_wait(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op);
static void ngx_enroll_redis_cluster_timeout(ngx_event_t *ev);
static void ngx_enroll_redis_cluster_again(ngx_event_t *ev);
static void ngx_enroll_redis_cluster_fail(ngx_enroll_redis_cluster_t *cluster,
    const char *failure);

static ngx_int_t ngx_enroll_redis_cluster_refused(
    ngx_enroll_redis_node_t *node, ngx_enroll_redis_op_t *op,
    const char *failure);
static ngx_int_t ngx_enroll_redis_cluster_redirect(
    ngx_enroll_redis_cluster_t *cluster, ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_op_t *op);
static ngx_int_t ngx_enroll_redis_cluster_asking(ngx_enroll_redis_op_t *op,
    ngx_uint_t ask);
static void ngx_enroll_redis_cluster_closed(ngx_enroll_redis_node_t *node,
    ngx_uint_t harmless);

static void ngx_enroll_redis_cluster_refresh(
    ngx_enroll_redis_cluster_t *cluster);
static void ngx_enroll_redis_cluster_refresh_handler(ngx_event_t *ev);
static const ngx_enroll_redis_conf_t *ngx_enroll_redis_cluster_server(
    ngx_enroll_redis_inquiry_t *inquiry, ngx_uint_t n);
static ngx_int_t ngx_enroll_redis_cluster_answer(
    ngx_enroll_redis_inquiry_t *inquiry, const ngx_enroll_resp_t *reply);
static ngx_int_t ngx_enroll_redis_cluster_range(
    ngx_enroll_redis_cluster_t *cluster, const ngx_enroll_resp_t *range,
    u_char *slots);
static void ngx_enroll_redis_cluster_end(ngx_enroll_redis_inquiry_t *inquiry,
    ngx_int_t rc);
static ngx_uint_t ngx_enroll_redis_cluster_wanted(
    ngx_enroll_redis_inquiry_t *inquiry);

static void ngx_enroll_redis_cluster_remap(
    ngx_enroll_redis_cluster_t *cluster);
static void ngx_enroll_redis_cluster_sweep(ngx_event_t *ev);


static const ngx_enroll_redis_asker_t  ngx_enroll_redis_cluster_asker = {
    ngx_enroll_redis_cluster_server,
    ngx_enroll_redis_cluster_answer,
    ngx_enroll_redis_cluster_end,
    ngx_enroll_redis_cluster_wanted
};


static const ngx_enroll_redis_keeper_t  ngx_enroll_redis_cluster_keeper = {
    ngx_enroll_redis_cluster_refused,
    ngx_enroll_redis_cluster_closed
};


void
ngx_enroll_redis_cluster_init(ngx_enroll_redis_cluster_t *cluster,
    const ngx_enroll_redis_conf_t *conf)
{
    ngx_enroll_redis_inquiry_t  *inquiry;

    cluster->conf = conf;
    cluster->refreshed = ngx_current_msec - NGX_ENROLL_REDIS_REFRESH;

    ngx_queue_init(&cluster->waiting);

    cluster->again.handler = ngx_enroll_redis_cluster_again;
    cluster->again.data = cluster;
    cluster->again.log = ngx_cycle->log;
    cluster->again.cancelable = 1;

    cluster->refresh.handler = ngx_enroll_redis_cluster_refresh_handler;
    cluster->refresh.data = cluster;
    cluster->refresh.log = ngx_cycle->log;
    cluster->refresh.cancelable = 1;

    cluster->sweep.handler = ngx_enroll_redis_cluster_sweep;
    cluster->sweep.data = cluster;
    cluster->sweep.log = ngx_cycle->log;

    ngx_str_set(&cluster->argv[0], "CLUSTER");
    ngx_str_set(&cluster->argv[1], "SLOTS");

    inquiry = &cluster->inquiry;
    inquiry->asker = &ngx_enroll_redis_cluster_asker;
    inquiry->data = cluster;
    inquiry->argc = 2;
    inquiry->argv = cluster->argv;

    ngx_enroll_redis_inquiry_init(inquiry);
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
    ngx_enroll_redis_cluster_refresh(cluster);
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


void
ngx_enroll_redis_cluster_destroy(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_uint_t              i;
    ngx_queue_t            *q;
    ngx_enroll_redis_op_t  *op;

    cluster->leaving = 1;

    ngx_enroll_redis_inquiry_cancel(&cluster->inquiry);

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

    if (cluster->refresh.timer_set) {
        ngx_del_timer(&cluster->refresh);
    }

    if (cluster->sweep.posted) {
        ngx_delete_posted_event(&cluster->sweep);
    }
}


/* The one at that address, new where there is none; NULL: no room for it. */

static ngx_enroll_redis_member_t *
ngx_enroll_redis_cluster_member(ngx_enroll_redis_cluster_t *cluster,
    const ngx_str_t *host, ngx_uint_t port, ngx_uint_t *index)
{
    ngx_uint_t                  i, room;
    ngx_enroll_redis_member_t  *member;

    room = NGX_ENROLL_REDIS_MEMBERS;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member == NULL) {
            room = ngx_min(room, i);

        } else if (ngx_enroll_redis_placed(&member->place, host, port)) {
            *index = i;
            return member;
        }
    }

    if (room == NGX_ENROLL_REDIS_MEMBERS) {
        return NULL;
    }

    member = ngx_calloc(sizeof(ngx_enroll_redis_member_t), ngx_cycle->log);
    if (member == NULL) {
        return NULL;
    }

    if (ngx_enroll_redis_place(&member->place, cluster->conf, host, port)
        != NGX_OK)
    {
        ngx_free(member);
        return NULL;
    }

    member->asked = member->place.conf;
    member->asked.asked = 1;

    ngx_enroll_redis_node_init(&member->node, &member->place.conf,
                               ngx_cycle->log);

    member->node.keeper = &ngx_enroll_redis_cluster_keeper;
    member->node.keeper_data = cluster;
    member->used = 1;

    cluster->members[room] = member;
    *index = room;

    return member;
}


static void
ngx_enroll_redis_cluster_route(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op)
{
    ngx_uint_t                  n;
    ngx_enroll_redis_member_t  *member;

    if (op->slot >= NGX_ENROLL_SLOTS) {
        member = ngx_enroll_redis_cluster_any(cluster);

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
    ngx_enroll_redis_cluster_refresh(cluster);
}


static ngx_enroll_redis_member_t *
ngx_enroll_redis_cluster_any(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_uint_t                  i;
    ngx_enroll_redis_member_t  *member, *found;

    found = NULL;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member && member->used) {
            found = member;

            if (!member->node.circuit) {
                break;
            }
        }
    }

    return found;
}


static void
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
    ngx_uint_t                   n;
    ngx_queue_t                 *q;
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = ev->data;

    if (!cluster->mapped) {
        return;
    }

    for (n = cluster->nwaiting; n; n--) {
        q = ngx_queue_head(&cluster->waiting);
        ngx_queue_remove(q);
        cluster->nwaiting--;

        ngx_enroll_redis_cluster_route(cluster,
                          ngx_queue_data(q, ngx_enroll_redis_op_t, queue));
    }
}


static void
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


/* NGX_OK: it goes on elsewhere, or later. */

static ngx_int_t
ngx_enroll_redis_cluster_refused(ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_op_t *op, const char *failure)
{
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = node->keeper_data;

    if (cluster->leaving || op->slot >= NGX_ENROLL_SLOTS) {
        return NGX_DECLINED;
    }

    if (ngx_strcmp(failure, "MOVED") == 0 || ngx_strcmp(failure, "ASK") == 0)
    {
        return ngx_enroll_redis_cluster_redirect(cluster, node, op);
    }

    if (ngx_strcmp(failure, "TRYAGAIN") == 0) {

        /* part of the keys are here, part elsewhere: it takes a moment */

        if (ngx_enroll_redis_cluster_asking(op, 0) != NGX_OK) {
            return NGX_DECLINED;
        }

        ngx_enroll_redis_cluster_wait(cluster, op);

        if (!cluster->again.timer_set) {
            ngx_add_timer(&cluster->again, NGX_ENROLL_REDIS_AGAIN);
        }

        return NGX_OK;
    }

    ngx_enroll_redis_cluster_refresh(cluster);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_enroll_redis_cluster_redirect(ngx_enroll_redis_cluster_t *cluster,
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
        ngx_enroll_redis_cluster_refresh(cluster);
    }

    if (op->redirects == NGX_ENROLL_REDIS_REDIRECTS) {
        return NGX_DECLINED;
    }

    host = redirect.host.len ? &redirect.host : &node->conf->host;

    member = ngx_enroll_redis_cluster_member(cluster, host, redirect.port,
                                             &i);

    if (member == NULL
        || ngx_enroll_redis_cluster_asking(op, redirect.ask) != NGX_OK)
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
ngx_enroll_redis_cluster_asking(ngx_enroll_redis_op_t *op, ngx_uint_t ask)
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
        ngx_enroll_redis_cluster_refresh(cluster);
    }

    if (node->unused) {
        ngx_post_event(&cluster->sweep, &ngx_posted_events);
    }
}


/* Who has which slot is asked soon, but not more often than it helps. */

static void
ngx_enroll_redis_cluster_refresh(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_msec_t  since;

    if (cluster->inquiry.active
        || cluster->refresh.timer_set
        || cluster->leaving)
    {
        return;
    }

    since = ngx_current_msec - cluster->refreshed;

    if (since >= NGX_ENROLL_REDIS_REFRESH) {
        ngx_enroll_redis_inquiry_start(&cluster->inquiry);
        return;
    }

    ngx_add_timer(&cluster->refresh, NGX_ENROLL_REDIS_REFRESH - since);
}


static void
ngx_enroll_redis_cluster_refresh_handler(ngx_event_t *ev)
{
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = ev->data;

    if (cluster->inquiry.active
        || (ngx_exiting
            && !ngx_enroll_redis_cluster_wanted(&cluster->inquiry)))
    {
        return;
    }

    ngx_enroll_redis_inquiry_start(&cluster->inquiry);
}


/* First those who have slots, then those of the configuration. */

static const ngx_enroll_redis_conf_t *
ngx_enroll_redis_cluster_server(ngx_enroll_redis_inquiry_t *inquiry,
    ngx_uint_t n)
{
    ngx_uint_t                   i, k;
    ngx_enroll_redis_member_t   *member;
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = inquiry->data;

    if (n == 0) {
        cluster->current++;
    }

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        k = (i + cluster->current) % NGX_ENROLL_REDIS_MEMBERS;
        member = cluster->members[k];

        if (member && member->used && n-- == 0) {
            return &member->asked;
        }
    }

    return (n < cluster->conf->nservers) ? &cluster->conf->servers[n] : NULL;
}


static ngx_int_t
ngx_enroll_redis_cluster_answer(ngx_enroll_redis_inquiry_t *inquiry,
    const ngx_enroll_resp_t *reply)
{
    u_char                       slots[NGX_ENROLL_SLOTS];
    ngx_uint_t                   i;
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = inquiry->data;

    if (reply->type != NGX_ENROLL_RESP_ARRAY || reply->nelts == 0) {
        ngx_enroll_redis_inquiry_detail(inquiry, "it knows of no slots");
        return NGX_DECLINED;
    }

    ngx_memzero(slots, NGX_ENROLL_SLOTS);

    for (i = 0; i < reply->nelts; i++) {
        if (ngx_enroll_redis_cluster_range(cluster, &reply->elts[i], slots)
            != NGX_OK)
        {
            ngx_enroll_redis_inquiry_detail(inquiry, "what it says of the "
                                            "slots makes no sense, or names "
                                            "too many nodes");
            return NGX_DECLINED;
        }
    }

    ngx_memcpy(cluster->slots, slots, NGX_ENROLL_SLOTS);

    return NGX_OK;
}


/* first, last, [master's host, port, …], replicas … */

static ngx_int_t
ngx_enroll_redis_cluster_range(ngx_enroll_redis_cluster_t *cluster,
    const ngx_enroll_resp_t *range, u_char *slots)
{
    int64_t                   first, last;
    ngx_str_t                 host;
    ngx_uint_t                i;
    const ngx_enroll_resp_t  *elts, *master;

    elts = range->elts;

    if (range->type != NGX_ENROLL_RESP_ARRAY
        || range->nelts < 3
        || elts[0].type != NGX_ENROLL_RESP_INTEGER
        || elts[1].type != NGX_ENROLL_RESP_INTEGER
        || elts[2].type != NGX_ENROLL_RESP_ARRAY
        || elts[2].nelts < 2)
    {
        return NGX_ERROR;
    }

    first = elts[0].integer;
    last = elts[1].integer;
    master = elts[2].elts;

    if (first < 0 || last < first || last >= NGX_ENROLL_SLOTS
        || (master[0].type != NGX_ENROLL_RESP_STRING
            && master[0].type != NGX_ENROLL_RESP_NIL)
        || master[1].type != NGX_ENROLL_RESP_INTEGER
        || master[1].integer < 0
        || master[1].integer > 65535)
    {
        return NGX_ERROR;
    }

    ngx_str_null(&host);

    if (master[0].type == NGX_ENROLL_RESP_STRING) {
        host = master[0].str;
    }

    if (host.len == 0) {
        /* it does not know by what address it is reached */
        host = cluster->inquiry.conf->host;
    }

    if (host.len == 1 && host.data[0] == '?') {
        /* nor what the node wants to be called */
        return NGX_OK;
    }

    if (ngx_enroll_redis_cluster_member(cluster, &host,
                                        (ngx_uint_t) master[1].integer, &i)
        == NULL)
    {
        return NGX_ERROR;
    }

    ngx_memset(slots + first, (int) (i + 1), (size_t) (last - first + 1));

    return NGX_OK;
}


static void
ngx_enroll_redis_cluster_end(ngx_enroll_redis_inquiry_t *inquiry,
    ngx_int_t rc)
{
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = inquiry->data;
    cluster->refreshed = ngx_current_msec;

    if (rc == NGX_OK) {
        if (cluster->down) {
            cluster->down = 0;
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "Redis \"%V\": the cluster answers again",
                          &cluster->conf->address);
        }

        cluster->mapped = 1;
        cluster->failure = NULL;

        ngx_enroll_redis_cluster_remap(cluster);
        ngx_enroll_redis_cluster_again(&cluster->again);
        return;
    }

    if (rc == NGX_ABORT || cluster->mapped) {
        return;
    }

    cluster->failure = "no node helps";

    if (!cluster->down) {
        cluster->down = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "Redis \"%V\": no node of the cluster helps (the last: "
                      "%s)", &cluster->conf->address, inquiry->detail);
    }

    ngx_enroll_redis_cluster_fail(cluster, cluster->failure);

    if (!ngx_exiting && !cluster->refresh.timer_set) {
        ngx_add_timer(&cluster->refresh, cluster->conf->retry);
    }
}


static ngx_uint_t
ngx_enroll_redis_cluster_wanted(ngx_enroll_redis_inquiry_t *inquiry)
{
    ngx_uint_t                   i;
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = inquiry->data;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        if (cluster->members[i] && cluster->members[i]->node.nwaiting) {
            return 1;
        }
    }

    return cluster->nwaiting > 0;
}


/* What waits goes to where its slot is now; who has none is let go. */

static void
ngx_enroll_redis_cluster_remap(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_uint_t                  i, n;
    ngx_queue_t                *q;
    ngx_enroll_redis_op_t      *op;
    ngx_enroll_redis_member_t  *member;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        if (cluster->members[i]) {
            cluster->members[i]->used = 0;
        }
    }

    for (i = 0; i < NGX_ENROLL_SLOTS; i++) {
        n = cluster->slots[i];

        if (n) {
            cluster->members[n - 1]->used = 1;
        }
    }

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member == NULL) {
            continue;
        }

        member->node.unused = !member->used;

        for (n = member->node.nwaiting; n; n--) {
            q = ngx_queue_head(&member->node.waiting);
            ngx_queue_remove(q);

            op = ngx_queue_data(q, ngx_enroll_redis_op_t, queue);

            if (op->asking
                || (member->used && op->slot >= NGX_ENROLL_SLOTS)
                || (op->slot < NGX_ENROLL_SLOTS
                    && cluster->slots[op->slot] == i + 1))
            {
                ngx_queue_insert_tail(&member->node.waiting, q);
                continue;
            }

            member->node.nwaiting--;
            ngx_enroll_redis_cluster_route(cluster, op);
        }

        if (member->node.unused) {
            ngx_enroll_redis_node_retire(&member->node, "it has no slots");
            ngx_post_event(&cluster->sweep, &ngx_posted_events);
        }
    }
}


/* No node is in the middle of anything here. */

static void
ngx_enroll_redis_cluster_sweep(ngx_event_t *ev)
{
    ngx_uint_t                   i;
    ngx_enroll_redis_member_t   *member;
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = ev->data;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member == NULL
            || !member->node.unused
            || !ngx_enroll_redis_node_idle(&member->node)
            || (cluster->inquiry.active
                && cluster->inquiry.conf == &member->asked))
        {
            continue;
        }

        cluster->members[i] = NULL;

        member->node.keeper = NULL;
        ngx_enroll_redis_node_destroy(&member->node);
        ngx_free(member);
    }
}
