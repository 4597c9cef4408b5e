
/*
 * Which node has which slot: asked of the nodes (CLUSTER SLOTS), soon after
 * there is a reason to doubt it, but not more often than it helps.
 */

#include "ngx_enroll_redis_cluster.h"


#define NGX_ENROLL_REDIS_REFRESH    100  /* ms between two, at least */


static const ngx_enroll_redis_conf_t *ngx_enroll_redis_map_server(
    ngx_enroll_redis_inquiry_t *inquiry, ngx_uint_t n);
static ngx_int_t ngx_enroll_redis_map_answer(
    ngx_enroll_redis_inquiry_t *inquiry, const ngx_enroll_resp_t *reply);
static ngx_int_t ngx_enroll_redis_map_range(
    ngx_enroll_redis_cluster_t *cluster, const ngx_enroll_resp_t *range,
    u_char *slots);
static ngx_int_t ngx_enroll_redis_map_master(
    ngx_enroll_redis_cluster_t *cluster, const ngx_enroll_resp_t *master,
    ngx_uint_t *index);
static void ngx_enroll_redis_map_end(ngx_enroll_redis_inquiry_t *inquiry,
    ngx_int_t rc);
static void ngx_enroll_redis_map_found(ngx_enroll_redis_cluster_t *cluster);
static void ngx_enroll_redis_map_lost(ngx_enroll_redis_cluster_t *cluster);
static ngx_uint_t ngx_enroll_redis_map_wanted(
    ngx_enroll_redis_inquiry_t *inquiry);
static void ngx_enroll_redis_map_obey(ngx_enroll_redis_cluster_t *cluster);
static void ngx_enroll_redis_map_reroute(ngx_enroll_redis_cluster_t *cluster,
    ngx_uint_t i);
static void ngx_enroll_redis_map_timer(ngx_event_t *ev);


static const ngx_enroll_redis_asker_t  ngx_enroll_redis_map_asker = {
    ngx_enroll_redis_map_server,
    ngx_enroll_redis_map_answer,
    ngx_enroll_redis_map_end,
    ngx_enroll_redis_map_wanted
};


void
ngx_enroll_redis_map_init(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_enroll_redis_inquiry_t  *inquiry;

    cluster->refreshed = ngx_current_msec - NGX_ENROLL_REDIS_REFRESH;

    cluster->refresh.handler = ngx_enroll_redis_map_timer;
    cluster->refresh.data = cluster;
    cluster->refresh.log = ngx_cycle->log;
    cluster->refresh.cancelable = 1;

    ngx_str_set(&cluster->argv[0], "CLUSTER");
    ngx_str_set(&cluster->argv[1], "SLOTS");

    inquiry = &cluster->inquiry;
    inquiry->asker = &ngx_enroll_redis_map_asker;
    inquiry->data = cluster;
    inquiry->argc = 2;
    inquiry->argv = cluster->argv;

    ngx_enroll_redis_inquiry_init(inquiry);
}


void
ngx_enroll_redis_map_destroy(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_enroll_redis_inquiry_cancel(&cluster->inquiry);

    if (cluster->refresh.timer_set) {
        ngx_del_timer(&cluster->refresh);
    }
}


void
ngx_enroll_redis_map_refresh(ngx_enroll_redis_cluster_t *cluster)
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
ngx_enroll_redis_map_timer(ngx_event_t *ev)
{
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = ev->data;

    if (cluster->inquiry.active
        || (ngx_exiting
            && !ngx_enroll_redis_map_wanted(&cluster->inquiry)))
    {
        return;
    }

    ngx_enroll_redis_inquiry_start(&cluster->inquiry);
}


/* First those who have slots, then those of the configuration. */

