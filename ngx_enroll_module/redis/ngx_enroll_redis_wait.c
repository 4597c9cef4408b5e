
/*
 * Durability before acting. The replies to durable operations are held, and
 * behind those that came together goes one WAIT (or WAITAOF), which blocks the
 * connection until enough replicas have what they wrote, or the time is over.
 * What comes meanwhile is the next batch.
 *
 * WAIT is answered in order, so when it is, all that is held was written
 * before it, on this connection, and nothing that was written after it is
 * held yet. It speaks for what its own connection wrote, and for nothing else:
 * on a fresh one it is answered at once, and proves nothing. So what is held
 * when the connection is lost is asked again, waited for again, and has to
 * write again.
 *
 * A replica is asked when WAIT comes, and then not for a second. Where it is
 * asked for its disk in the same breath with what it is to write, it says that
 * this is not there yet. So WAIT is not written right behind the operations,
 * although that would save a round trip, and WAITAOF does not wait for all of
 * the time: it is written again.
 */

#include "ngx_enroll_redis_connection.h"


#define NGX_ENROLL_REDIS_WAIT_TEXT   128
#define NGX_ENROLL_REDIS_WAIT_FIRST  10   /* ms of the first WAITAOF; they
                                             double */


static void ngx_enroll_redis_wait_write(ngx_event_t *ev);
static ngx_enroll_redis_op_t *ngx_enroll_redis_wait_command(
    ngx_enroll_redis_connection_t *conn);
static ngx_msec_t ngx_enroll_redis_wait_time(
    ngx_enroll_redis_connection_t *conn);
static const char *ngx_enroll_redis_wait_read(
    ngx_enroll_redis_connection_t *conn, const ngx_enroll_resp_t *reply,
    int64_t *local, int64_t *have);
static void ngx_enroll_redis_wait_short(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op, int64_t local, int64_t have);
static void ngx_enroll_redis_wait_free(ngx_enroll_redis_connection_t *conn);


void
ngx_enroll_redis_wait_init(ngx_enroll_redis_connection_t *conn)
{
    ngx_queue_init(&conn->held);

    conn->waits.handler = ngx_enroll_redis_wait_write;
    conn->waits.data = conn;
    conn->waits.log = &conn->log;
}


void
ngx_enroll_redis_wait_follow(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op)
{
    op->replicated = 0;
    op->failure = NULL;

    if (conn->conf->replicas == 0 || !op->durable) {
        return;
    }

    conn->ndurable++;
}


ngx_uint_t
ngx_enroll_redis_wait_hold(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op)
{
    if (conn->conf->replicas == 0 || !op->durable) {
        op->replicated = 1;
        return 0;
    }

    conn->ndurable--;

    if (op->reply.type == NGX_ENROLL_RESP_ERROR) {
        return 0;
    }

    op->held = ngx_current_msec;

    ngx_queue_remove(&op->queue);
    ngx_queue_insert_tail(&conn->held, &op->queue);

    if (conn->wait == NULL) {
        /* the connection is being read just now, and may be closed by it */
        ngx_post_event(&conn->waits, &ngx_posted_events);
    }

    return 1;
}


ngx_uint_t
ngx_enroll_redis_wait_pending(const ngx_enroll_redis_connection_t *conn)
{
    return conn->wait || conn->ndurable || !ngx_queue_empty(&conn->held);
}


/* Something is held, and its timer closes the connection if need be. */

static void
ngx_enroll_redis_wait_write(ngx_event_t *ev)
{
    ngx_enroll_redis_connection_t  *conn;

    conn = ev->data;

    conn->wait = ngx_enroll_redis_wait_command(conn);

    if (conn->wait == NULL) {
        ngx_enroll_redis_connection_close(conn, "no memory");
        return;
    }

    ngx_enroll_redis_connection_send(conn, conn->wait);
}


static ngx_enroll_redis_op_t *
ngx_enroll_redis_wait_command(ngx_enroll_redis_connection_t *conn)
{
    u_char       replicas[NGX_INT_T_LEN], wait[NGX_INT_T_LEN];
    ngx_str_t    argv[4], *arg;
    ngx_msec_t   time;

    time = ngx_enroll_redis_wait_time(conn);
    conn->until = ngx_current_msec + time;

    arg = argv;

    if (conn->aof) {
        ngx_str_set(&arg[0], "WAITAOF");
        ngx_str_set(&arg[1], "1");
        arg += 2;

    } else {
        ngx_str_set(&arg[0], "WAIT");
        arg++;
    }

    arg[0].data = replicas;
    arg[0].len = ngx_sprintf(replicas, "%ui", conn->conf->replicas)
                 - replicas;
    arg[1].data = wait;
    arg[1].len = ngx_sprintf(wait, "%M", time) - wait;

    return ngx_enroll_redis_op(arg + 2 - argv, argv, ngx_cycle->log);
}


/* What is left to the one that is held for longest, or part of that. */

