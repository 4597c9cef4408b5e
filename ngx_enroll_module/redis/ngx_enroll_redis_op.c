
#include "ngx_enroll_redis_op.h"
#include "ngx_enroll_slot.h"


static void ngx_enroll_redis_op_finish(ngx_enroll_redis_op_t *op,
    ngx_int_t rc, const char *failure);
static void ngx_enroll_redis_op_deliver(ngx_event_t *ev);


/* the operations that have ended, of all clients of this worker */
static ngx_queue_t  ngx_enroll_redis_ended;
static ngx_event_t  ngx_enroll_redis_ended_event;


ngx_enroll_redis_op_t *
ngx_enroll_redis_op(ngx_uint_t argc, const ngx_str_t *argv, ngx_log_t *log)
{
    ngx_pool_t             *pool;
    ngx_enroll_redis_op_t  *op;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE / 8, log);
    if (pool == NULL) {
        return NULL;
    }

    op = ngx_pcalloc(pool, sizeof(ngx_enroll_redis_op_t));

    if (op == NULL
        || ngx_enroll_resp_command(pool, argc, argv, &op->command) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    /* log is often a request's, and the operation may outlive that */
    pool->log = ngx_cycle->log;

    op->pool = pool;
    op->slot = NGX_ENROLL_SLOT_ANY;

    return op;
}


ngx_pool_t *
ngx_enroll_redis_op_keep(ngx_enroll_redis_op_t *op)
{
    op->kept = 1;

    return op->pool;
}


void
ngx_enroll_redis_op_done(ngx_enroll_redis_op_t *op)
{
    ngx_enroll_redis_op_finish(op, NGX_OK, op->failure);
}


void
ngx_enroll_redis_op_fail(ngx_enroll_redis_op_t *op, const char *failure)
{
    ngx_enroll_redis_op_finish(op, op->written ? NGX_ERROR : NGX_DECLINED,
                               failure);
}


void
ngx_enroll_redis_op_refuse(ngx_enroll_redis_op_t *op, const char *failure)
{
    /* what was refused is the repeat: the first may have been executed */

    ngx_enroll_redis_op_finish(op, op->repeated ? NGX_ERROR : NGX_DECLINED,
                               failure);
}


static void
ngx_enroll_redis_op_finish(ngx_enroll_redis_op_t *op, ngx_int_t rc,
    const char *failure)
{
    ngx_event_t  *ev;

    if (op->timer.timer_set) {
        ngx_del_timer(&op->timer);
    }

    op->rc = rc;
    op->failure = failure;

    ev = &ngx_enroll_redis_ended_event;

    if (ev->handler == NULL) {
        ngx_queue_init(&ngx_enroll_redis_ended);
        ev->handler = ngx_enroll_redis_op_deliver;
        ev->data = &ngx_enroll_redis_ended;
    }

    ngx_queue_insert_tail(&ngx_enroll_redis_ended, &op->queue);

    ev->log = ngx_cycle->log;
    ngx_post_event(ev, &ngx_posted_events);
}


static void
ngx_enroll_redis_op_deliver(ngx_event_t *ev)
{
    ngx_queue_t            *q, *ended;
    ngx_enroll_redis_op_t  *op;

    ended = ev->data;

    while (!ngx_queue_empty(ended)) {
        q = ngx_queue_head(ended);
        ngx_queue_remove(q);

        op = ngx_queue_data(q, ngx_enroll_redis_op_t, queue);

        if (op->handler) {
            op->handler(op, op->rc, op->rc == NGX_OK ? &op->reply : NULL);
        }

        if (!op->kept) {
            ngx_destroy_pool(op->pool);
        }
    }
}
