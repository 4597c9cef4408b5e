
#include "ngx_enroll_redis_node.h"
#include "ngx_enroll_redis_op.h"


/* before the second attempt; it doubles up to enroll_redis_retry */
#define NGX_ENROLL_REDIS_BACKOFF  10


typedef struct {
    ngx_str_t     prefix;
    const char   *failure;
    ngx_uint_t    retire;                /* the connection */
} ngx_enroll_redis_refusal_t;


static ngx_enroll_redis_connection_t *ngx_enroll_redis_node_best(
    ngx_enroll_redis_node_t *node, const ngx_enroll_redis_op_t *op);
static ngx_uint_t ngx_enroll_redis_node_pending(
    ngx_enroll_redis_node_t *node);
static void ngx_enroll_redis_node_flush(ngx_enroll_redis_node_t *node);
static void ngx_enroll_redis_node_connect(ngx_enroll_redis_node_t *node);
static void ngx_enroll_redis_node_schedule(ngx_enroll_redis_node_t *node);
static void ngx_enroll_redis_node_timer(ngx_event_t *ev);
static void ngx_enroll_redis_node_may_leave(ngx_enroll_redis_node_t *node);
static void ngx_enroll_redis_node_leave(ngx_event_t *ev);
static void ngx_enroll_redis_node_op_timeout(ngx_event_t *ev);

static void ngx_enroll_redis_node_ready(ngx_enroll_redis_connection_t *conn);
static void ngx_enroll_redis_node_reply(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op);
static void ngx_enroll_redis_node_closed(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_state_e state, const char *failure);
static ngx_uint_t ngx_enroll_redis_node_lasted(
    ngx_enroll_redis_connection_t *conn, ngx_enroll_redis_state_e state);
static ngx_uint_t ngx_enroll_redis_node_wanted(
    ngx_enroll_redis_connection_t *conn);

static const ngx_enroll_redis_refusal_t *ngx_enroll_redis_node_refusal(
    const ngx_enroll_resp_t *reply);
static void ngx_enroll_redis_node_requeue(ngx_enroll_redis_node_t *node,
    ngx_queue_t *fifo, const char *failure);
static ngx_uint_t ngx_enroll_redis_node_again(ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_op_t *op);
static void ngx_enroll_redis_node_failed(ngx_enroll_redis_node_t *node,
    const char *failure);
static void ngx_enroll_redis_node_fail_waiting(ngx_enroll_redis_node_t *node,
    const char *failure);
static void ngx_enroll_redis_node_log(ngx_enroll_redis_connection_t *conn,
    const char *failure, ngx_uint_t pending, ngx_uint_t harmless);
static void ngx_enroll_redis_node_mute(ngx_enroll_redis_node_t *node,
    const char *failure);


static const ngx_enroll_redis_owner_t  ngx_enroll_redis_node_owner = {
    ngx_enroll_redis_node_ready,
    ngx_enroll_redis_node_reply,
    ngx_enroll_redis_node_closed,
    ngx_enroll_redis_node_wanted
};


/* What says 'not executed'; NOSCRIPT does, too, but is the ledger's. */

static const ngx_enroll_redis_refusal_t  ngx_enroll_redis_refusals[] = {
    { ngx_string("LOADING "),     "LOADING",     1 },
    { ngx_string("READONLY "),    "READONLY",    1 },
    { ngx_string("MASTERDOWN "),  "MASTERDOWN",  1 },
    { ngx_string("CLUSTERDOWN "), "CLUSTERDOWN", 0 },
    { ngx_string("TRYAGAIN "),    "TRYAGAIN",    0 },
    { ngx_string("BUSY "),        "BUSY",        0 },
    { ngx_string("MOVED "),       "MOVED",       0 },
    { ngx_string("ASK "),         "ASK",         0 },
    { ngx_null_string,            NULL,          0 }
};


void
ngx_enroll_redis_node_init(ngx_enroll_redis_node_t *node,
    const ngx_enroll_redis_conf_t *conf, ngx_log_t *log)
{
    ngx_uint_t                      i;
    ngx_enroll_redis_connection_t  *conn;

    node->conf = conf;
    node->log = log;
    node->server.conf = conf;

    ngx_queue_init(&node->waiting);

    node->timer.handler = ngx_enroll_redis_node_timer;
    node->timer.data = node;
    node->timer.log = log;
    node->timer.cancelable = 1;

    node->leave.handler = ngx_enroll_redis_node_leave;
    node->leave.data = node;
    node->leave.log = log;

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        conn = &node->connections[i];

        conn->conf = conf;
        conn->server = &node->server;
        conn->owner = &ngx_enroll_redis_node_owner;
        conn->data = node;

        ngx_enroll_redis_connection_init(conn);
    }
}


