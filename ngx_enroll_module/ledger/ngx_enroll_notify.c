
#include "ngx_enroll_notify.h"
#include "ngx_enroll_script.h"
#include "ngx_enroll_slot.h"


#define NGX_ENROLL_NOTIFY_KEYS   4
#define NGX_ENROLL_NOTIFY_ARGS   14
#define NGX_ENROLL_NOTIFY_ARGC                                                \
    (3 + NGX_ENROLL_NOTIFY_KEYS + NGX_ENROLL_NOTIFY_ARGS)

#define NGX_ENROLL_NOTIFY_ERROR  200         /* characters of an error */

/* the keys and numbers of a command */
#define NGX_ENROLL_NOTIFY_TEXT                                                \
    (NGX_ENROLL_NOTIFY_KEYS * (sizeof("enroll:{}:events") + NGX_INT64_LEN)    \
     + NGX_ENROLL_NOTIFY_ARGS * NGX_INT64_LEN)


/* One call: in its operation's pool. */
typedef struct {
    ngx_enroll_redis_t          *redis;
    ngx_enroll_notify_order_t    order;
    ngx_enroll_notify_pt         handler;
    void                        *data;
    ngx_uint_t                   eval;     /* the server lacks the script */
} ngx_enroll_notify_call_t;


static ngx_int_t ngx_enroll_notify_send(const ngx_enroll_notify_call_t *call);
static ngx_int_t ngx_enroll_notify_argv(const ngx_enroll_notify_call_t *call,
    ngx_str_t *argv, u_char *p);
static u_char *ngx_enroll_notify_number(ngx_str_t *arg, u_char *p,
    uint64_t n);
static ngx_int_t ngx_enroll_notify_copy(ngx_enroll_notify_call_t *call,
    ngx_pool_t *pool);
static void ngx_enroll_notify_reply(ngx_enroll_redis_op_t *op, ngx_int_t rc,
    ngx_enroll_resp_t *reply);
static ngx_int_t ngx_enroll_notify_again(ngx_enroll_notify_call_t *call,
    ngx_str_t *error);
static ngx_int_t ngx_enroll_notify_read(ngx_enroll_resp_t *reply,
    ngx_enroll_notify_place_t *place);
static ngx_int_t ngx_enroll_notify_events(ngx_enroll_resp_t *list,
    ngx_enroll_notify_place_t *place);
static ngx_str_t *ngx_enroll_notify_field(ngx_enroll_resp_t *flat,
    const char *name);
static int64_t ngx_enroll_notify_value(ngx_enroll_resp_t *flat,
    const char *name);
static ngx_uint_t ngx_enroll_notify_is(ngx_str_t *s, const char *text);


ngx_int_t
ngx_enroll_notify(ngx_enroll_redis_t *redis,
    const ngx_enroll_notify_order_t *order, ngx_enroll_notify_pt handler,
    void *data)
{
    ngx_enroll_notify_call_t  call;

    call.redis = redis;
    call.order = *order;
    call.handler = handler;
    call.data = data;
    call.eval = 0;

    return ngx_enroll_notify_send(&call);
}


