
#include "ngx_enroll_redis_sentinel.h"


#define NGX_ENROLL_REDIS_CHECK  1000     /* ms between two questions */


static void ngx_enroll_redis_sentinel_locate(void *data,
    ngx_enroll_redis_connection_t *conn);
static void ngx_enroll_redis_sentinel_cancel(void *data);
static void ngx_enroll_redis_sentinel_failed(void *data);

static const ngx_enroll_redis_conf_t *ngx_enroll_redis_sentinel_server(
    ngx_enroll_redis_inquiry_t *inquiry, ngx_uint_t n);
static ngx_int_t ngx_enroll_redis_sentinel_answer(
    ngx_enroll_redis_inquiry_t *inquiry, const ngx_enroll_resp_t *reply);
static void ngx_enroll_redis_sentinel_end(
    ngx_enroll_redis_inquiry_t *inquiry, ngx_int_t rc);
static ngx_uint_t ngx_enroll_redis_sentinel_wanted(
    ngx_enroll_redis_inquiry_t *inquiry);


static const ngx_enroll_redis_locator_t  ngx_enroll_redis_sentinel_locator = {
    ngx_enroll_redis_sentinel_locate,
    ngx_enroll_redis_sentinel_cancel,
    ngx_enroll_redis_sentinel_failed
};


static const ngx_enroll_redis_asker_t  ngx_enroll_redis_sentinel_asker = {
    ngx_enroll_redis_sentinel_server,
    ngx_enroll_redis_sentinel_answer,
    ngx_enroll_redis_sentinel_end,
    ngx_enroll_redis_sentinel_wanted
};


void
ngx_enroll_redis_sentinel_init(ngx_enroll_redis_sentinel_t *sentinel,
    ngx_enroll_redis_node_t *node, const ngx_enroll_redis_conf_t *conf)
{
    ngx_enroll_redis_inquiry_t  *inquiry;

    sentinel->node = node;
    sentinel->given = conf;

    ngx_str_set(&sentinel->argv[0], "SENTINEL");
    ngx_str_set(&sentinel->argv[1], "GET-MASTER-ADDR-BY-NAME");
    sentinel->argv[2] = conf->master;

    inquiry = &sentinel->inquiry;
    inquiry->asker = &ngx_enroll_redis_sentinel_asker;
    inquiry->data = sentinel;
    inquiry->argc = 3;
    inquiry->argv = sentinel->argv;

    ngx_enroll_redis_inquiry_init(inquiry);

    /* its address is the master's name until the sentinels have told one */
    sentinel->place.conf = *conf;

    ngx_enroll_redis_node_init(node, &sentinel->place.conf, ngx_cycle->log);

    node->server.locator = &ngx_enroll_redis_sentinel_locator;
    node->server.locator_data = sentinel;
}


void
ngx_enroll_redis_sentinel_check(ngx_enroll_redis_sentinel_t *sentinel)
{
    if (!sentinel->named
        || sentinel->inquiry.active
        || ngx_exiting
        || ngx_current_msec - sentinel->asked < NGX_ENROLL_REDIS_CHECK)
    {
        return;
    }

    ngx_enroll_redis_inquiry_start(&sentinel->inquiry);
}


void
ngx_enroll_redis_sentinel_destroy(ngx_enroll_redis_sentinel_t *sentinel)
{
    ngx_enroll_redis_inquiry_cancel(&sentinel->inquiry);
}


static void
ngx_enroll_redis_sentinel_locate(void *data,
    ngx_enroll_redis_connection_t *conn)
{
    ngx_enroll_redis_sentinel_t  *sentinel;

    sentinel = data;

    sentinel->waiting = conn;
    conn->log.action = "asking the sentinels";

    if (!sentinel->inquiry.active) {
        ngx_enroll_redis_inquiry_start(&sentinel->inquiry);
    }
}


static void
ngx_enroll_redis_sentinel_cancel(void *data)
{
    ngx_enroll_redis_sentinel_t  *sentinel;

    sentinel = data;

    sentinel->waiting = NULL;

    ngx_enroll_redis_inquiry_cancel(&sentinel->inquiry);
}


/* It may not know yet, or lie: the next one is asked first, next time. */

