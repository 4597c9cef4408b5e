
#include "ngx_enroll_redis_inquiry.h"


static void ngx_enroll_redis_inquiry_next(ngx_event_t *ev);
static void ngx_enroll_redis_inquiry_open(
    ngx_enroll_redis_inquiry_t *inquiry);
static void ngx_enroll_redis_inquiry_end(ngx_enroll_redis_inquiry_t *inquiry,
    ngx_int_t rc);
static void ngx_enroll_redis_inquiry_timeout(ngx_event_t *ev);

static void ngx_enroll_redis_inquiry_ready(
    ngx_enroll_redis_connection_t *conn);
static void ngx_enroll_redis_inquiry_reply(
    ngx_enroll_redis_connection_t *conn, ngx_enroll_redis_op_t *op);
static void ngx_enroll_redis_inquiry_closed(
    ngx_enroll_redis_connection_t *conn, ngx_enroll_redis_state_e state,
    const char *failure);
static ngx_uint_t ngx_enroll_redis_inquiry_wanted(
    ngx_enroll_redis_connection_t *conn);


static const ngx_enroll_redis_owner_t  ngx_enroll_redis_inquiry_owner = {
    ngx_enroll_redis_inquiry_ready,
    ngx_enroll_redis_inquiry_reply,
    ngx_enroll_redis_inquiry_closed,
    ngx_enroll_redis_inquiry_wanted
};


/* it has said what it had to say */
static const char  ngx_enroll_redis_inquiry_done[] = "done";


void
ngx_enroll_redis_inquiry_init(ngx_enroll_redis_inquiry_t *inquiry)
{
    ngx_enroll_redis_connection_t  *conn;

    conn = &inquiry->connection;

    conn->server = &inquiry->server;
    conn->owner = &ngx_enroll_redis_inquiry_owner;
    conn->data = inquiry;

    ngx_enroll_redis_connection_init(conn);

    /* who is asked in vain is told of here, and not twice */
    ngx_enroll_redis_connection_mute(conn, 1);

    inquiry->timer.handler = ngx_enroll_redis_inquiry_timeout;
    inquiry->timer.data = inquiry;
    inquiry->timer.log = ngx_cycle->log;

    inquiry->next.handler = ngx_enroll_redis_inquiry_next;
    inquiry->next.data = inquiry;
    inquiry->next.log = ngx_cycle->log;
}


void
ngx_enroll_redis_inquiry_start(ngx_enroll_redis_inquiry_t *inquiry)
{
    inquiry->active = 1;
    inquiry->answered = 0;
    inquiry->n = 0;
    inquiry->conf = NULL;
    inquiry->detail[0] = '\0';

    ngx_post_event(&inquiry->next, &ngx_posted_events);
}


void
ngx_enroll_redis_inquiry_cancel(ngx_enroll_redis_inquiry_t *inquiry)
{
    inquiry->active = 0;

    ngx_enroll_redis_connection_close(&inquiry->connection, NULL);

    if (inquiry->timer.timer_set) {
        ngx_del_timer(&inquiry->timer);
    }

    if (inquiry->next.posted) {
        ngx_delete_posted_event(&inquiry->next);
    }

    if (inquiry->server.pool) {
        ngx_destroy_pool(inquiry->server.pool);
        inquiry->server.pool = NULL;
    }
}


void ngx_cdecl
ngx_enroll_redis_inquiry_detail(ngx_enroll_redis_inquiry_t *inquiry,
    const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(inquiry->detail,
                      inquiry->detail + sizeof(inquiry->detail) - 1, fmt,
                      args);
    va_end(args);

    *p = '\0';

    /* part of it may be the server's words */

    for (p = inquiry->detail; *p; p++) {
        if (*p < ' ' || *p >= 0x7f) {
            *p = '.';
        }
    }
}


/* The connection is in the middle of nothing here. */

static void
ngx_enroll_redis_inquiry_next(ngx_event_t *ev)
{
    ngx_uint_t                   level;
    ngx_enroll_redis_inquiry_t  *inquiry;

    inquiry = ev->data;

    if (inquiry->answered) {
        ngx_enroll_redis_inquiry_end(inquiry, NGX_OK);
        return;
    }

    if (inquiry->conf) {
        level = inquiry->muted ? NGX_LOG_INFO : NGX_LOG_WARN;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "Redis \"%V\" is of no help: %s",
                      &inquiry->conf->address, inquiry->detail);
    }

    if (ngx_exiting && !inquiry->asker->wanted(inquiry)) {
        ngx_enroll_redis_inquiry_end(inquiry, NGX_ABORT);
        return;
    }

    inquiry->conf = inquiry->asker->server(inquiry, inquiry->n++);

    if (inquiry->conf == NULL) {
        ngx_enroll_redis_inquiry_end(inquiry, NGX_ERROR);
        return;
    }

    ngx_enroll_redis_inquiry_open(inquiry);
}


