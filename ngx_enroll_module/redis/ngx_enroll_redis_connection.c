
#include "ngx_enroll_redis_connection.h"


#define NGX_ENROLL_REDIS_BUFFER  16384


static void ngx_enroll_redis_connection_timeout(ngx_event_t *ev);
static void ngx_enroll_redis_connection_read_handler(ngx_event_t *rev);
static void ngx_enroll_redis_connection_write_handler(ngx_event_t *wev);
static ngx_int_t ngx_enroll_redis_connection_write(
    ngx_enroll_redis_connection_t *conn);
static ngx_int_t ngx_enroll_redis_connection_write_hello(
    ngx_enroll_redis_connection_t *conn);
static ngx_int_t ngx_enroll_redis_connection_write_op(
    ngx_enroll_redis_connection_t *conn);
static ngx_int_t ngx_enroll_redis_connection_replies(
    ngx_enroll_redis_connection_t *conn);
static ngx_int_t ngx_enroll_redis_connection_greeting(
    ngx_enroll_redis_connection_t *conn);
static ngx_int_t ngx_enroll_redis_connection_reply(
    ngx_enroll_redis_connection_t *conn);
static void ngx_enroll_redis_connection_destroy(
    ngx_enroll_redis_connection_t *conn);
static u_char *ngx_enroll_redis_connection_log(ngx_log_t *log, u_char *buf,
    size_t len);


const char  ngx_enroll_redis_shutdown[] = "shutdown";


void
ngx_enroll_redis_connection_init(ngx_enroll_redis_connection_t *conn)
{
    ngx_queue_init(&conn->fifo);
    conn->unsent = ngx_queue_sentinel(&conn->fifo);

    ngx_enroll_redis_wait_init(conn);

    /* not ngx_cycle->log itself: a handler of its own says which server */
    conn->log = *ngx_cycle->log;
    conn->log.handler = ngx_enroll_redis_connection_log;
    conn->log.data = conn;
    conn->log_level = conn->log.log_level;

    conn->timer.handler = ngx_enroll_redis_connection_timeout;
    conn->timer.data = conn;
    conn->timer.log = &conn->log;

    /* operations that wait for it have timers of their own */
    conn->timer.cancelable = 1;
}


void
ngx_enroll_redis_connection_start(ngx_enroll_redis_connection_t *conn)
{
    ngx_connection_t  *c;

    c = conn->c;

    conn->state = NGX_ENROLL_REDIS_HELLO;
    conn->log.action = "greeting Redis";

    conn->reader = ngx_enroll_resp_reader_create();

    if (conn->reader == NULL
        || ngx_enroll_redis_hello_create(conn) != NGX_OK)
    {
        ngx_enroll_redis_connection_close(conn, "no memory");
        return;
    }

    c->read->handler = ngx_enroll_redis_connection_read_handler;
    c->write->handler = ngx_enroll_redis_connection_write_handler;

    if (ngx_enroll_redis_connection_write(conn) != NGX_OK) {
        return;
    }

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }
}


void
ngx_enroll_redis_connection_send(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op)
{
    op->connection = conn;
    op->sent = 0;
    op->asked = 0;

    ngx_queue_insert_tail(&conn->fifo, &op->queue);
    conn->nfifo++;
    conn->c->idle = 0;

    ngx_enroll_redis_wait_follow(conn, op);

    if (conn->unsent == ngx_queue_sentinel(&conn->fifo)) {
        conn->unsent = &op->queue;
        (void) ngx_enroll_redis_connection_write(conn);
    }
}


void
ngx_enroll_redis_connection_take(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op)
{
    if (conn->unsent == &op->queue) {
        conn->unsent = ngx_queue_next(&op->queue);
    }

    ngx_queue_remove(&op->queue);
    conn->nfifo--;

    op->connection = NULL;
}


void
ngx_enroll_redis_connection_close(ngx_enroll_redis_connection_t *conn,
    const char *failure)
{
    ngx_enroll_redis_state_e    state;
    ngx_enroll_redis_server_t  *server;

    state = conn->state;
    server = conn->server;

    if (state == NGX_ENROLL_REDIS_CLOSED) {
        return;
    }

    ngx_enroll_redis_connection_destroy(conn);

    if (state != NGX_ENROLL_REDIS_READY && server->locator) {
        server->locator->failed(server->locator_data);
    }

    if (state != NGX_ENROLL_REDIS_READY || conn->retired) {
        server->current++;

    } else if (server->conf->naddrs == 0) {
        /* it may be elsewhere now */
        server->current = server->naddrs;
    }

    ngx_enroll_redis_wait_close(conn);

    conn->state = NGX_ENROLL_REDIS_CLOSED;
    conn->retired = NULL;
    conn->unsent = ngx_queue_sentinel(&conn->fifo);
    conn->nfifo = 0;

    conn->owner->closed(conn, state, failure);

    conn->detail[0] = '\0';
}