void
ngx_enroll_redis_node_send(ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_op_t *op)
{
    ngx_enroll_redis_connection_t  *conn;

    op->node = node;

    if (node->leaving) {
        ngx_enroll_redis_op_fail(op, ngx_enroll_redis_shutdown);
        return;
    }

    /* in a worker that leaves nobody probes but those who ask */

    if (node->circuit && !ngx_exiting) {
        ngx_enroll_redis_op_fail(op, "circuit open");
        return;
    }

    if (node->nwaiting + ngx_enroll_redis_node_pending(node)
        >= node->conf->queue)
    {
        ngx_enroll_redis_op_fail(op, "queue full");
        return;
    }

    op->timer.handler = ngx_enroll_redis_node_op_timeout;
    op->timer.data = op;
    op->timer.log = node->log;

    if (!op->timer.timer_set) {
        ngx_add_timer(&op->timer, node->conf->timeout);
    }

    conn = ngx_enroll_redis_node_best(node, op);

    if (conn) {
        ngx_enroll_redis_connection_send(conn, op);
        return;
    }

    ngx_queue_insert_tail(&node->waiting, &op->queue);
    node->nwaiting++;

    if (!node->timer.timer_set) {
        ngx_enroll_redis_node_connect(node);
    }
}


void
ngx_enroll_redis_node_replicated(ngx_enroll_redis_node_t *node,
    const ngx_enroll_redis_op_t *op)
{
    if (node->short_of != op->replicated) {
        return;
    }

    node->short_of = !op->replicated;

    if (op->replicated) {
        ngx_log_error(NGX_LOG_NOTICE, node->log, 0,
                      "Redis \"%V\": enough replicas have the writes again",
                      &node->conf->address);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, node->log, 0, "Redis \"%V\": %s",
                  &node->conf->address, op->failure);
}


void
ngx_enroll_redis_node_stat(ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_stat_t *stat)
{
    ngx_uint_t  i;

    ngx_memzero(stat, sizeof(ngx_enroll_redis_stat_t));

    stat->address = &node->conf->address;
    stat->role = node->server.role;

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        if (node->connections[i].state == NGX_ENROLL_REDIS_READY) {
            stat->connected++;
        }
    }

    stat->waiting = node->nwaiting;
    stat->pending = ngx_enroll_redis_node_pending(node);
    stat->circuit_open = node->circuit;
    stat->failure = node->failure;
}


void
ngx_enroll_redis_node_retire(ngx_enroll_redis_node_t *node,
    const char *failure)
{
    ngx_uint_t                      i;
    ngx_enroll_redis_connection_t  *conn;

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        conn = &node->connections[i];

        if (conn->state == NGX_ENROLL_REDIS_CLOSED || conn->locating) {
            continue;
        }

        if (conn->state != NGX_ENROLL_REDIS_READY) {
            /* on its way to where it should not go any more */
            ngx_enroll_redis_connection_close(conn, NULL);
            continue;
        }

        conn->retired = failure;

        if (conn->nfifo == 0) {
            ngx_enroll_redis_connection_close(conn, NULL);
        }
    }
}


ngx_uint_t
ngx_enroll_redis_node_idle(ngx_enroll_redis_node_t *node)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        if (node->connections[i].state != NGX_ENROLL_REDIS_CLOSED) {
            return 0;
        }
    }

    return node->nwaiting == 0;
}


void
ngx_enroll_redis_node_destroy(ngx_enroll_redis_node_t *node)
{
    ngx_uint_t              i;
    ngx_queue_t            *q;
    ngx_enroll_redis_op_t  *op;

    node->leaving = 1;

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        ngx_enroll_redis_connection_close(&node->connections[i],
                                          ngx_enroll_redis_shutdown);
    }

    /* those that were on a connection have ended, and are not delivered */

    while (!ngx_queue_empty(&node->waiting)) {
        q = ngx_queue_head(&node->waiting);
        ngx_queue_remove(q);

        op = ngx_queue_data(q, ngx_enroll_redis_op_t, queue);

        if (op->timer.timer_set) {
            ngx_del_timer(&op->timer);
        }

        ngx_destroy_pool(op->pool);
    }

    if (node->timer.timer_set) {
        ngx_del_timer(&node->timer);
    }

    if (node->leave.posted) {
        ngx_delete_posted_event(&node->leave);
    }

    if (node->server.pool) {
        ngx_destroy_pool(node->server.pool);
    }
}