static ngx_int_t
ngx_enroll_notify_send(const ngx_enroll_notify_call_t *call)
{
    u_char                     text[NGX_ENROLL_NOTIFY_TEXT];
    ngx_str_t                  argv[NGX_ENROLL_NOTIFY_ARGC];
    ngx_enroll_redis_op_t     *op;
    ngx_enroll_notify_call_t  *copy;

    if (ngx_enroll_notify_argv(call, argv, text) != NGX_OK) {
        return NGX_ERROR;
    }

    op = ngx_enroll_redis_op(NGX_ENROLL_NOTIFY_ARGC, argv, ngx_cycle->log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->slot = ngx_enroll_slot(&argv[3]);

    copy = ngx_palloc(op->pool, sizeof(ngx_enroll_notify_call_t));

    if (copy == NULL) {
        ngx_destroy_pool(op->pool);
        return NGX_ERROR;
    }

    *copy = *call;

    if (ngx_enroll_notify_copy(copy, op->pool) != NGX_OK) {
        ngx_destroy_pool(op->pool);
        return NGX_ERROR;
    }

    op->handler = ngx_enroll_notify_reply;
    op->data = copy;
    op->repeat = 1;                     /* a second time it moves nothing */

    ngx_enroll_redis_send(call->redis, op);

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_notify_argv(const ngx_enroll_notify_call_t *call, ngx_str_t *argv,
    u_char *p)
{
    ngx_str_t                        *arg;
    ngx_uint_t                        i;
    const ngx_enroll_script_t        *script;
    const ngx_enroll_notify_order_t  *order;

    static const char  *keys[] = {
        "enroll:{%ui}:notify%Z", "enroll:{%ui}:live%Z",
        "enroll:{%ui}:events%Z", "enroll:{%ui}:meta%Z"
    };

    order = &call->order;

    script = ngx_enroll_script(NGX_ENROLL_SCRIPT_NOTIFY);
    if (script == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(argv, NGX_ENROLL_NOTIFY_ARGC * sizeof(ngx_str_t));

    if (call->eval) {
        ngx_str_set(&argv[0], "EVAL");
        argv[1] = script->text;

    } else {
        ngx_str_set(&argv[0], "EVALSHA");
        argv[1].len = sizeof(script->sha1);
        argv[1].data = (u_char *) script->sha1;
    }

    ngx_str_set(&argv[2], "4");
    arg = &argv[3];

    for (i = 0; i < NGX_ENROLL_NOTIFY_KEYS; i++) {
        arg->data = p;
        p = ngx_sprintf(p, keys[i], order->partition);
        arg->len = p - arg->data - 1;
        arg++;
    }

    /* the first seven are those of all scripts; it fences nothing */

    arg[0] = order->holder;
    ngx_str_set(&arg[3], "0");
    ngx_str_set(&arg[4], "0");

    ngx_str_set(&arg[5], "sequence");
    ngx_str_set(&arg[6], "0 0");

    p = ngx_enroll_notify_number(&arg[7], p, order->lease);
    arg[8] = order->last;
    arg[9] = order->done;
    arg[10] = order->seq;
    p = ngx_enroll_notify_number(&arg[11], p, order->failures);
    p = ngx_enroll_notify_number(&arg[12], p, order->pause);
    (void) ngx_enroll_notify_number(&arg[13], p, order->want);

    return NGX_OK;
}


static u_char *
ngx_enroll_notify_number(ngx_str_t *arg, u_char *p, uint64_t n)
{
    arg->data = p;
    p = ngx_sprintf(p, "%uL", n);
    arg->len = p - arg->data;

    return p;
}


static ngx_int_t
ngx_enroll_notify_copy(ngx_enroll_notify_call_t *call, ngx_pool_t *pool)
{
    ngx_str_t   *s[4];
    ngx_uint_t   i;

    s[0] = &call->order.holder;
    s[1] = &call->order.last;
    s[2] = &call->order.done;
    s[3] = &call->order.seq;

    for (i = 0; i < 4; i++) {
        if (s[i]->len == 0) {
            continue;
        }

        s[i]->data = ngx_pstrdup(pool, s[i]);
        if (s[i]->data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_enroll_notify_reply(ngx_enroll_redis_op_t *op, ngx_int_t rc,
    ngx_enroll_resp_t *reply)
{
    ngx_enroll_notify_call_t   *call;
    ngx_enroll_notify_place_t   place;

    call = op->data;

    if (rc != NGX_OK) {
        /* an outage is told by redis/ */
        call->handler(call->data, NULL);
        return;
    }

    if (reply->type == NGX_ENROLL_RESP_ERROR) {
        if (ngx_enroll_notify_again(call, &reply->str) != NGX_AGAIN) {
            call->handler(call->data, NULL);
        }

        return;
    }

    ngx_memzero(&place, sizeof(ngx_enroll_notify_place_t));

    if (ngx_enroll_notify_read(reply, &place) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: the ledger's notify script answered in a form "
                      "that is not its own");
        call->handler(call->data, NULL);
        return;
    }

    call->handler(call->data, &place);
}


/* NGX_AGAIN: it was sent whole, to a server that has not seen it yet */

static ngx_int_t
ngx_enroll_notify_again(ngx_enroll_notify_call_t *call, ngx_str_t *error)
{
    size_t  i, len;

    if (!call->eval
        && error->len >= 8
        && ngx_strncmp(error->data, "NOSCRIPT", 8) == 0)
    {
        call->eval = 1;

        if (ngx_enroll_notify_send(call) == NGX_OK) {
            return NGX_AGAIN;
        }
    }

    len = ngx_min(error->len, NGX_ENROLL_NOTIFY_ERROR);

    for (i = 0; i < len; i++) {
        if (error->data[i] < ' ' || error->data[i] >= 0x7f) {
            error->data[i] = '.';
        }
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "enroll: the ledger's notify script failed: \"%*s\"",
                  len, error->data);

    return NGX_ERROR;
}


static ngx_int_t
ngx_enroll_notify_read(ngx_enroll_resp_t *reply,
    ngx_enroll_notify_place_t *place)
{
    int64_t             now;
    ngx_enroll_resp_t  *part;

    part = reply->elts;

    if (reply->type != NGX_ENROLL_RESP_ARRAY
        || reply->nelts != 6
        || part[0].type != NGX_ENROLL_RESP_STRING
        || part[1].type != NGX_ENROLL_RESP_STRING
        || part[2].type != NGX_ENROLL_RESP_ARRAY
        || part[3].type != NGX_ENROLL_RESP_ARRAY)
    {
        return NGX_ERROR;
    }

    if (ngx_enroll_notify_is(&part[0].str, "ok")) {
        place->held = 1;

    } else if (!ngx_enroll_notify_is(&part[0].str, "again")) {
        return NGX_ERROR;
    }

    now = ngx_atoof(part[1].str.data, part[1].str.len);

    place->last = *ngx_enroll_notify_field(&part[2], "last");
    place->seq = *ngx_enroll_notify_field(&part[2], "seq");
    place->failures = ngx_enroll_notify_value(&part[2], "failures");
    place->gone = ngx_enroll_notify_value(&part[2], "gone");
    place->left = ngx_enroll_notify_value(&part[2], "until") - now;

    if (now == NGX_ERROR
        || place->last.len > NGX_ENROLL_NOTIFY_ID_LEN
        || place->seq.len > NGX_INT64_LEN
        || (place->held && place->last.len == 0))
    {
        return NGX_ERROR;
    }

    return ngx_enroll_notify_events(&part[3], place);
}


static ngx_int_t
ngx_enroll_notify_events(ngx_enroll_resp_t *list,
    ngx_enroll_notify_place_t *place)
{
    ngx_uint_t          i;
    ngx_enroll_resp_t  *event;

    for (i = 0; i < list->nelts; i++) {
        event = &list->elts[i];

        if (event->type != NGX_ENROLL_RESP_ARRAY
            || event->nelts != 2
            || event->elts[0].type != NGX_ENROLL_RESP_STRING
            || event->elts[0].str.len == 0
            || event->elts[0].str.len > NGX_ENROLL_NOTIFY_ID_LEN
            || event->elts[1].type != NGX_ENROLL_RESP_ARRAY)
        {
            return NGX_ERROR;
        }
    }

    place->nevents = list->nelts;
    place->events = list->elts;

    return NGX_OK;
}


/* never NULL: an empty one where there is none */

static ngx_str_t *
ngx_enroll_notify_field(ngx_enroll_resp_t *flat, const char *name)
{
    ngx_uint_t  i;

    static ngx_str_t  none = ngx_null_string;

    for (i = 0; i + 1 < flat->nelts; i += 2) {
        if (ngx_enroll_notify_is(&flat->elts[i].str, name)) {
            return &flat->elts[i + 1].str;
        }
    }

    return &none;
}


/* 0 where there is none, or no number */

static int64_t
ngx_enroll_notify_value(ngx_enroll_resp_t *flat, const char *name)
{
    off_t       n;
    ngx_str_t  *text;

    text = ngx_enroll_notify_field(flat, name);
    n = ngx_atoof(text->data, text->len);

    return n == NGX_ERROR ? 0 : n;
}


static ngx_uint_t
ngx_enroll_notify_is(ngx_str_t *s, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return s->len == len && ngx_memcmp(s->data, text, len) == 0;
}