static void
ngx_enroll_redis_connection_destroy(ngx_enroll_redis_connection_t *conn)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (conn->locating) {
        conn->locating = 0;
        conn->server->locator->cancel(conn->server->locator_data);
    }

    if (conn->resolving) {
        ngx_resolve_name_done(conn->resolving);
        conn->resolving = NULL;
    }

    if (conn->reader) {
        ngx_enroll_resp_reader_free(conn->reader);
        conn->reader = NULL;
    }

    if (conn->hello.len) {
        ngx_explicit_memzero(conn->hello.data, conn->hello.len);
        ngx_str_null(&conn->hello);
    }

    c = conn->c;
    conn->c = NULL;

    if (c == NULL) {
        return;
    }

    if (c->ssl) {
        /* both: so it cannot be NGX_AGAIN, nobody waits for Redis here */
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }

    pool = c->pool;
    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


void
ngx_enroll_redis_connection_mute(ngx_enroll_redis_connection_t *conn,
    ngx_uint_t mute)
{
    conn->log.log_level = conn->log_level;

    if (mute && conn->log_level < NGX_LOG_DEBUG) {
        conn->log.log_level = ngx_min(conn->log_level, NGX_LOG_ALERT);
    }
}


void ngx_cdecl
ngx_enroll_redis_connection_detail(ngx_enroll_redis_connection_t *conn,
    const char *fmt, ...)
{
    u_char   *p, *last;
    va_list   args;

    va_start(args, fmt);
    last = ngx_vslprintf(conn->detail,
                         conn->detail + sizeof(conn->detail) - 1, fmt, args);
    va_end(args);

    /* part of it may be the server's words */

    for (p = conn->detail; p < last; p++) {
        if (*p < ' ' || *p == 0x7f) {
            *p = '.';
        }
    }

    *last = '\0';
}


ngx_int_t
ngx_enroll_redis_connection_leave(ngx_enroll_redis_connection_t *conn)
{
    ngx_connection_t  *c;

    c = conn->c;
    c->close = 0;

    if (c->error) {
        ngx_enroll_redis_connection_close(conn, ngx_enroll_redis_shutdown);
        return NGX_DONE;
    }

    if (conn->owner->wanted(conn)) {
        return NGX_OK;
    }

    ngx_enroll_redis_connection_close(conn, NULL);

    return NGX_DONE;
}


static void
ngx_enroll_redis_connection_timeout(ngx_event_t *ev)
{
    ngx_enroll_redis_connection_t  *conn;

    conn = ev->data;

    ngx_enroll_redis_connection_detail(conn, "while %s", conn->log.action);
    ngx_enroll_redis_connection_close(conn, "timeout");
}


static void
ngx_enroll_redis_connection_read_handler(ngx_event_t *rev)
{
    u_char                          buf[NGX_ENROLL_REDIS_BUFFER];
    ssize_t                         n;
    ngx_connection_t               *c;
    ngx_enroll_redis_connection_t  *conn;

    c = rev->data;
    conn = c->data;

    if (c->close && ngx_enroll_redis_connection_leave(conn) == NGX_DONE) {
        return;
    }

    for ( ;; ) {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_enroll_redis_connection_close(conn, "connection lost");
            return;
        }

        if (ngx_enroll_resp_feed(conn->reader, buf, n) != NGX_OK) {
            ngx_enroll_redis_connection_detail(conn, "not RESP2, or too "
                                               "large");
            ngx_enroll_redis_connection_close(conn, "protocol error");
            return;
        }

        if (ngx_enroll_redis_connection_replies(conn) != NGX_OK) {
            return;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_enroll_redis_connection_close(conn, "event failure");
    }
}


/*
 * Takes what is complete. NGX_OK, or NGX_DONE: the connection is closed.
 */

static ngx_int_t
ngx_enroll_redis_connection_replies(ngx_enroll_redis_connection_t *conn)
{
    ngx_int_t  rc;

    do {
        if (conn->state == NGX_ENROLL_REDIS_HELLO) {
            rc = ngx_enroll_redis_connection_greeting(conn);

        } else {
            rc = ngx_enroll_redis_connection_reply(conn);
        }

    } while (rc == NGX_OK);

    if (rc != NGX_AGAIN) {
        return NGX_DONE;
    }

    conn->c->idle = (conn->nfifo == 0);

    return NGX_OK;
}


/*
 * NGX_OK: there may be more; NGX_AGAIN: there is no more; NGX_DONE: the
 * connection is closed.
 */