static ngx_msec_t
ngx_enroll_redis_wait_time(ngx_enroll_redis_connection_t *conn)
{
    ngx_uint_t              n;
    ngx_msec_int_t          left;
    ngx_enroll_redis_op_t  *op;

    op = ngx_queue_data(ngx_queue_head(&conn->held), ngx_enroll_redis_op_t,
                        queue);

    left = (ngx_msec_int_t) (op->held + conn->conf->wait - ngx_current_msec);
    left = ngx_max(left, 1);

    if (conn->aof) {
        n = ngx_min(conn->nwaits, 16);
        left = ngx_min(left, NGX_ENROLL_REDIS_WAIT_FIRST << n);
    }

    conn->nwaits++;

    return (ngx_msec_t) left;
}


ngx_int_t
ngx_enroll_redis_wait_reply(ngx_enroll_redis_connection_t *conn)
{
    int64_t                 local, have;
    const char             *failure;
    ngx_enroll_redis_op_t  *op;

    failure = ngx_enroll_redis_wait_read(conn, &conn->wait->reply, &local,
                                         &have);
    if (failure) {
        ngx_enroll_redis_connection_close(conn, failure);
        return NGX_DONE;
    }

    ngx_enroll_redis_wait_free(conn);

    while (!ngx_queue_empty(&conn->held)) {
        op = ngx_queue_data(ngx_queue_head(&conn->held),
                            ngx_enroll_redis_op_t, queue);

        op->replicated = (local > 0 && have >= (int64_t) conn->conf->replicas);

        if (!op->replicated) {
            if ((ngx_msec_int_t) (op->held + conn->conf->wait - conn->until)
                > 0)
            {
                ngx_post_event(&conn->waits, &ngx_posted_events);
                return NGX_OK;
            }

            ngx_enroll_redis_wait_short(conn, op, local, have);
        }

        ngx_enroll_redis_connection_take(conn, op);
        conn->owner->reply(conn, op);
    }

    conn->nwaits = 0;

    return NGX_OK;
}


/* NULL, or why the reply is of no use. */

static const char *
ngx_enroll_redis_wait_read(ngx_enroll_redis_connection_t *conn,
    const ngx_enroll_resp_t *reply, int64_t *local, int64_t *have)
{
    const ngx_enroll_resp_t  *count;

    if (reply->type == NGX_ENROLL_RESP_ERROR) {
        /* it is a replica now, or has no AOF any more: a greeting will tell */
        ngx_enroll_redis_connection_detail(conn, "%V", &reply->str);
        return conn->aof ? "WAITAOF refused" : "WAIT refused";
    }

    *local = 1;
    count = reply;

    if (conn->aof) {
        /* its own disk, replicas */

        if (reply->type != NGX_ENROLL_RESP_ARRAY
            || reply->nelts != 2
            || reply->elts[0].type != NGX_ENROLL_RESP_INTEGER)
        {
            goto invalid;
        }

        *local = reply->elts[0].integer;
        count = &reply->elts[1];
    }

    if (count->type != NGX_ENROLL_RESP_INTEGER) {
        goto invalid;
    }

    *have = count->integer;

    return NULL;

invalid:

    ngx_enroll_redis_connection_detail(conn, "what WAIT was answered with");

    return "protocol error";
}


/* The failure says what is missing. */

static void
ngx_enroll_redis_wait_short(ngx_enroll_redis_connection_t *conn,
    ngx_enroll_redis_op_t *op, int64_t local, int64_t have)
{
    u_char                         *text;
    const ngx_enroll_redis_conf_t  *conf;

    conf = conn->conf;

    op->failure = "too few replicas have the write";

    text = ngx_pcalloc(op->pool, NGX_ENROLL_REDIS_WAIT_TEXT);
    if (text == NULL) {
        return;
    }

    if (local <= 0) {
        (void) ngx_snprintf(text, NGX_ENROLL_REDIS_WAIT_TEXT - 1,
                            "its own disk does not have the write within "
                            "%M ms", conf->wait);

    } else {
        (void) ngx_snprintf(text, NGX_ENROLL_REDIS_WAIT_TEXT - 1,
                            "only %L of %ui replicas have the write%s within "
                            "%M ms", ngx_max(have, 0), conf->replicas,
                            conn->aof ? " on disk" : "", conf->wait);
    }

    op->failure = (const char *) text;
}


void
ngx_enroll_redis_wait_close(ngx_enroll_redis_connection_t *conn)
{
    ngx_queue_t  *q;

    if (conn->waits.posted) {
        ngx_delete_posted_event(&conn->waits);
    }

    if (conn->wait) {
        ngx_enroll_redis_wait_free(conn);
    }

    while (!ngx_queue_empty(&conn->held)) {
        q = ngx_queue_last(&conn->held);
        ngx_queue_remove(q);
        ngx_queue_insert_head(&conn->fifo, q);
    }

    conn->ndurable = 0;
    conn->nwaits = 0;
}


static void
ngx_enroll_redis_wait_free(ngx_enroll_redis_connection_t *conn)
{
    ngx_enroll_redis_op_t  *op;

    op = conn->wait;
    conn->wait = NULL;

    ngx_enroll_redis_connection_take(conn, op);
    ngx_destroy_pool(op->pool);
}