static void
ngx_enroll_redis_inquiry_open(ngx_enroll_redis_inquiry_t *inquiry)
{
    ngx_enroll_redis_server_t  *server;

    server = &inquiry->server;

    if (server->pool) {
        ngx_destroy_pool(server->pool);
    }

    ngx_memzero(server, sizeof(ngx_enroll_redis_server_t));
    server->conf = inquiry->conf;

    inquiry->connection.conf = inquiry->conf;

    /*
     * One that hangs leaves time for the next. Not cancelable: a worker does
     * not leave while the connection is open.
     */

    ngx_add_timer(&inquiry->timer, inquiry->conf->timeout / 2 + 1);

    ngx_enroll_redis_connection_open(&inquiry->connection);
}


static void
ngx_enroll_redis_inquiry_end(ngx_enroll_redis_inquiry_t *inquiry,
    ngx_int_t rc)
{
    inquiry->active = 0;

    if (rc != NGX_ABORT) {
        inquiry->muted = (rc != NGX_OK);
    }

    inquiry->asker->end(inquiry, rc);
}


static void
ngx_enroll_redis_inquiry_timeout(ngx_event_t *ev)
{
    ngx_enroll_redis_inquiry_t  *inquiry;

    inquiry = ev->data;

    ngx_enroll_redis_connection_detail(&inquiry->connection, "while %s",
                                       inquiry->connection.log.action);
    ngx_enroll_redis_connection_close(&inquiry->connection, "timeout");
}


static void
ngx_enroll_redis_inquiry_ready(ngx_enroll_redis_connection_t *conn)
{
    ngx_enroll_redis_op_t       *op;
    ngx_enroll_redis_inquiry_t  *inquiry;

    inquiry = conn->data;

    op = ngx_enroll_redis_op(inquiry->argc, inquiry->argv, ngx_cycle->log);

    if (op == NULL) {
        ngx_enroll_redis_connection_close(conn, "no memory");
        return;
    }

    ngx_enroll_redis_connection_send(conn, op);
}


static void
ngx_enroll_redis_inquiry_reply(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op)
{
    ngx_enroll_redis_inquiry_t  *inquiry;

    inquiry = conn->data;

    if (op->reply.type == NGX_ENROLL_RESP_ERROR) {
        ngx_enroll_redis_inquiry_detail(inquiry, "%V", &op->reply.str);

    } else if (inquiry->asker->answer(inquiry, &op->reply) == NGX_OK) {
        inquiry->answered = 1;
    }

    ngx_destroy_pool(op->pool);

    conn->retired = ngx_enroll_redis_inquiry_done;
}


static void
ngx_enroll_redis_inquiry_closed(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_state_e state, const char *failure)
{
    ngx_queue_t                 *q;
    ngx_enroll_redis_op_t       *op;
    ngx_enroll_redis_inquiry_t  *inquiry;

    inquiry = conn->data;

    while (!ngx_queue_empty(&conn->fifo)) {
        q = ngx_queue_head(&conn->fifo);
        ngx_queue_remove(q);

        op = ngx_queue_data(q, ngx_enroll_redis_op_t, queue);
        ngx_destroy_pool(op->pool);
    }

    if (inquiry->timer.timer_set) {
        ngx_del_timer(&inquiry->timer);
    }

    if (!inquiry->active) {
        return;
    }

    if (failure != ngx_enroll_redis_inquiry_done) {
        ngx_enroll_redis_inquiry_detail(inquiry, "%s%s%s%s",
                                        failure ? failure : "closed",
                                        conn->detail[0] ? " (" : "",
                                        conn->detail,
                                        conn->detail[0] ? ")" : "");
    }

    ngx_post_event(&inquiry->next, &ngx_posted_events);
}


static ngx_uint_t
ngx_enroll_redis_inquiry_wanted(ngx_enroll_redis_connection_t *conn)
{
    ngx_enroll_redis_inquiry_t  *inquiry;

    inquiry = conn->data;

    return inquiry->asker->wanted(inquiry);
}