/*
 * A connection that waits for replicas answers nothing else meanwhile. So what
 * has to wait itself joins those that do, and one connection is left to all
 * others.
 */

static ngx_enroll_redis_connection_t *
ngx_enroll_redis_node_best(ngx_enroll_redis_node_t *node,
    const ngx_enroll_redis_op_t *op)
{
    ngx_uint_t                      i, nfree;
    ngx_enroll_redis_connection_t  *conn, *waits, *best, **p;

    waits = NULL;
    best = NULL;
    nfree = 0;

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        conn = &node->connections[i];

        if (conn->state != NGX_ENROLL_REDIS_READY || conn->retired) {
            continue;
        }

        if (ngx_enroll_redis_wait_pending(conn)) {
            p = &waits;

        } else {
            p = &best;
            nfree++;
        }

        if (*p == NULL || conn->nfifo < (*p)->nfifo) {
            *p = conn;
        }
    }

    if (best == NULL || (waits && op->durable && nfree == 1)) {
        return waits;
    }

    return best;
}


static ngx_uint_t
ngx_enroll_redis_node_pending(ngx_enroll_redis_node_t *node)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        n += node->connections[i].nfifo;
    }

    return n;
}


static void
ngx_enroll_redis_node_flush(ngx_enroll_redis_node_t *node)
{
    ngx_queue_t                    *q;
    ngx_enroll_redis_op_t          *op;
    ngx_enroll_redis_connection_t  *conn;

    while (!ngx_queue_empty(&node->waiting)) {

        q = ngx_queue_head(&node->waiting);
        op = ngx_queue_data(q, ngx_enroll_redis_op_t, queue);

        conn = ngx_enroll_redis_node_best(node, op);
        if (conn == NULL) {
            return;
        }

        ngx_queue_remove(q);
        node->nwaiting--;

        ngx_enroll_redis_connection_send(conn, op);
    }
}


/* One attempt at a time: the next connection follows when this one stands. */

static void
ngx_enroll_redis_node_connect(ngx_enroll_redis_node_t *node)
{
    ngx_uint_t                      i;
    ngx_enroll_redis_connection_t  *conn, *closed;

    closed = NULL;

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        conn = &node->connections[i];

        if (conn->state == NGX_ENROLL_REDIS_CONNECTING
            || conn->state == NGX_ENROLL_REDIS_HELLO)
        {
            return;
        }

        if (conn->state == NGX_ENROLL_REDIS_CLOSED && closed == NULL) {
            closed = conn;
        }
    }

    if (closed) {
        ngx_enroll_redis_connection_open(closed);
    }
}


static void
ngx_enroll_redis_node_schedule(ngx_enroll_redis_node_t *node)
{
    ngx_uint_t  shift;
    ngx_msec_t  delay;

    if (node->leaving
        || ((ngx_exiting || node->unused) && node->nwaiting == 0))
    {
        return;
    }

    if (node->timer.timer_set) {
        return;
    }

    if (node->circuit) {
        delay = node->conf->retry;

    } else if (node->attempts == 0) {
        delay = 1;

    } else {
        shift = ngx_min(node->attempts - 1, 16);
        delay = (ngx_msec_t) NGX_ENROLL_REDIS_BACKOFF << shift;
        delay = ngx_min(delay, node->conf->retry);
    }

    ngx_add_timer(&node->timer, delay);
}


static void
ngx_enroll_redis_node_timer(ngx_event_t *ev)
{
    ngx_enroll_redis_node_t  *node;

    node = ev->data;

    if ((ngx_exiting || node->unused) && node->nwaiting == 0) {
        return;
    }

    ngx_enroll_redis_node_connect(node);
}


/*
 * The worker leaves once its timers are gone, and a connection that is still
 * open then is an alert. Operations that have ended are delivered first:
 * their handlers may send more.
 */

static void
ngx_enroll_redis_node_may_leave(ngx_enroll_redis_node_t *node)
{
    if (ngx_exiting) {
        ngx_post_event(&node->leave, &ngx_posted_events);
    }
}


static void
ngx_enroll_redis_node_leave(ngx_event_t *ev)
{
    ngx_uint_t                      i;
    ngx_enroll_redis_node_t        *node;
    ngx_enroll_redis_connection_t  *conn;

    node = ev->data;

    if (node->nwaiting) {
        return;
    }

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        conn = &node->connections[i];

        if (conn->nfifo == 0) {
            ngx_enroll_redis_connection_close(conn, NULL);
        }
    }
}