static ngx_int_t
ngx_enroll_redis_connection_greeting(ngx_enroll_redis_connection_t *conn)
{
    ngx_int_t           rc;
    const char         *failure;
    ngx_enroll_resp_t   reply;

    rc = ngx_enroll_resp_next(conn->reader, conn->c->pool, &reply);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    failure = NULL;

    if (rc == NGX_ERROR) {
        failure = "protocol error";

    } else {
        ngx_enroll_redis_hello_reply(conn, &reply, &failure);
    }

    if (failure) {
        ngx_enroll_redis_connection_close(conn, failure);
        return NGX_DONE;
    }

    if (++conn->greeted < conn->ngreetings) {
        return NGX_OK;
    }

    ngx_del_timer(&conn->timer);

    conn->state = NGX_ENROLL_REDIS_READY;
    conn->since = ngx_current_msec;
    conn->log.action = "talking to Redis";

    conn->owner->ready(conn);

    return (conn->state == NGX_ENROLL_REDIS_READY) ? NGX_OK : NGX_DONE;
}


static ngx_int_t
ngx_enroll_redis_connection_reply(ngx_enroll_redis_connection_t *conn)
{
    ngx_int_t               rc;
    ngx_queue_t            *q;
    ngx_enroll_redis_op_t  *op;

    q = ngx_queue_head(&conn->fifo);

    if (q == conn->unsent) {

        /* nothing that has been asked is unanswered */

        if (ngx_enroll_resp_empty(conn->reader)) {
            return NGX_AGAIN;
        }

        ngx_enroll_redis_connection_detail(conn, "a reply nobody asked for");
        ngx_enroll_redis_connection_close(conn, "protocol error");
        return NGX_DONE;
    }

    op = ngx_queue_data(q, ngx_enroll_redis_op_t, queue);

    rc = ngx_enroll_resp_next(conn->reader, op->pool, &op->reply);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        ngx_enroll_redis_connection_detail(conn, "not RESP2, or too large");
        ngx_enroll_redis_connection_close(conn, "protocol error");
        return NGX_DONE;
    }

    if (op->asking && !op->asked) {
        /* that was ASKING's */
        op->asked = 1;
        return NGX_OK;
    }

    if (op == conn->wait) {
        if (ngx_enroll_redis_wait_reply(conn) != NGX_OK) {
            return NGX_DONE;
        }

    } else if (!ngx_enroll_redis_wait_hold(conn, op)) {
        ngx_enroll_redis_connection_take(conn, op);
        conn->owner->reply(conn, op);
    }

    if (conn->state != NGX_ENROLL_REDIS_READY) {
        /* the operation was sent anew, and that failed */
        return NGX_DONE;
    }

    if (conn->retired && conn->nfifo == 0) {
        ngx_enroll_redis_connection_close(conn, conn->retired);
        return NGX_DONE;
    }

    return NGX_OK;
}


static void
ngx_enroll_redis_connection_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    (void) ngx_enroll_redis_connection_write(c->data);
}


/* NGX_OK, or NGX_DONE: the connection is closed. */

static ngx_int_t
ngx_enroll_redis_connection_write(ngx_enroll_redis_connection_t *conn)
{
    ngx_int_t     rc;
    ngx_event_t  *wev;

    wev = conn->c->write;

    do {
        if (!wev->ready) {
            rc = NGX_AGAIN;

        } else if (conn->hello.len) {
            rc = ngx_enroll_redis_connection_write_hello(conn);

        } else {
            rc = ngx_enroll_redis_connection_write_op(conn);
        }

    } while (rc == NGX_OK);

    if (rc == NGX_ERROR || ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_enroll_redis_connection_close(conn, "connection lost");
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_connection_write_hello(ngx_enroll_redis_connection_t *conn)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->c;

    n = c->send(c, conn->hello.data, conn->hello.len);

    if (n <= 0) {
        return n ? n : NGX_AGAIN;
    }

    ngx_explicit_memzero(conn->hello.data, n);

    conn->hello.data += n;
    conn->hello.len -= n;

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_connection_write_op(ngx_enroll_redis_connection_t *conn)
{
    ssize_t                 n;
    ngx_connection_t       *c;
    ngx_enroll_redis_op_t  *op;

    if (conn->unsent == ngx_queue_sentinel(&conn->fifo)) {
        /* nothing to write */
        return NGX_AGAIN;
    }

    c = conn->c;
    op = ngx_queue_data(conn->unsent, ngx_enroll_redis_op_t, queue);

    n = c->send(c, op->command.data + op->sent, op->command.len - op->sent);

    if (n <= 0) {
        return n ? n : NGX_AGAIN;
    }

    op->sent += n;

    if (op->sent == op->command.len) {
        op->written = 1;
        conn->unsent = ngx_queue_next(conn->unsent);
    }

    return NGX_OK;
}


static u_char *
ngx_enroll_redis_connection_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                         *p;
    ngx_enroll_redis_connection_t  *conn;

    conn = log->data;
    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
    }

    return ngx_snprintf(p, len, ", redis: \"%V\"", &conn->conf->address);
}