static void
ngx_enroll_redis_sentinel_failed(void *data)
{
    ngx_enroll_redis_sentinel_t  *sentinel;

    sentinel = data;

    sentinel->current = (sentinel->current + 1) % sentinel->given->nservers;
}


static const ngx_enroll_redis_conf_t *
ngx_enroll_redis_sentinel_server(ngx_enroll_redis_inquiry_t *inquiry,
    ngx_uint_t n)
{
    ngx_enroll_redis_sentinel_t  *sentinel;

    sentinel = inquiry->data;

    if (n >= sentinel->given->nservers) {
        return NULL;
    }

    if (n) {
        ngx_enroll_redis_sentinel_failed(sentinel);
    }

    return &sentinel->given->servers[sentinel->current];
}


static ngx_int_t
ngx_enroll_redis_sentinel_answer(ngx_enroll_redis_inquiry_t *inquiry,
    const ngx_enroll_resp_t *reply)
{
    ngx_int_t                     port;
    const ngx_str_t              *host;
    ngx_enroll_redis_sentinel_t  *sentinel;

    sentinel = inquiry->data;

    if (reply->type == NGX_ENROLL_RESP_NIL) {
        ngx_enroll_redis_inquiry_detail(inquiry,
                                        "it knows no master \"%V\"",
                                        &sentinel->given->master);
        return NGX_DECLINED;
    }

    if (reply->type != NGX_ENROLL_RESP_ARRAY
        || reply->nelts != 2
        || reply->elts[0].type != NGX_ENROLL_RESP_STRING
        || reply->elts[1].type != NGX_ENROLL_RESP_STRING)
    {
        ngx_enroll_redis_inquiry_detail(inquiry, "that is no sentinel");
        return NGX_DECLINED;
    }

    host = &reply->elts[0].str;
    port = ngx_atoi(reply->elts[1].str.data, reply->elts[1].str.len);

    if (sentinel->named
        && port > 0
        && ngx_enroll_redis_placed(&sentinel->place, host, port))
    {
        return NGX_OK;
    }

    if (port <= 0
        || ngx_enroll_redis_place(&sentinel->place, sentinel->given, host,
                                  port)
           != NGX_OK)
    {
        ngx_enroll_redis_inquiry_detail(inquiry,
                                        "it names no address of the master");
        return NGX_DECLINED;
    }

    sentinel->moved = sentinel->named;
    sentinel->named = 1;

    return NGX_OK;
}


static void
ngx_enroll_redis_sentinel_end(ngx_enroll_redis_inquiry_t *inquiry,
    ngx_int_t rc)
{
    ngx_enroll_redis_server_t      *server;
    ngx_enroll_redis_sentinel_t    *sentinel;
    ngx_enroll_redis_connection_t  *conn;

    sentinel = inquiry->data;
    server = &sentinel->node->server;

    sentinel->asked = ngx_current_msec;

    conn = sentinel->waiting;
    sentinel->waiting = NULL;

    if (rc != NGX_OK) {
        if (conn == NULL) {
            return;
        }

        /* there is nothing left to cancel */
        conn->locating = 0;

        ngx_enroll_redis_connection_detail(conn, "the last: %s",
                                           inquiry->detail);
        ngx_enroll_redis_connection_close(conn, rc == NGX_ABORT
                                                ? NULL
                                                : "no sentinel helps");
        return;
    }

    if (sentinel->moved) {
        sentinel->moved = 0;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "Redis: master \"%V\" is at %V now",
                      &sentinel->given->master,
                      &sentinel->place.conf.address);

        server->role = NULL;
        ngx_enroll_redis_node_retire(sentinel->node, "master has moved");
    }

    if (server->conf->naddrs == 0) {
        /* a name is resolved each time */
        server->current = server->naddrs;
    }

    if (conn) {
        ngx_enroll_redis_connection_located(conn);
    }
}


static ngx_uint_t
ngx_enroll_redis_sentinel_wanted(ngx_enroll_redis_inquiry_t *inquiry)
{
    ngx_enroll_redis_sentinel_t  *sentinel;

    sentinel = inquiry->data;

    return sentinel->waiting
           && sentinel->waiting->owner->wanted(sentinel->waiting);
}