static void
ngx_enroll_redis_node_op_timeout(ngx_event_t *ev)
{
    ngx_enroll_redis_op_t          *op;
    ngx_enroll_redis_node_t        *node;
    ngx_enroll_redis_connection_t  *conn;

    op = ev->data;
    node = op->node;
    conn = op->connection;

    if (conn == NULL) {
        ngx_queue_remove(&op->queue);
        node->nwaiting--;

        ngx_enroll_redis_op_fail(op, "timeout");
        ngx_enroll_redis_node_failed(node, "timeout");
        ngx_enroll_redis_node_may_leave(node);
        return;
    }

    ngx_enroll_redis_connection_take(conn, op);
    ngx_enroll_redis_op_fail(op, "timeout");

    ngx_enroll_redis_connection_detail(conn, "no reply");
    ngx_enroll_redis_connection_close(conn, "timeout");
}


static void
ngx_enroll_redis_node_ready(ngx_enroll_redis_connection_t *conn)
{
    ngx_enroll_redis_node_t  *node;

    node = conn->data;

    if (node->circuit) {
        ngx_log_error(NGX_LOG_NOTICE, node->log, 0,
                      "Redis \"%V\": circuit closes after %M ms",
                      &node->conf->address, ngx_current_msec - node->opened);

        node->circuit = 0;

        /* it is on trial until it has answered an operation */
        node->failures = node->conf->failures - 1;
    }

    ngx_enroll_redis_node_flush(node);

    if (node->timer.timer_set) {
        /* it was the circuit's, and longer than needed now */
        ngx_del_timer(&node->timer);
    }

    ngx_enroll_redis_node_schedule(node);
}


static void
ngx_enroll_redis_node_reply(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op)
{
    ngx_enroll_redis_node_t           *node;
    const ngx_enroll_redis_refusal_t  *refusal;

    node = conn->data;

    refusal = ngx_enroll_redis_node_refusal(&op->reply);

    if (refusal == NULL) {
        node->failures = 0;
        node->attempts = 0;

        if (node->logged) {
            ngx_enroll_redis_node_mute(node, NULL);
        }

        ngx_enroll_redis_op_done(op);

    } else {
        node->failure = refusal->failure;

        if (refusal->retire) {
            conn->retired = refusal->failure;
        }

        if (node->keeper == NULL
            || node->keeper->refused(node, op, refusal->failure) != NGX_OK)
        {
            ngx_enroll_redis_op_refuse(op, refusal->failure);
        }
    }

    ngx_enroll_redis_node_may_leave(node);
}


static const ngx_enroll_redis_refusal_t *
ngx_enroll_redis_node_refusal(const ngx_enroll_resp_t *reply)
{
    const ngx_enroll_redis_refusal_t  *refusal;

    if (reply->type != NGX_ENROLL_RESP_ERROR) {
        return NULL;
    }

    for (refusal = ngx_enroll_redis_refusals; refusal->failure; refusal++) {
        if (reply->str.len >= refusal->prefix.len
            && ngx_strncmp(reply->str.data, refusal->prefix.data,
                           refusal->prefix.len)
               == 0)
        {
            return refusal;
        }
    }

    return NULL;
}


static void
ngx_enroll_redis_node_closed(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_state_e state, const char *failure)
{
    ngx_uint_t                lasted, pending, harmless;
    ngx_enroll_redis_node_t  *node;

    node = conn->data;

    if (failure == ngx_enroll_redis_shutdown) {
        node->leaving = 1;
    }

    lasted = ngx_enroll_redis_node_lasted(conn, state);
    pending = !ngx_queue_empty(&conn->fifo);

    /* a server may close what is idle, but not what was just opened */

    harmless = (failure == NULL || node->leaving
                || (lasted && !pending
                    && ngx_strcmp(failure, "connection lost") == 0));

    if (failure) {
        ngx_enroll_redis_node_log(conn, failure, pending, harmless);
    }

    ngx_enroll_redis_node_requeue(node, &conn->fifo,
                                  failure ? failure : "connection closed");

    if (!harmless) {
        node->attempts += !lasted;
        ngx_enroll_redis_node_failed(node, failure);
    }

    if (node->leaving) {
        ngx_enroll_redis_node_fail_waiting(node, ngx_enroll_redis_shutdown);
    }

    ngx_enroll_redis_node_schedule(node);

    ngx_enroll_redis_node_may_leave(node);

    if (node->keeper) {
        node->keeper->closed(node, harmless);
    }
}


/*
 * That a connection was made proves little: a server that drops them at once
 * would be asked without a pause, and fill the log. Until it has answered or
 * stood for a while, the outage before it goes on.
 */