static const ngx_enroll_redis_conf_t *
ngx_enroll_redis_map_server(ngx_enroll_redis_inquiry_t *inquiry,
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
ngx_enroll_redis_map_answer(ngx_enroll_redis_inquiry_t *inquiry,
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
        if (ngx_enroll_redis_map_range(cluster, &reply->elts[i], slots)
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
ngx_enroll_redis_map_range(ngx_enroll_redis_cluster_t *cluster,
    const ngx_enroll_resp_t *range, u_char *slots)
{
    int64_t                   first, last;
    ngx_int_t                 rc;
    ngx_uint_t                i;
    const ngx_enroll_resp_t  *elts;

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

    if (first < 0 || last < first || last >= NGX_ENROLL_SLOTS) {
        return NGX_ERROR;
    }

    rc = ngx_enroll_redis_map_master(cluster, elts[2].elts, &i);

    if (rc == NGX_OK) {
        ngx_memset(slots + first, (int) (i + 1), (size_t) (last - first + 1));
    }

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


/* NGX_DECLINED: it is not known where the master is. */

static ngx_int_t
ngx_enroll_redis_map_master(ngx_enroll_redis_cluster_t *cluster,
    const ngx_enroll_resp_t *master, ngx_uint_t *index)
{
    ngx_str_t  host;

    if ((master[0].type != NGX_ENROLL_RESP_STRING
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
        return NGX_DECLINED;
    }

    if (ngx_enroll_redis_member(cluster, &host,
                                (ngx_uint_t) master[1].integer, index)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_enroll_redis_map_end(ngx_enroll_redis_inquiry_t *inquiry,
    ngx_int_t rc)
{
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = inquiry->data;
    cluster->refreshed = ngx_current_msec;

    /* it was put off meanwhile */
    ngx_post_event(&cluster->sweep, &ngx_posted_events);

    if (rc == NGX_OK) {
        ngx_enroll_redis_map_found(cluster);
        return;
    }

    /* those that only an answer of no use has named */
    ngx_enroll_redis_members_mark(cluster);

    if (rc == NGX_ERROR && !cluster->mapped) {
        ngx_enroll_redis_map_lost(cluster);
    }
}


static void
ngx_enroll_redis_map_found(ngx_enroll_redis_cluster_t *cluster)
{
    if (cluster->down) {
        cluster->down = 0;
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "Redis \"%V\": the cluster answers again",
                      &cluster->conf->address);
    }

    cluster->mapped = 1;
    cluster->failure = NULL;

    ngx_enroll_redis_map_obey(cluster);
    ngx_enroll_redis_cluster_retry(cluster);
}


static void
ngx_enroll_redis_map_lost(ngx_enroll_redis_cluster_t *cluster)
{
    cluster->failure = "no node helps";

    if (!cluster->down) {
        cluster->down = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "Redis \"%V\": no node of the cluster helps (the last: "
                      "%s)", &cluster->conf->address, cluster->inquiry.detail);
    }

    ngx_enroll_redis_cluster_fail(cluster, cluster->failure);

    if (!ngx_exiting && !cluster->refresh.timer_set) {
        ngx_add_timer(&cluster->refresh, cluster->conf->retry);
    }
}


static ngx_uint_t
ngx_enroll_redis_map_wanted(ngx_enroll_redis_inquiry_t *inquiry)
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
ngx_enroll_redis_map_obey(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_uint_t                  i;
    ngx_enroll_redis_member_t  *member;

    ngx_enroll_redis_members_mark(cluster);

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member == NULL) {
            continue;
        }

        ngx_enroll_redis_map_reroute(cluster, i);

        if (member->node.unused) {
            ngx_enroll_redis_node_retire(&member->node, "it has no slots");
        }
    }
}


static void
ngx_enroll_redis_map_reroute(ngx_enroll_redis_cluster_t *cluster,
    ngx_uint_t i)
{
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_enroll_redis_op_t      *op;
    ngx_enroll_redis_member_t  *member;

    member = cluster->members[i];

    for (n = member->node.nwaiting; n && member->node.nwaiting; n--) {
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
}