static ngx_uint_t
ngx_enroll_redis_node_lasted(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_state_e state)
{
    ngx_enroll_redis_node_t  *node;

    node = conn->data;

    if (state != NGX_ENROLL_REDIS_READY
        || ngx_current_msec - conn->since < node->conf->retry)
    {
        return 0;
    }

    node->attempts = 0;

    if (node->logged && (ngx_msec_int_t) (node->muted - conn->since) <= 0) {
        /* else it is the outage that its sibling has told of */
        ngx_enroll_redis_node_mute(node, NULL);
    }

    return 1;
}


static ngx_uint_t
ngx_enroll_redis_node_wanted(ngx_enroll_redis_connection_t *conn)
{
    ngx_enroll_redis_node_t  *node;

    node = conn->data;

    return node->nwaiting + ngx_enroll_redis_node_pending(node) > 0;
}


/* What a lost connection leaves behind is first in the queue, in order. */

static void
ngx_enroll_redis_node_requeue(ngx_enroll_redis_node_t *node,
    ngx_queue_t *fifo, const char *failure)
{
    ngx_queue_t            *q;
    ngx_enroll_redis_op_t  *op;

    while (!ngx_queue_empty(fifo)) {
        q = ngx_queue_last(fifo);
        ngx_queue_remove(q);

        op = ngx_queue_data(q, ngx_enroll_redis_op_t, queue);
        op->connection = NULL;

        if (ngx_enroll_redis_node_again(node, op)) {
            ngx_queue_insert_head(&node->waiting, &op->queue);
            node->nwaiting++;

        } else {
            ngx_enroll_redis_op_fail(op, failure);
        }
    }
}


static ngx_uint_t
ngx_enroll_redis_node_again(ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_op_t *op)
{
    if (node->leaving) {
        return 0;
    }

    if (op->sent < op->command.len) {
        /* this time it cannot have been executed */
        return 1;
    }

    if (!op->repeat || op->repeated) {
        return 0;
    }

    op->repeated = 1;

    return 1;
}


static void
ngx_enroll_redis_node_failed(ngx_enroll_redis_node_t *node,
    const char *failure)
{
    ngx_uint_t  i;

    node->failure = failure;
    node->failures++;

    if (node->circuit || node->failures < node->conf->failures) {
        return;
    }

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        if (node->connections[i].state == NGX_ENROLL_REDIS_READY) {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, node->log, 0,
                  "Redis \"%V\": circuit opens after %ui failures, "
                  "the last: %s",
                  &node->conf->address, node->failures, failure);

    node->circuit = 1;
    node->opened = ngx_current_msec;

    ngx_enroll_redis_node_fail_waiting(node, "circuit open");

    if (node->timer.timer_set) {
        ngx_del_timer(&node->timer);
    }

    ngx_enroll_redis_node_schedule(node);
}


static void
ngx_enroll_redis_node_fail_waiting(ngx_enroll_redis_node_t *node,
    const char *failure)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&node->waiting)) {
        q = ngx_queue_head(&node->waiting);
        ngx_queue_remove(q);
        node->nwaiting--;

        ngx_enroll_redis_op_fail(ngx_queue_data(q, ngx_enroll_redis_op_t,
                                                queue),
                                 failure);
    }
}


/* An outage is told once, and again where the reason changes. */

static void
ngx_enroll_redis_node_log(ngx_enroll_redis_connection_t *conn,
    const char *failure, ngx_uint_t pending, ngx_uint_t harmless)
{
    ngx_uint_t                level;
    ngx_enroll_redis_node_t  *node;

    node = conn->data;

    if (harmless
        || (node->logged && ngx_strcmp(node->logged, failure) == 0))
    {
        level = NGX_LOG_INFO;

    } else {
        level = NGX_LOG_ERR;
    }

    ngx_log_error(level, node->log, 0, "Redis \"%V\": %s%s%s%s%s",
                  &node->conf->address, failure,
                  conn->detail[0] ? " (" : "", conn->detail,
                  conn->detail[0] ? ")" : "",
                  pending ? ", operations were pending" : "");

    if (!harmless) {
        ngx_enroll_redis_node_mute(node, failure);
    }
}


static void
ngx_enroll_redis_node_mute(ngx_enroll_redis_node_t *node,
    const char *failure)
{
    ngx_uint_t  i;

    node->logged = failure;
    node->muted = ngx_current_msec;

    for (i = 0; i < NGX_ENROLL_REDIS_CONNECTIONS; i++) {
        ngx_enroll_redis_connection_mute(&node->connections[i],
                                         failure != NULL);
    }
}
